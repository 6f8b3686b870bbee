# Sourced: the tools of requirements.txt on PATH, and the contract as Python beneath .tools.
if ! cmp -s requirements.txt .tools/installed; then
    python3 -m venv --clear .tools
    .tools/bin/pip install --quiet --disable-pip-version-check --requirement requirements.txt
    cp requirements.txt .tools/installed
fi
PATH="$PWD/.tools/bin:$PATH"

rm -rf .tools/bindings
componentize-py --quiet --wit-path wit --world backend bindings .tools/bindings

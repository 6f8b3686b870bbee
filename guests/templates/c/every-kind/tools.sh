# Sourced: the tools of requirements.txt on PATH, by Python's package registry.
if ! cmp -s requirements.txt .tools/installed; then
    python3 -m venv --clear .tools
    .tools/bin/pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.txt
    cp requirements.txt .tools/installed
fi
PATH="$PWD/.tools/bin:$PATH"

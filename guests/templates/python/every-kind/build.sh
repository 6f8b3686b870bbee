#!/bin/sh
# Builds {{name}}.wasm. Needs Python {{python}} or later, with venv.
set -eu
cd "$(dirname "$0")"
# Whoever tries what a failed build has left tries another source.
rm -f {{name}}.wasm
. ./tools.sh
# Without WASI, which the host would answer with nothing.
componentize-py --quiet --wit-path wit --world backend componentize --stub-wasi backend --output {{name}}.wasm
ls -l {{name}}.wasm

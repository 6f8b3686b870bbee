#!/bin/sh
# Builds {{name}}.wasm. Needs Go {{go}} or later, and Python with venv for wasm-tools.
set -eu
cd "$(dirname "$0")"
# Whoever tries what a failed build has left tries another source.
rm -f {{name}}.wasm
. ./tools.sh
if [ wit/backend.wit -nt bindings/wasi_snapshot_preview1.wasm ]; then
    echo "bindings/ is older than wit/backend.wit: run drivebay bindings --language go" >&2
    exit 1
fi
mkdir -p .tools/built
# The runtime of the bindings reaches into Go's own, which the linker has to be told to allow.
GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -trimpath -ldflags='-checklinkname=0 -s -w' -o .tools/built/core.wasm .
wasm-tools component embed --world backend wit .tools/built/core.wasm --output .tools/built/embedded.wasm
# What Go's runtime asks of WASI 0.1, the adapter asks of WASI 0.2.
wasm-tools component new .tools/built/embedded.wasm --adapt bindings/wasi_snapshot_preview1.wasm --output {{name}}.wasm
ls -l {{name}}.wasm

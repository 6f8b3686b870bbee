#!/bin/sh
# Builds {{name}}.wasm. Needs Node {{node}} or later, with npm, whose packages are pinned by package-lock.json.
set -eu
cd "$(dirname "$0")"
# Whoever tries what a failed build has left tries another source.
rm -f {{name}}.wasm
if ! cmp -s package-lock.json node_modules/installed; then
    npm ci --ignore-scripts --no-audit --no-fund
    cp package-lock.json node_modules/installed
fi
node componentize.js
ls -l {{name}}.wasm

#!/bin/sh
# Builds {{name}}.wasm. Needs Rust {{rust}} or later, with the target: rustup target add wasm32-unknown-unknown
set -eu
cd "$(dirname "$0")"
# Whoever tries what a failed build has left tries another source.
rm -f {{name}}.wasm
# Not a WASI target: this one imports nothing but what the source uses of the contract.
cargo build --release --target wasm32-unknown-unknown
module=${CARGO_TARGET_DIR:-target}/wasm32-unknown-unknown/release/backend.wasm
cargo run --quiet --package componentize -- "$module" {{name}}.wasm
ls -l {{name}}.wasm

#!/bin/sh
# Builds {{name}}.wasm of all sources here. Needs Debian's clang-{{clang}}, lld-{{clang}}, wasi-libc and
# libclang-rt-{{clang}}-dev-wasm32, and Python with venv for wasm-tools.
set -eu
cd "$(dirname "$0")"
# Whoever tries what a failed build has left tries another source.
rm -f {{name}}.wasm
. ./tools.sh
if [ wit/backend.wit -nt bindings/backend.h ]; then
    echo "bindings/ is older than wit/backend.wit: run drivebay bindings --language c" >&2
    exit 1
fi
mkdir -p .tools/built
compile() { clang-{{clang}} --target=wasm32-wasi -std=c17 -Oz -flto "$@"; }
# Generated: its warnings are nobody's to mend.
compile -w -c bindings/backend.c -o .tools/built/bindings.o
set --
for source in *.c; do
    case $source in
    test_*) ;;
    *) set -- "$@" "$source" ;;
    esac
done
# A reactor has no main, and imports nothing of WASI as long as nobody uses stdio.
compile -Wall -Wextra -Werror -mexec-model=reactor -Wl,--strip-all "$@" \
    .tools/built/bindings.o bindings/backend_component_type.o -o .tools/built/core.wasm
wasm-tools component new .tools/built/core.wasm --output {{name}}.wasm
ls -l {{name}}.wasm

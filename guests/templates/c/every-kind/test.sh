#!/bin/sh
# Tests what does not call the host, on this machine.
set -eu
cd "$(dirname "$0")"
mkdir -p .tools/built
# All but what needs the bindings.
tested=$(grep -L '"text.h"\|"bindings/' -- *.c | grep -v '^test_')
for test in test_*.c; do
    clang-{{clang}} -std=c17 -Wall -Wextra -Werror -fuse-ld=lld "$test" $tested -o .tools/built/test
    .tools/built/test
done

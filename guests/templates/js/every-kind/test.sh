#!/bin/sh
# Tests what does not import the host, against fakes.
set -eu
cd "$(dirname "$0")"
exec node --test test/

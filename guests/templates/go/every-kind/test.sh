#!/bin/sh
# Tests what does not call the host, against fakes.
set -eu
cd "$(dirname "$0")"
exec go test ./condition/... ./volumes/...

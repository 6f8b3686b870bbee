#!/bin/sh
# Tests it natively, against the SDK's fake of the host.
set -eu
cd "$(dirname "$0")"
exec cargo test

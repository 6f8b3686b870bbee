#!/bin/sh
# Tests what does not call the host, against fakes.
set -eu
cd "$(dirname "$0")"
. ./tools.sh
export PYTHONPATH=.tools/bindings:. PYTHONDONTWRITEBYTECODE=1
exec python3 -m unittest discover tests

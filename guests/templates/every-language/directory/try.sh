#!/bin/sh
# Makes a volume of {{name}}.wasm, mounts it, writes to it and removes it: what Kubernetes would have done, by hand. It
# all lies in try/, and in a mount namespace that ends with this script. Root is not needed where users may have one.
set -eu
cd "$(dirname "$0")"
case ${1:-} in
in-namespace) ;;
*)
    [ "$(id -u)" = 0 ] || set -- --user --map-root-user
    exec unshare --mount "$@" sh ./try.sh in-namespace
    ;;
esac

umask 022
rm -rf try
mkdir -p try/etc/drivers.d try/pool
export DRIVEBAY_CONFIG_DIR="$PWD/try/etc" DRIVEBAY_STATE_DIR="$PWD/try/state"
export DRIVEBAY_RUN_DIR="$PWD/try/run" DRIVEBAY_LOG_DIR="$PWD/try/log"
sed "s|/srv/{{name}}|$PWD/try/pool|" {{name}}.toml >try/etc/drivers.d/{{name}}.toml

set -x
drivebay install {{name}}.wasm
drivebay check
drivebay run {{name}} create-volume --name music --parameter mode=0770
drivebay run {{name}} publish-volume music --path "$PWD/try/pod"
echo hello >try/pod/greeting
grep hello try/pool/music/greeting
drivebay run {{name}} get-health music
drivebay run {{name}} unpublish-volume --path "$PWD/try/pod"
drivebay run {{name}} delete-volume music
test ! -e try/pool/music

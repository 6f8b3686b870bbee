#!/bin/sh
# Formats and mounts a disk by {{name}}.wasm, writes to it and unmounts it: what Kubernetes would have done, by hand. The
# disk is a file in try/ behind a loop device, whose serial number is the file's name. Mounts end with this script.
set -eu
cd "$(dirname "$0")"
case ${1:-} in
in-namespace) ;;
*) exec unshare --mount sh ./try.sh in-namespace ;;
esac

umask 022
rm -rf try
mkdir -p try/etc/drivers.d
export DRIVEBAY_CONFIG_DIR="$PWD/try/etc" DRIVEBAY_STATE_DIR="$PWD/try/state"
export DRIVEBAY_RUN_DIR="$PWD/try/run" DRIVEBAY_LOG_DIR="$PWD/try/log"
sed 's|"virtio-\*"|"loop-*"|' {{name}}.toml >try/etc/drivers.d/{{name}}.toml
truncate -s 64M try/music-{{name}}
disk=$(losetup --find --show try/music-{{name}})
trap 'losetup --detach "$disk"' EXIT

set -x
drivebay install {{name}}.wasm
drivebay check
drivebay run {{name}} publish-volume music --parameter serial=music-{{name}} --path "$PWD/try/pod" --fs-type ext4
echo hello >try/pod/greeting
grep ext4 /proc/self/mountinfo | grep try/pod
drivebay run {{name}} get-health music --parameter serial=music-{{name}}
drivebay run {{name}} unpublish-volume --path "$PWD/try/pod"

#!/bin/bash
# What drivers look like without Drivebay: bash, jq for each option, findmnt to see what is there. Written
# for this comparison after the shape of the well-known NFS example; it binds a directory where that one
# mounts a share, so that both sides do the same work on any kernel.

fail() {
  echo "{\"status\": \"Failure\", \"message\": \"$1\"}"
  exit 1
}

is_mounted() {
  [ "$(findmnt -n "$1" 2>/dev/null | cut -d' ' -f1)" = "$1" ]
}

do_mount() {
  local target=$1 pool volume
  pool=$(echo "$2" | jq -r '.pool')
  volume=$(echo "$2" | jq -r '.volume')
  if is_mounted "$target"; then
    echo '{"status": "Success"}'
    exit 0
  fi
  mkdir -p "$target" &>/dev/null
  mount --bind "$pool/$volume" "$target" &>/dev/null || fail "cannot mount $pool/$volume at $target"
  echo '{"status": "Success"}'
}

do_unmount() {
  if is_mounted "$1"; then
    umount "$1" &>/dev/null || fail "cannot unmount $1"
  fi
  echo '{"status": "Success"}'
}

command -v jq >/dev/null 2>&1 || fail "jq is missing"

case "$1" in
  init) echo '{"status": "Success", "capabilities": {"attach": false}}' ;;
  mount) do_mount "$2" "$3" ;;
  unmount) do_unmount "$2" ;;
  *) echo '{"status": "Not supported"}' ;;
esac

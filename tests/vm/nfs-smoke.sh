# The server of nfs-server.sh serves this kernel's client: each version, over IPv4 and IPv6, seeing each
# other's writes. Run it by `cargo xtask vm -- sh tests/vm/nfs-smoke.sh`.
set -eu
. "$(dirname "$0")/nfs-server.sh"
nfs_start

tried=0
for version in 3 4.0 4.1 4.2; do
    for address in 127.0.0.1 '[::1]'; do
        mount -t nfs -o "vers=$version" "$address:/two words" /mnt
        echo "$version $address" >"/mnt/written by $version over $address"
        grep -Fqx "$version $address" "$nfs_export/two words/written by $version over $address"
        umount /mnt
        tried=$((tried + 1))
    done
done

mkdir -p /mnt/3 /mnt/4
mount -t nfs -o vers=3 "127.0.0.1:/alpha" /mnt/3
mount -t nfs -o vers=4.2 "127.0.0.1:/alpha" /mnt/4
echo shared >/mnt/3/file
grep -Fqx shared /mnt/4/file
flock /mnt/3/file true
umount /mnt/3 /mnt/4
nfs_stop
echo "nfs-smoke: $tried mounts and a shared file worked"

# A real NFS server: the kernel's, on an ext4 filesystem of its own, over IPv4 and IPv6, v3 and v4.x.
#
#   . tests/vm/nfs-server.sh; nfs_start [DIRECTORY]; …; nfs_stop
#   sh tests/vm/nfs-server.sh COMMAND ARGS…      starts it, runs the command, stops it
#
# DIRECTORY (/srv/nfs by default) is the server's root: clients of any version mount SERVER:/alpha, SERVER:/beta
# and SERVER:/two words, and root may write. For the VM; it needs its kernel.

nfs_start() {
    nfs_export=${1:-/srv/nfs}
    modprobe -a loop ext4 nfsd nfs nfsv3 nfsv4 || return
    mkdir -p "$nfs_export" /run/rpc_pipefs
    truncate -s 256M /run/nfs-export.img
    # No lazy initialisation: its writes in the background would disturb whatever is timed.
    mkfs.ext4 -q -E lazy_itable_init=0,lazy_journal_init=0 /run/nfs-export.img || return
    mount -o loop /run/nfs-export.img "$nfs_export" || return
    mkdir "$nfs_export/alpha" "$nfs_export/beta" "$nfs_export/two words"
    chmod 777 "$nfs_export/"*

    mountpoint -q /run/rpc_pipefs || mount -t rpc_pipefs rpc_pipefs /run/rpc_pipefs
    mountpoint -q /proc/fs/nfsd || mount -t nfsd nfsd /proc/fs/nfsd
    # rpcbind gives up root for a user that installing it, rather than unpacking, would have made.
    getent passwd _rpc >/dev/null || echo '_rpc:x:990:65534::/run/rpcbind:/usr/sbin/nologin' >>/etc/passwd
    rpcbind || return
    # Locks over v3 want it on both sides, which here are one machine.
    rpc.statd --no-notify || return
    # With fsid=0 alone, v4 paths would start below what v3 paths name.
    printf '[exports]\nrootdir=%s\n' "$nfs_export" >/etc/nfs.conf
    echo '/ *(rw,fsid=0,no_root_squash,no_subtree_check,insecure)' >/etc/exports
    exportfs -r || return
    # The shortest there are: how long a killed client's state outlives it, and the time of grace in which a
    # new server gives no new locks, not even to those who open a file, while there is nothing to reclaim.
    echo 10 >/proc/fs/nfsd/nfsv4leasetime
    echo 10 >/proc/fs/nfsd/nfsv4gracetime
    echo 3 >/proc/sys/fs/nfs/nlm_timeout
    echo 3 >/proc/sys/fs/nfs/nlm_grace_period
    rpc.nfsd --tcp --udp -V 3 -V 4 4 || return
    echo Y >/proc/fs/nfsd/v4_end_grace
    rpc.mountd --num-threads 2 || return
    nfs_await || return
    # lockd's grace has no such switch.
    sleep 3
}

# Both halves answer before anyone mounts; emulation makes the moment between them long.
nfs_await() {
    for attempt in $(seq 100); do
        rpcinfo -t 127.0.0.1 nfs 3 >/dev/null 2>&1 && rpcinfo -t 127.0.0.1 mountd 3 >/dev/null 2>&1 && return
        sleep 0.1
    done
    echo "the NFS server does not answer" >&2
    return 1
}

# Ends the server, for good or, in a test, while clients still hold its mounts.
nfs_stop() {
    exportfs -ua
    rpc.nfsd 0
    nfs_kill rpc.mountd rpc.statd rpcbind
    umount /proc/fs/nfsd
    umount "$nfs_export" && rm -f /run/nfs-export.img
}

nfs_kill() {
    for name; do
        pid=$(pidof "$name") && kill $pid
    done
}

case ${0##*/} in nfs-server.sh)
    nfs_start && "$@"
    code=$?
    nfs_stop
    exit $code
    ;;
esac

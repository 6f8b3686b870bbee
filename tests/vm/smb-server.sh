# A real SMB server: Samba's, on the loopback device, with one share and one user.
#
#   . tests/vm/smb-server.sh; smb_start DIRECTORY USER PASSWORD
#
# DIRECTORY is the share `data`, which only USER gets. For the VM; it ends with it.

smb_start() {
    smb_state=/run/samba-test
    mkdir -p "$1" "$smb_state" /var/log/samba
    # Unpacked and never installed, so that nobody has made the directories that the package would have.
    for directory in private state cache lock pid ncalrpc; do mkdir -p "$smb_state/$directory"; done
    getent passwd "$2" >/dev/null || echo "$2:x:1777:65534::/nonexistent:/usr/sbin/nologin" >>/etc/passwd
    chown "$2" "$1"
    cat >"$smb_state/smb.conf" <<CONF
[global]
server role = standalone server
map to guest = never
disable netbios = yes
smb ports = 445
interfaces = lo
bind interfaces only = yes
load printers = no
log file = $smb_state/log
private dir = $smb_state/private
state directory = $smb_state/state
cache directory = $smb_state/cache
lock directory = $smb_state/lock
pid directory = $smb_state/pid
ncalrpc dir = $smb_state/ncalrpc
[data]
path = $1
valid users = $2
read only = no
CONF
    printf '%s\n%s\n' "$3" "$3" | smbpasswd -c "$smb_state/smb.conf" -s -a "$2" || return
    modprobe cifs || return
    smbd --configfile="$smb_state/smb.conf" --daemon || return
    for attempt in $(seq 100); do
        grep -q ':01BD .* 0A ' /proc/net/tcp /proc/net/tcp6 && return
        sleep 0.1
    done
    echo "the SMB server does not answer" >&2
    return 1
}

# Second in the VM, as its process 1: what an init would do for one command, then the command, then the end.
#
# The command's output goes through `cat`, because the port it leaves by can be opened only once and
# programs do open /dev/stderr again.
run=$1
b=/usr/bin/busybox
export HOME=/root
. "$run/settings"

$b mount -t sysfs sys /sys
$b mount -t cgroup2 cgroup2 /sys/fs/cgroup
$b mount -t tmpfs -o mode=755 run /run
$b mkdir -p /dev/pts /dev/shm /dev/virtio-ports /run/lock
$b mount -t devpts -o ptmxmode=666 devpts /dev/pts
$b mount -t tmpfs -o mode=1777 shm /dev/shm
for link in fd:/proc/self/fd stdin:/proc/self/fd/0 stdout:/proc/self/fd/1 stderr:/proc/self/fd/2; do
    $b ln -sf "${link#*:}" "/dev/${link%%:*}"
done
# As udev would name them; it does not run unless a test starts it.
for port in /sys/class/virtio-ports/*; do
    $b ln -s "../${port##*/}" "/dev/virtio-ports/$(cat "$port/name")"
done
$b ip link set lo up
$b hostname vm
printf '127.0.0.1 localhost vm\n::1 localhost ip6-localhost\n' >/etc/hosts

$b mkfifo /run/output
$b cat </run/output >/dev/virtio-ports/output &
cat=$!
/bin/sh "$run/command.sh" </dev/null >/run/output 2>&1
echo $? >"$run/exit-code"

# The output ends when nothing holds it any more; what the command left running may hold it for ever.
{ $b sleep 2; kill $cat; } >/dev/null 2>&1 &
wait $cat
$b sync
$b poweroff -f

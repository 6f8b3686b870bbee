# The first process of the cluster's namespaces, which lays them out and then holds them: when it ends, all ends.
# first.sh TOP NODE-ADDRESS... : TOP is target/cluster; each address is this node's own.
set -eu
top=$1
shift
run=$top/run

mount --make-rshared /
hostname node-1
ip link set lo up
for address in "$@"; do
	ip address add "$address/32" dev lo
done

# What programs expect at their usual places is written beside the machine's own, and forgotten. The cluster's own
# directory stays where it is, also in a checkout beneath one of these.
mount -t tmpfs -o mode=755 run /run
mkdir /run/top
mount --bind "$top" /run/top
for directory in etc opt usr var; do
	mkdir -p "/run/overlay/$directory/upper" "/run/overlay/$directory/work"
	options=lowerdir=/$directory,upperdir=/run/overlay/$directory/upper,workdir=/run/overlay/$directory/work
	mount -t overlay -o "$options" overlay "/$directory"
done
mount --bind /run/top "$top"

# On a disk of the machine's, as containers' images and volumes' directories are no matter of memory. kubelet's is a peer
# group of its own, or whoever has both it and the machine's root would see each mount twice.
mkdir -p /var/lib/kubelet /var/lib/drivebay
mount --bind "$run/kubelet" /var/lib/kubelet
mount --make-private /var/lib/kubelet
mount --make-shared /var/lib/kubelet
mount --bind "$run/drivebay" /var/lib/drivebay

# kubelet sets these for the whole machine, unless it finds them as it wants them.
for setting in vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1 \
	kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000; do
	file=$run/sysctl/${setting%=*}
	mkdir -p "${file%/*}"
	echo "${setting#*=}" > "$file"
	mount --bind "$file" "/proc/sys/${setting%=*}"
done

echo ready
exec > /dev/null
# It also buries what its children leave behind.
while :; do
	sleep 3600 &
	wait
done

#!/bin/busybox sh
# First in the VM, from its initramfs: puts a root together and hands over to boot.sh in it.
#
# The root is this machine's own, read-only, with the VM's packages in front of it and a tmpfs above both:
# whatever a test writes, also in /etc or /var/lib, ends with the VM. Only the share is real.
b=/bin/busybox
. /settings
$b mount -t proc proc /proc
$b mount -t devtmpfs dev /dev
while read -r module; do $b insmod "/modules/$module"; done </modules/order

nine() { $b mount -t 9p -o "trans=virtio,version=9p2000.L,msize=512000,access=any,$3" "$1" "$2"; }
# Nothing changes under a VM but what is in the share, so the rest may be cached for good.
nine host /host ro,cache=loose
nine packages /packages ro,cache=loose
$b mount -t tmpfs -o mode=755,size=80% written /written
$b mkdir /written/upper /written/work
$b mount -t overlay -o lowerdir=/packages:/host,upperdir=/written/upper,workdir=/written/work root /root
$b mkdir -p "/root$share"
# Not `loose`, so that the machine outside and the VM see each other's writes; `mmap` for programs' sake.
nine share "/root$share" cache=mmap
# What is shipped is started hundreds of times: from there it would be fetched each time, from here once.
for shipped in bin guests; do
    if [ -d "/host$share/dist/$shipped" ]; then
        $b mount --bind "/host$share/dist/$shipped" "/root$share/dist/$shipped"
    fi
done

for filesystem in proc dev; do $b mount --move /$filesystem /root/$filesystem; done
exec $b switch_root /root /bin/sh "$run/boot.sh" "$run"

# takes: 40
# Space in a file on a compressing btrfs is there when that file system is full: the snapshot stays whole. And what lies on btrfs
# itself is not dumped, which is said before anything is made.
. lib.sh

mkdir -p space dumps /var/lib/hyperlayer/snapshots
truncate -s 200m /scratch/tight.pv
vgcreate -q -q -y tight "$(losetup --find --show /scratch/tight.pv)"
lvcreate -q -q -y -L 120m -n other tight
lvcreate -q -q -y -L 64m -n data tight
mkfs.btrfs -q /dev/tight/other
write_pattern tight/data 0 64m before
remember tight
truncate -s 256m /scratch/space.btrfs
mkfs.btrfs -q /scratch/space.btrfs
mount -o loop,compress-force=zstd /scratch/space.btrfs space

# Of zeros, which are compressed to next to nothing, or of blocks that are written to a new place each time, nothing is reserved.
expect_exit 0 lvsnap create tight/data snap --size 48m --tmp-file "$PWD/space/snap.img"
expected=$(sha256sum </dev/tight/snap)
! dd if=/dev/urandom of=space/fill bs=1M status=none
! dd if=/dev/urandom of=space/rest bs=4k oflag=dsync status=none
sync -f space
write_pattern tight/data 0 40m after
sync
[ "$(sha256sum </dev/tight/snap)" = "$expected" ]
dmsetup status tight-snap | grep -E 'snapshot [0-9]+/[0-9]+ '
expect_exit 0 lvsnap remove tight/snap
[ -z "$(ls -I fill -I rest space)" ]
no_leftovers tight

expect_exit 3 lvsnap dump tight/other dumps --size 8m --zone UTC --daily-max 1 --weekly-max 1
stderr_has btrfs lvsnap
[ -z "$(ls -A dumps)" ]
no_leftovers tight

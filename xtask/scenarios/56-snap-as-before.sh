# The examples of the script that came before, as they stand in its description: only the program's name is another. And two runs
# at once.
. lib.sh

mkdir -p /media/other-partition mnt
truncate -s 5g /scratch/other
mkfs.ext4 -q /scratch/other
mount -o loop /scratch/other /media/other-partition
truncate -s 64m /scratch/tight.pv
vgcreate -q -q -y my_lvm_vg "$(losetup --find --show /scratch/tight.pv)"
lvcreate -q -q -y -l 100%FREE -n system my_lvm_vg
mkfs.ext4 -q /dev/my_lvm_vg/system
mount /dev/my_lvm_vg/system mnt
echo content >mnt/file
remember my_lvm_vg

expect_exit 0 \
lvsnap --source-lvm-vg my_lvm_vg --source-lvm-lv system --lvm-snapshot-name snap1 \
    --mountpoint  /media/system_snapshot \
    --lvm-snapshot-tmp-file /media/other-partition/1.tmp --use-fallocate --loop-device /dev/loop5
rm mnt/file
[ "$(cat /media/system_snapshot/file)" = content ]
[ "$(losetup --list --noheadings --output BACK-FILE /dev/loop5)" = /media/other-partition/1.tmp ]
expect_exit 0 \
lvsnap --source-lvm-vg my_lvm_vg --source-lvm-lv system --lvm-snapshot-name snap1 \
    --mountpoint  /media/system_snapshot \
    --lvm-snapshot-tmp-file /media/other-partition/1.tmp --use-fallocate --loop-device /dev/loop5 \
    --remove-mountpoint
[ ! -e /media/system_snapshot ]
[ -z "$(ls /media/other-partition | grep -v lost+found)" ]
no_leftovers my_lvm_vg

# With the action that the script asked for, and without --remove-mountpoint.
script="lvsnap --source-lvm-vg my_lvm_vg --source-lvm-lv system --lvm-snapshot-name snap1 --mountpoint /media/system_snapshot
    --lvm-volume-size-mb 16 --lvm-snapshot-tmp-file /media/other-partition/1.tmp --use-fallocate"
expect_exit 0 $script snapshot-mount
expect_exit 1 $script snapshot-mount
expect_exit 0 $script snapshot-unmount
rmdir /media/system_snapshot
no_leftovers my_lvm_vg

# The other script, that dumps.
expect_exit 0 lvsnap --backup-dest-dir /scratch/dumps --source-lvm-volume-group my_lvm_vg --source-lvm-logical-volume system \
    --lvm-snapshot-tmp-file-dir /media/other-partition --tmp-dir-is-local --snapshot-volume-size-mb 16 \
    --daily-backup-max-count 7 --weekly-backup-max-count 4 --compression-level 1
ls /scratch/dumps/my_lvm_vg-system-dumps | grep -E '^my_lvm_vg-system-dump-(weekly|daily)-20..-..-.._..-..-..\.fsa$'
no_leftovers my_lvm_vg

# Of two at once with one name one is refused, or waits for nothing; with two names both are made.
two() {
    local status=0
    lvsnap create my_lvm_vg/system "$1" --size 8m --tmp-file "/media/other-partition/$1-$3" &
    lvsnap create my_lvm_vg/system "$2" --size 8m --tmp-file "/media/other-partition/$2-$4" || status=$?
    wait $! && [ $status = 0 ]
}
if two same same 1 2; then fail 'both were made'; fi
[ "$(lvsnap list | grep -c ' made')" = 1 ]
expect_exit 0 lvsnap remove my_lvm_vg/same
two one other 1 2
expect_exit 0 lvsnap remove my_lvm_vg/one
expect_exit 0 lvsnap remove my_lvm_vg/other
[ -z "$(ls /media/other-partition | grep -v lost+found)" ]
no_leftovers my_lvm_vg
umount mnt /media/other-partition

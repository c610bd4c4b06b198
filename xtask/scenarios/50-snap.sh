# Snapshots of a group without free space: made in a file, mounted, listed, and all of it removed; what was there stays.
. lib.sh

mkdir -p mnt /var/lib/hyperlayer/snapshots
# make_full VG KIND SIZE: a group that is one volume, mounted, and written to.
make_full() {
    local vg=$1 kind=$2
    truncate -s "$3" "/scratch/$vg.pv"
    vgcreate -q -q -y "$vg" "$(losetup --find --show ${LOOP_OPTIONS[@]+"${LOOP_OPTIONS[@]}"} "/scratch/$vg.pv")"
    lvcreate -q -q -y -l 100%FREE -n data "$vg"
    mkfs.$kind -q "/dev/$vg/data"
    mkdir "mnt/$vg"
    mount "/dev/$vg/data" "mnt/$vg"
    head -c 8M /dev/urandom >"mnt/$vg/before"
    sync -f "mnt/$vg"
    while :; do
        date >>"mnt/$vg/log"
        sync -f "mnt/$vg"
        sleep 0.5
    done &
    writer=$!
    remember "$vg"
}
# All that a snapshot is made of, whoever has it.
reality() {
    losetup --list --noheadings --output BACK-FILE | sort
    pvs --noheadings -o pv_name,vg_name | sort
    findmnt -rn -o TARGET,SOURCE | sort
    # The variant with a devices file has one entry for each device of a group.
    grep -s -o 'IDNAME=[^ ]*' /etc/lvm/devices/system.devices | sort || true
    ls -A /scratch /var/lib/hyperlayer/snapshots mnt 2>/dev/null || true
}

make_full tight ext4 128m
reality >before
expect_exit 2 lvsnap create tight/data snap
stderr_has '--size 4g' lvsnap
expect_exit 4 lvsnap create tight/data snap --size 16m
reality | diff before -
no_leftovers tight
expect_exit 0 lvsnap create tight/data snap --size 16m --tmp-file /scratch/space.img --mount "$PWD/mnt/snap"
stderr_has 'mounted at' lvsnap
# What comes after it is not in it.
echo after >mnt/tight/after
rm mnt/tight/before
sync -f mnt/tight
[ "$(ls mnt/snap | grep -vE "lost|log")" = before ]
[ "$(stat -c %s mnt/snap/before)" = 8388608 ]
lvsnap list
lvsnap list | grep -E '^tight/snap +data +classic +16.0 MiB +[0-9]+% +2.* made +/'
lvsnap list --json | grep -F '"state":"made"'
# What is taken stays whose it is.
reality >with
expect_exit 1 lvsnap create tight/data snap --size 16m --tmp-file /scratch/other.img
expect_exit 2 lvsnap create tight/data data --size 16m --tmp-file /scratch/other.img
expect_exit 1 lvsnap create tight/data other --size 16m --tmp-file /scratch/space.img
expect_exit 1 lvsnap remove tight/data
expect_exit 0 lvsnap umount tight/snap
[ ! -e mnt/snap ]
expect_exit 0 lvsnap mount tight/snap "$PWD/mnt/snap"
reality | diff with -
expect_exit 0 lvsnap recover
# As after a boot: nothing of it is active, and the loop device is gone.
kill $writer
wait $writer || true
umount mnt/snap mnt/tight
vgchange -q -q -an tight
losetup -d "$(losetup --list --noheadings --output NAME,BACK-FILE | awk '$2 == "/scratch/space.img" { print $1 }')"
expect_exit 5 lvsnap recover
stderr_has 'attach `/scratch/space.img`' lvsnap
expect_exit 0 lvsnap recover --yes
mount /dev/tight/data mnt/tight
[ -e mnt/snap/before ]
expect_exit 0 lvsnap remove tight/snap
reality | diff before -
no_leftovers tight
umount mnt/tight

# XFS knows file systems by their ids, and is mounted beside its origin all the same; it takes no less than 300 MiB.
make_full xfs xfs 320m
reality >before
expect_exit 0 lvsnap create xfs/data snap --size 16m --tmp-dir /scratch --allocate write --mount "$PWD/mnt/snap"
cmp mnt/xfs/before mnt/snap/before
mv mnt/xfs/before mnt/xfs/after
[ -e mnt/snap/before ]
expect_exit 0 lvsnap remove xfs/snap
kill $writer
wait $writer || true
reality | diff before -
no_leftovers xfs
umount mnt/xfs

# Of a thin volume, without anything else; and what is thin can be classic as well.
make_pool src pool 96m 64k
make_volume src/pool data 32m
mkfs.ext4 -q /dev/src/data
remember src
expect_exit 0 lvsnap create src/data thin
[[ $(property src/thin lv_attr) == Vri-* ]]
expect_exit 0 lvsnap mount src/thin "$PWD/mnt/thin"
expect_exit 0 lvsnap create src/data classic --size 8m --writable
[[ $(property src/classic lv_attr) == swi-a* ]]
[ "$(lvsnap list | grep -c made)" = 2 ]
# Two groups of one name and an exported one elsewhere on the host: they are named, and the others listed.
group_on() {
    truncate -s 16m "$2"
    device=$(losetup --find --show "$2")
    vgcreate -q -q -y "$1" "$device"
}
group_on exported /scratch/exported.pv
vgexport -q -q exported
exported=$device
group_on twice /scratch/first.pv
losetup -d "$device"
udevadm settle
group_on twice /scratch/second.pv
second=$device
first=$(losetup --find --show /scratch/first.pv)
expect_exit 0 lvsnap list >listed
[ "$(grep -c made listed)" = 2 ]
stderr_has 'the volumes of group `twice`' lvsnap
stderr_has 'the volumes of group `exported`' lvsnap
expect_exit 0 lvbackup recv --list-partial
stderr_has 'the volumes of group `twice`' lvbackup
stderr_has 'the volumes of group `exported`' lvbackup
losetup -d "$first" "$second" "$exported"
# The records are gone, and the tags are not.
rm -r /var/lib/hyperlayer/snapshots
lvsnap list --json | grep -c '"recorded":false'
expect_exit 0 lvsnap remove src/classic
umount mnt/thin
rmdir mnt/thin
expect_exit 0 lvsnap remove src/thin
no_leftovers src

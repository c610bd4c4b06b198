# takes: 20
# The power is cut while a snapshot lies in a temporary file, while one is made, and while one is removed: after the boot the group
# misses a physical volume, and `lvsnap recover` gives the snapshot back, or the group as it was.
. lib.sh

[ "$BOOT" -gt 1 ] || mkfs.ext4 -q "$DISK2"
mkdir keep
mount "$DISK2" keep
mkdir -p keep/hyperlayer keep/mnt /var/lib/hyperlayer
mount --bind keep/hyperlayer /var/lib/hyperlayer

# The group's own disk, which is there from the beginning of each boot, and has what was written to it.
disk() {
    losetup --find --show --direct-io=on "$PWD/keep/tight.pv"
    vgchange -q -q -ay tight || echo 'the group misses something'
}
make="lvsnap -q create tight/data snap --size 16m --tmp-file $PWD/keep/space.img --mount $PWD/keep/mnt/snap"
# stopped_at NUMBER COMMAND...: until its NUMBERth change of a record.
stopped_at() {
    local number=$1
    shift
    strace -qq -o trace -e trace=rename -e inject=rename:signal=STOP:when=$number -- "$@" &
    within 60 grep -F 'stopped by SIGSTOP' trace
}
listed() {
    lvsnap list | tee list
    grep -E "$1" list
}
# The group, its origin's content and all files are as they were.
as_before() {
    cp keep/tight.state .
    mount /dev/tight/data /mnt
    cmp keep/content /mnt/content
    umount /mnt
    no_leftovers tight
    [ "$(ls keep/hyperlayer/snapshots keep/mnt)" = "$(printf 'keep/hyperlayer/snapshots:\n\nkeep/mnt:')" ]
    [ ! -e keep/space.img ]
    [ "$(pvs --noheadings -o pv_name -S vg_name=tight | wc -l)" = 1 ]
    [ "$(losetup --list --noheadings | grep -c space.img)" = 0 ]
}

case $BOOT in
1)
    truncate -s 64m keep/tight.pv
    vgcreate -q -q -y tight "$(losetup --find --show --direct-io=on "$PWD/keep/tight.pv")"
    lvcreate -q -q -y -l 100%FREE -n data tight
    mkfs.ext4 -q /dev/tight/data
    head -c 4M /dev/urandom >keep/content
    mount /dev/tight/data /mnt
    cp keep/content /mnt/content
    umount /mnt
    remember tight
    cp tight.state keep
    sync -f keep
    $make
    power_cut
    ;;
2)
    disk
    [ ! -e /dev/tight/snap ]
    listed '^tight/snap .* inactive'
    # The file system of the space is not mounted yet, though LVM and the records are there: nothing is lost.
    mount --bind /scratch keep
    expect_exit 4 lvsnap recover --yes
    stderr_has 'is not mounted at' lvsnap
    expect_exit 4 lvsnap remove tight/snap
    listed '^tight/snap .* inactive'
    umount keep
    expect_exit 5 lvsnap recover
    expect_exit 0 lvsnap recover --yes
    cmp keep/content keep/mnt/snap/content
    listed '^tight/snap .* made '
    stopped_at 4 lvsnap remove tight/snap
    power_cut
    ;;
3)
    disk
    listed '^tight/snap .* unfinished'
    expect_exit 0 lvsnap recover --yes
    vgchange -q -q -ay tight
    as_before
    # The group has the physical volume already.
    stopped_at 10 $make
    power_cut
    ;;
4)
    disk
    expect_exit 5 lvsnap recover
    expect_exit 0 lvsnap recover --yes
    vgchange -q -q -ay tight
    as_before
    $make
    power_cut
    ;;
5)
    # The file is lost: nobody can have the snapshot back, and the group is whole again without it.
    rm keep/space.img
    disk
    listed '^tight/snap .* lost'
    expect_exit 5 lvsnap recover
    expect_exit 0 lvsnap recover --yes
    vgchange -q -q -ay tight
    as_before
    # The group's disk lies on it.
    vgchange -q -q -an tight
    losetup -D
    umount /var/lib/hyperlayer keep
    ;;
esac

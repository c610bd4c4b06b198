# Kills lvsnap at records of its journal: `. killed.sh`, after `. lib.sh`. It makes the group and what is snapshotted there.
#
#   makings_killed NUMBER...        at these changes of the record while a snapshot is made; fails where there are fewer
#   removings_killed NUMBER...      while it is removed
#
# After each `lvsnap recover --yes` brings everything back to the last file. Of two records around a step the second one matters:
# the step is done, and only that it was begun is recorded.

mkdir mnt
truncate -s 64m /scratch/tight.pv
vgcreate -q -q -y tight "$(losetup --find --show /scratch/tight.pv)"
lvcreate -q -q -y -l 100%FREE -n data tight
mkfs.ext4 -q /dev/tight/data
remember tight
reality() {
    losetup --list --noheadings --output BACK-FILE | sort
    pvs --noheadings -o pv_name,vg_name | sort
    findmnt -rn -o TARGET,SOURCE | sort
    ls -A /scratch /var/lib/hyperlayer/snapshots mnt 2>/dev/null || true
}
mkdir -p /var/lib/hyperlayer/snapshots
reality >before
make="lvsnap -q create tight/data snap --size 8m --tmp-file /scratch/space.img --mount $PWD/mnt/snap"

# killed_at NUMBER COMMAND...: at its NUMBERth change of a record. Fails where it has fewer.
killed_at() {
    local number=$1 status=0
    shift
    # The kernel's own count of its renames: each record is written beside and renamed.
    strace -qq -o trace -e trace=rename -e inject=rename:signal=KILL:when=$number "$@" || status=$?
    [ $status = 137 ]
}


makings_killed() {
    local n
    for n; do
        killed_at "$n" $make
        echo "$SECONDS s: killed at record $n of making" >&2
        lvsnap -q recover --yes
        reality | diff before -
        no_leftovers tight
    done
}

removings_killed() {
    local n
    for n; do
        $make
        killed_at "$n" lvsnap -q remove tight/snap
        echo "$SECONDS s: killed at record $n of removing" >&2
        [ "$n" != 5 ] || expect_exit 5 lvsnap recover
        lvsnap -q recover --yes
        reality | diff before -
        no_leftovers tight
    done
}

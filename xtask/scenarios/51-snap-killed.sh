# limit: 900
# A run that is killed at each of its steps is undone by `lvsnap recover`, to the last file.
. lib.sh
trap - DEBUG

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

# Of two records around a step the second one matters: the step is done, and only that it was begun is recorded. The third is
# that of the file before it has its name.
for n in 3 {4..100..2}; do
    killed_at $n $make || break
    echo "$SECONDS s: killed at record $n of making" >&2
    lvsnap -q recover --yes
    reality | diff before -
    no_leftovers tight
done
[ $n -ge 16 ]
# Before the first one nothing is removed yet.
for n in {2..100}; do
    [ -e /scratch/space.img ] || $make
    killed_at $n lvsnap -q remove tight/snap || break
    echo "$SECONDS s: killed at record $n of removing" >&2
    [ $n != 5 ] || expect_exit 5 lvsnap recover
    lvsnap -q recover --yes
    reality | diff before -
    no_leftovers tight
done
[ $n -ge 7 ]

# limit: 600
# What stands in the way of a snapshot is shown by `lvsnap check`, and `lvsnap create` refuses it in the same words; neither
# changes anything.
. lib.sh

mkdir -p mnt/{tight,inner,above,full} /var/lib/hyperlayer/snapshots
touch mnt/full/file /scratch/taken.img
truncate -s 96m /scratch/tight.pv
vgcreate -q -q -y tight "$(losetup --find --show /scratch/tight.pv)"
lvcreate -q -q -y -L 8m -n other tight
lvcreate -q -q -y -l 100%FREE -n data tight
mkfs.ext4 -q /dev/tight/data
mount /dev/tight/data mnt/tight
# A file system in a file on the origin, and one on a device above another volume, as encryption is.
truncate -s 16m mnt/tight/inner.img
mkfs.ext4 -q mnt/tight/inner.img
mount -o loop mnt/tight/inner.img mnt/inner
dmsetup create above --table "0 16384 linear /dev/tight/other 0"
mkfs.ext4 -q /dev/mapper/above
mount /dev/mapper/above mnt/above
make_pool src pool 8m 64k
make_volume src/pool data 12m

reality() {
    losetup --list --noheadings --output NAME,BACK-FILE | sort
    findmnt -rn -o TARGET,SOURCE | sort
    dmsetup ls | sort
    ls -A /scratch /var/lib/hyperlayer/snapshots mnt mnt/* 2>/dev/null || true
}
sequence() {
    # LVM counts each change of a group.
    vgs --noheadings -o vg_name,vg_seqno | sort
}
reality >before
sequence >sequence

# refused EXIT 'CHECK...' TEXT ARGUMENTS...: these checks refuse it, the first one with this text.
refused() {
    local exit=$1 checks=$2 text=$3 check
    shift 3
    expect_exit "$exit" lvsnap check "$@" >table
    for check in $checks; do
        grep -E "^$check .* refused  " table || fail "\`$check\` refuses nothing: $(grep refused table)"
    done
    stderr_has "lvsnap: $text" lvsnap
    [ "$(grep -c '  refused  ' table)" = "$(grep -c -v 'hint: [^b]' lvsnap.stderr)" ]
    cp lvsnap.stderr said
    expect_exit "$exit" lvsnap create "$@"
    diff said lvsnap.stderr
    reality | diff before -
}
snap='tight/data snap --size 8m'
elsewhere="$snap --tmp-file /scratch/space.img"
taken=$(losetup --noheadings --output NAME --associated /scratch/tight.pv)
refused 2 size-given '`tight/data` is no thin volume' tight/data snap
refused 2 'name-not-origin file-absent mount-point-free' 'the snapshot cannot be called as its origin' \
    tight/data data --size 8m --tmp-file /scratch/taken.img --mount "$PWD/mnt/tight"
refused 1 'name-free file-elsewhere loop-device-free' 'there is a volume `tight/other` already' \
    tight/data other --size 4m --tmp-dir "$PWD/mnt/tight" --loop-device "$taken"
refused 1 'file-elsewhere file-room loop-device-kind mount-point-empty' "\`$PWD/mnt/inner/tight-snap.lvsnap\` lies on \`tight/data\`" \
    $snap --tmp-dir "$PWD/mnt/inner" --loop-device /dev/null --mount "$PWD/mnt/full"
refused 4 group-room 'group `tight` has no room' $snap
refused 1 'origin-there file-folder' 'logical volume `tight/nothing` not found' tight/nothing snap --size 8m --tmp-dir /nowhere
refused 3 file-system 'there is no file system on' src/data snap --mount "$PWD/mnt/snap"
dmsetup create tight-snap --table "0 8 error"
reality >before
refused 1 'device-free file-elsewhere' 'the device mapper has `tight-snap`' $snap --tmp-file "$PWD/mnt/above/space.img"
stderr_has 'lies on `tight/other`' lvsnap
dmsetup remove tight-snap
# A full pool.
write_pattern src/data 0 8m full
reality >before
refused 4 'pool-(data|health)' 'pool `src/pool`' src/data snap
# What lvm.conf says of the group. Of one that is read-only there, LVM would turn the origin read-only as well, mounted or not.
cp /etc/lvm/lvmlocal.conf kept
(
    # The scenario's own commands get the variant's settings again afterwards.
    lvm_settings activation 'read_only_volume_list=["tight"]'
    refused 4 group-activation 'lvm.conf keeps the volumes of group `tight` read-only' $elsewhere
)
cp kept /etc/lvm/lvmlocal.conf
# Nobody but root.
expect_exit 4 setpriv --reuid 65534 "$(type -p lvsnap)" check $elsewhere >table
grep -E '^root .* refused  ' table
grep -E '^origin-there .* not looked at  ' table
expect_exit 4 setpriv --reuid 65534 "$(type -p lvsnap)" create $elsewhere
sequence | diff sequence -

# Nothing stands in the way; without a name, of the one that a dump takes.
expect_exit 0 lvsnap check tight/data --size 8m --tmp-dir /scratch >table
grep '^name-free  *tight/data_snapshot ' table
expect_exit 0 lvsnap check $elsewhere --mount "$PWD/mnt/snap" >table
cat table
if grep '  refused  ' table; then fail 'something is refused'; fi
grep -E '^mount-options .* ok +ro,noload$' table
grep -E '^snapshot-made .* when it is made .*`volume`' table
reality | diff before -
sequence | diff sequence -
# The journal lies on what is frozen: it is written before and after.
mount --bind mnt/above /var/lib/hyperlayer
expect_exit 0 timeout 120 lvsnap create tight/other frozen --size 4m --tmp-file /scratch/frozen.img --freeze
expect_exit 0 lvsnap remove tight/frozen
umount /var/lib/hyperlayer
expect_exit 0 lvsnap create $elsewhere --mount "$PWD/mnt/snap"
# Now it is one that is there: what its removal looks at is shown.
expect_exit 1 lvsnap check $elsewhere --mount "$PWD/mnt/snap" >table
cat table
grep -E '^record-free .* refused  ' table
for check in mount-point-there mount-is-ours volume-is-ours physical-volume-in-group loop-is-ours file-is-ours; do
    grep -E "^$check .*  ok  " table
done
expect_exit 1 lvsnap check $elsewhere --json >lines
python3 - <<'END'
import json
checks = [json.loads(line) for line in open("lines")]
assert len({c["check"] for c in checks}) == len(checks) > 39, len(checks)
assert [c["exit"] for c in checks if c["conclusion"] == "refused"][0] == 1
END
# A physical volume that is not there.
expect_exit 0 lvsnap umount tight/snap
umount mnt/inner mnt/above mnt/tight
dmsetup remove above
vgchange -q -q -an tight
losetup -d "$(losetup --noheadings --output NAME --associated /scratch/space.img)"
expect_exit 4 lvsnap check tight/data more --size 8m --tmp-file /scratch/more.img >table
grep -E '^group-whole .* refused  .* misses 1 ' table
expect_exit 0 lvsnap recover --yes
expect_exit 0 lvsnap remove tight/snap

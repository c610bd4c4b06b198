# The disk below the destination fails while a layer is received; and no command that writes leaves anything on a full disk.
. lib.sh

make_layers 64k
make_pool dst pool 64m 64k
expect_exit 0 lvdiff --full src/one | expect_exit 0 lvpatch -g dst -p pool
expect_exit 0 lvdiff src/two src/one -o delta.hl
remember dst

data=dst-pool_tdata
good=$(dmsetup table $data)
mkfifo slow
lvpatch -g dst -l one <slow 2>lvpatch.stderr &
lvpatch=$!
exec 9>slow
head -c 500K delta.hl >&9
within 60 being_received dst
sleep 1
set -- $good
dmsetup suspend $data
dmsetup load $data --table "0 $2 error"
dmsetup resume $data
tail -c +512001 delta.hl >&9 || true
exec 9>&-
status=0
wait $lvpatch || status=$?
cat lvpatch.stderr
[ $status = 1 ]
stderr_has 'Input/output error' lvpatch

dmsetup suspend $data
dmsetup load $data --table "$good"
dmsetup resume $data
no_leftovers dst
expect_exit 0 lvpatch -g dst -l one <delta.hl
activate src/two dst/two
same src/two dst/two

# A full disk below what a command writes: it says so and names the file, and everything is as it was.
remember dst
mkdir -p full files /var/lib/hyperlayer
make_volume src/pool files 32m
mkfs.ext4 -q /dev/src/files
mount /dev/src/files files
head -c 4M /dev/urandom >files/random
sync -f files
mount -t tmpfs -o size=1m none full
at_end 'umount full files'
full_files() {
    find full /var/lib/hyperlayer -type f ! -name .lvsnap-owner.json -printf '%p %s\n' | sort
}
# no_room CODE NAME COMMAND...: the command fails for want of space, names NAME, and leaves nothing.
no_room() {
    local code=$1 name=$2
    shift 2
    full_files >full.before
    expect_exit $code "$@"
    stderr_has "${cause:-No space left on device}" "${1##*/}"
    stderr_has "$name" "${1##*/}"
    full_files | diff full.before -
    no_leftovers src
    no_leftovers dst
}
remember src
echo old >full/old
no_room 1 '`full/old`' lvdiff src/two src/one -o full/old
no_room 1 '`full/old`' lvbackup send -v src -l two -o full/old
[ "$(cat full/old)" = old ]
rm full/old
expect_exit 0 lvbackup send -v src -l two -o two.hl
no_room 4 '`full/.new.partial`' lvbackup recv -i two.hl --to-file full/new
lvbackup init full/store
no_room 4 'full/store' lvbackup backup src/files full/store
expect_exit 0 lvbackup check full/store
rm -r full/store
lvbackup init store
lvbackup backup src/files store
remember src
no_room 4 '`full/new`' lvbackup restore store --to-file full/new
no_room 4 '`full/new`' lvbackup export store --to qcow2 -o full/new
# fsarchiver itself does not notice it.
cause='as by a full disk' no_room 1 'full/src-files-dumps/.unfinished-' lvsnap dump src/files full
# The records of snapshots and of receives.
mount -t tmpfs -o size=64k none /var/lib/hyperlayer
at_end 'umount /var/lib/hyperlayer'
mkdir /var/lib/hyperlayer/{snapshots,partial}
head -c 1M /dev/zero >/var/lib/hyperlayer/filler || true
no_room 1 '`/var/lib/hyperlayer/snapshots/src-snap.json`' lvsnap create src/files snap
no_room 4 '`/var/lib/hyperlayer/partial/dst-new.json`' lvbackup recv -v dst -p pool -l new -i two.hl

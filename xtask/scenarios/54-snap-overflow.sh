# limit: 600
# A classic snapshot that fills up while it is dumped: the dump is stopped and deleted, or the snapshot is extended.
. lib.sh

mkdir -p data dumps /var/lib/hyperlayer/snapshots
truncate -s 160m /scratch/roomy.pv
vgcreate -q -q -y roomy "$(losetup --find --show /scratch/roomy.pv)"
lvcreate -q -q -y -L 64m -n data roomy
mkfs.ext4 -q -O ^has_journal /dev/roomy/data
mount /dev/roomy/data data
head -c 24M /dev/urandom >data/first
sync -f data
remember roomy
# An fsarchiver that takes its time: it goes on when it is told to.
hold_fsarchiver
# overwrite FROM COUNT: so many MiB of what the snapshot must keep
overwrite() {
    dd if=/dev/urandom of=data/first bs=1M seek="$1" count="$2" conv=notrunc,fsync status=none
}
# start OPTIONS...: a dump that is held in the midst
start() {
    rm -f /scratch/running
    touch /scratch/hold
    lvsnap dump roomy/data dumps --size 8m --zone UTC --level 0 "$@" 2>dump.err &
    within 60 test -e /scratch/running
}
# ended STATUS
ended() {
    local status=0
    rm -f /scratch/hold
    wait $! || status=$?
    sed 's/^/    lvsnap: /' dump.err >&2
    [ $status = "$1" ]
    no_leftovers roomy
    [ -z "$(ls /var/lib/hyperlayer/snapshots)" ]
}

start --daily-max 9 --weekly-max 9
ended 0
ls dumps/roomy-data-dumps/*.fsa >kept
# Warned, and then lost: what it held is anything, so that nothing counts and nothing goes.
sleep 1
start --daily-max 0 --weekly-max 0
overwrite 0 7
within 30 grep -F '% full' dump.err
overwrite 7 4
within 60 eval '! kill -0 $!'
ended 1
grep -F 'overflowed' dump.err
grep -F -e '--auto-extend' dump.err
ls dumps/roomy-data-dumps/*.fsa | diff kept -
[ -z "$(find dumps -name '*unfinished*')" ]
# Extended as often as it needs.
start --auto-extend
overwrite 0 7
within 30 grep -F '8.0 MiB more' dump.err
overwrite 7 7
within 30 eval '[ $(grep -c "MiB more" dump.err) = 2 ]'
ended 0
[ "$(ls dumps/roomy-data-dumps/*.fsa | wc -l)" = 2 ]
# No space to extend it: said, and where it is enough all the same the dump is good.
lvcreate -q -q -y -l 100%FREE -n other roomy
lvreduce -q -q -f -y -L -8m roomy/other
remember roomy
start --auto-extend
overwrite 0 7
within 30 grep -F 'no space left to extend it in the group' dump.err
ended 0
[ "$(ls dumps/roomy-data-dumps/*.fsa | wc -l)" = 3 ]
# The group has none, but the file that the space lies in can grow.
start --auto-extend --tmp-dir /scratch
overwrite 0 18
within 60 grep -F 'MiB more' dump.err
ended 0
[ "$(ls dumps/roomy-data-dumps/*.fsa | wc -l)" = 4 ]

# limit: 900
# takes: 200
# What would lose somebody's data, or cannot be done now, is refused with the way out; nothing is changed by it.
. lib.sh
. sync.sh

make_pair 32m
sync_to 0 src/data dst --pool pool
mirrored

# Written to: refused, until it is said to keep what was written aside.
change 1
write_pattern dst/data 4m 64k stray
sha256sum </dev/dst/data >stray.sha256
deactivate dst/data
remember dst
expect_exit 3 lvbackup sync src/data dst/data
stderr_has 'written'
stderr_has '--rollback'
no_leftovers dst $(layers dst)
sync_to 0 src/data dst/data --rollback
mirrored
kept=$(said kept_written)
activate "dst/$kept"
sha256sum <"/dev/dst/$kept" | diff - stray.sha256

# Mounted, or open: refused, and it works as soon as it is not.
exec 8</dev/dst/data
change 2
expect_exit 3 lvbackup sync src/data dst/data
stderr_has 'in use'
exec 8<&-
sync_to 0 src/data dst/data
mirrored

# Not ours: a volume of that name, and one of another pair.
make_volume dst/pool foreign 32m
write_pattern dst/foreign 0 1m foreign
sha256sum </dev/dst/foreign >foreign.sha256
expect_exit 3 lvbackup sync src/data dst/foreign
sha256sum </dev/dst/foreign | diff - foreign.sha256
make_volume src/pool second 32m
expect_exit 3 lvbackup sync src/second dst/data
mirrored

# Two at once on one pair: one does it, the other says who does.
change 3
lvbackup -q sync src/data dst/data --bwlimit 256k &
first=$!
within 60 being_received dst
expect_exit 4 lvbackup sync src/data dst/data
stderr_has 'process'
wait $first
mirrored

# A metadata snapshot that somebody else holds is not taken from them; and nothing is left of what was begun.
change 4
remember src
reserve src/pool
expect_exit 4 lvbackup sync src/data dst/data
stderr_has 'metadata snapshot'
release src/pool
no_leftovers src
sync_to 0 src/data dst/data
mirrored

# A clock that was set back, on the source or on both: parents say which is newer.
booted=$(($(date +%s) - $(cut -d. -f1 /proc/uptime)))
at_end 'date -s "@$((booted + $(cut -d. -f1 /proc/uptime)))"'
date -s '2001-01-01 00:00'
change 5
sync_to 0 src/data dst/data
mirrored
change 6
sync_to 0 src/data dst/data
[ "$(said data_bytes)" -le 1179648 ]
mirrored

# Mistakes.
expect_exit 1 lvbackup sync src/missing dst/data
expect_exit 2 lvbackup sync src/data
expect_exit 2 lvbackup sync src/data src/data
lvcreate -q -q -y --type thin-pool -L 4m -c 64k -n small dst
expect_exit 2 lvbackup sync src/data dst/new
stderr_has '--pool'
expect_exit 1 lvbackup sync src/data dst/new --pool missing
expect_exit 4 lvbackup sync src/data dst/new --pool small
remember dst
sync_to 0 src/data dst/data --dry-run
no_leftovers dst

# A destination pool that fills: nothing is lost, the mirror is what it was, and goes on when there is room.
STATES=$WORK/states
mkdir -p "$STATES"
activate dst/data
sha256sum </dev/dst/data >"$STATES/old.sha256"
write_pattern src/data 8m 20m much
sha256sum </dev/src/data >"$STATES/new.sha256"
deactivate dst/data
make_volume dst/pool filler 96m
lvchange --errorwhenfull y dst/pool
dd if=/dev/urandom of=/dev/dst/filler bs=1M count=90 oflag=direct 2>/dev/null || true
status=0
lvbackup sync src/data dst/data 2>full.stderr || status=$?
cat full.stderr
[ $status != 0 ]
[ "$(whole_state)" = old ]
deactivate dst/data
lvremove -q -q -y dst/filler
sync_to 0 src/data dst/data
[ "$(whole_state)" = new ]

# limit: 900
# takes: 170
# What happens to pairs between their runs: a copy of a copy, two destinations of one source, every name changed, content that
# comes back, snapshots that are removed.
. lib.sh
. sync.sh

make_pair 16m
# equal A B: both are active from now on.
equal() {
    activate "$1" "$2"
    same "$1" "$2"
}
# of_pair VG PAIR: the snapshots of the pair there.
of_pair() {
    lvs --noheadings -o lv_name -S "lv_tags={\"hyperlayer.sync=$2\"} && lv_permissions=~\"read-only\"" "$1" | tr -d ' '
}
# delta_to SRC DST OPTION...: a run that finds what both sides have.
delta_to() {
    sync_to 0 "$@"
    [ "$(said parent)" != null ]
    [ "$(said data_bytes)" -le 1179648 ]
    equal "$1" "$2"
}

write_pattern src/data 3m 1m A
sync_to 0 src/data dst/data --pool pool --pair home
sync_to 0 dst/data dst/third --pool pool --pair beyond
sync_to 0 src/data dst/second --pool pool --pair second
equal src/data dst/second
write_pattern src/data 3m 1m B

# The source has another name; the third one is what the first one is.
lvrename -q -q src data source
delta_to src/source dst/data --pair home
delta_to dst/data dst/third --pair beyond
equal src/source dst/third

# The content of before; and the replica, its group and the base on both sides have other names.
write_pattern src/source 3m 1m A
same src/source dst/second
lvrename -q -q dst data replica
vgrename -q -q dst far
lvrename -q -q src "$(of_pair src home)" base
lvrename -q -q far "$(of_pair far home)" base-there
delta_to src/source far/replica --pair home
# One that is behind: its base was not removed by the other's runs.
delta_to src/source far/second --pair second
for pair in home second; do
    [ "$(of_pair src $pair | wc -l)$(of_pair far $pair | wc -l)" = 11 ]
done
# Nothing changed but the name of the source's group.
vgrename -q -q src near
delta_to near/source far/replica --pair home
[ "$(said data_bytes)" = 0 ]
vgrename -q -q near src

# The newest snapshot, not what was written since.
write_pattern src/source 5m 64k later
sync_to 0 src/source far/replica --pair home --no-snapshot
[ "$(said data_bytes)" = 0 ]
equal "src/$(of_pair src home)" far/replica
different src/source far/replica

# The snapshot of an interrupted run is removed before the next one.
write_pattern src/source 0 4m cut
base=$(of_pair src home)
lvbackup -q sync src/source far/replica --pair home --bwlimit 256k &
within 120 durable far
kill -KILL $!
wait $! || true
lvremove -q -q -y $(of_pair src home | grep -vx -- "$base" | sed 's/^/src\//')
write_pattern src/source 6m 64k after
sync_to 0 src/source far/replica --pair home
[ "$(said resumed)" = false ]
[ "$(said parent)" != null ]
equal src/source far/replica
if being_received far; then fail 'the interrupted receive is left'; fi

# What both had in common is removed at the source alone: nothing is overwritten without a word.
lvremove -q -q -y "src/$(of_pair src home)"
write_pattern src/source 7m 64k alone
remember src
remember far
expect_exit 3 lvbackup sync src/source far/replica --pair home
stderr_has --use-existing
no_leftovers src
no_leftovers far
sync_to 0 src/source far/replica --pair home --use-existing
[ "$(said data_bytes)" = 65536 ]
equal src/source far/replica
[ "$(of_pair src home | wc -l)" = 1 ]

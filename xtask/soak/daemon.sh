# limit: 5400
# The daemon's own memory after 100 runs is what it was after 5, to a tenth.
. lib.sh
. sync.sh
trap - DEBUG

make_pair 16m
touch ended told
cat >daemon.toml <<END
zone = "UTC"
[job.data]
source = "src/data"
destination = "dst/data"
pool = "pool"
every = "1s"
alert_after_failures = 1
hooks.after = ["/bin/sh", "-c", "echo >>$WORK/ended"]
[alerts]
exec = ["/bin/sh", "-c", "cat >>$WORK/told"]
END
lvbackup daemon --config daemon.toml --check
lvbackup daemon --config daemon.toml 2>daemon.stderr &
daemon=$!
runs() {
    wc -l <ended
}
at_least() {
    [ "$(runs)" -ge "$1" ]
}
memory() {
    awk '/^VmRSS/ { print $2 }' /proc/$daemon/status
}
(
    trap - ERR
    while sleep 1; do change $RANDOM; done
) &
changing=$!
for count in 5 25 50 75 100; do
    within 4000 at_least $count
    echo "after $(runs) runs: $(memory) kB" >&2
    [ $count != 5 ] || first=$(memory)
done
[ "$(memory)" -le $((first * 11 / 10)) ]
[ ! -s told ] || fail "a run failed: $(cat told)"
kill $changing
wait $changing || true
kill -TERM $daemon
wait $daemon || true
sync_to 0 src/data dst/data
mirrored

# limit: 5400
# The daemon's own memory after 100 runs is what it was after 5.
. lib.sh
. sync.sh
trap - DEBUG

make_pair 16m
cat >daemon.toml <<'END'
zone = "UTC"
[job.data]
source = "src/data"
destination = "dst/data"
pool = "pool"
every = "1s"
END
lvbackup daemon --config daemon.toml 2>daemon.stderr &
daemon=$!
runs() {
    lvbackup status --json | sed -n 's/.*"runs": *\([0-9]*\).*/\1/p'
}
at_least() {
    [ "$(runs)" -ge "$1" ]
}
memory() {
    awk '/^VmRSS/ { print $2 }' /proc/$daemon/status
}
for count in 5 25 50 75 100; do
    (while sleep 1; do change $RANDOM; done) 2>/dev/null &
    changing=$!
    within 4000 at_least $count
    kill $changing
    wait $changing || true
    echo "after $(runs) runs: $(memory) kB" >&2
done
kill -TERM $daemon
wait $daemon || true
sync_to 0 src/data dst/data
mirrored

# limit: 600
# Two daemons that have one pair take turns; a source's pool that fills is made room in, or nothing begins, and the copy stays.
. lib.sh
. sync.sh

make_pair 16m
configure() {
    cat >"$1.toml" <<END
zone = "UTC"
[job.data]
source = "src/data"
destination = "dst/data"
pool = "pool"
every = "1s"
backoff = { first = "1s", cap = "2s" }
alert_after_failures = 1
hooks.after = ["/bin/sh", "-c", "echo >>$WORK/$1.snapshots"]
keep.source = { last = ${2:-1} }
[pool."src/pool"]
data = { warn = 60, prune = 70, refuse = 80 }
[alerts]
exec = ["/bin/sh", "-c", "cat >>$WORK/$1.told; echo >>$WORK/$1.told"]
END
    : >"$1.snapshots"
    : >"$1.told"
}
start() {
    lvbackup daemon --config "$1.toml" --state-dir "$WORK/$1.state" --runtime-dir "$WORK/$1.run" 2>"$1.stderr" &
    daemons+=($!)
}
stop() {
    kill -TERM "${daemons[@]}"
    wait "${daemons[@]}"
    daemons=()
    cat ./*.stderr >&2
}
has_made() {
    [ "$(wc -l <"$1.snapshots")" -ge "$2" ]
}
told() {
    grep -F "$2" "$1.told"
}
lacks() {
    if told "$1" "$2"; then fail "it was told of what is not so"; fi
}

# Both get their turn, whoever is first; neither harms what the other one does.
configure one
configure two
daemons=()
start one
start two
for seed in 1 2 3; do
    change $seed
    within 120 has_made one $seed
    within 120 has_made two $seed
done
stop
lacks one 'its transaction id'
lacks two 'its transaction id'
sync_to 0 src/data dst/data
mirrored
[ "$(layers src | wc -l)" = 1 ]
[ "$(layers dst | wc -l)" = 1 ]
no_leftovers dst data $(layers dst)

# Room is made by the oldest snapshots that nothing needs, and it is told.
configure one 3
start one
for seed in 1 2 3; do
    write_pattern src/data 0 12m "much $seed"
    within 120 has_made one $((seed * 2))
done
within 120 grep -F 'removed the snapshot' one.stderr
stop
told one 'src/pool'
sync_to 0 src/data dst/data
mirrored

# Without a daemon: a pool that has no room at all.
write_pattern src/data 0 12m last
make_volume src/pool filler 64m
lvchange --errorwhenfull y src/pool
dd if=/dev/urandom of=/dev/src/filler bs=1M oflag=direct 2>/dev/null || true
activate dst/data
before=$(sha256sum </dev/dst/data)
status=0
lvbackup sync src/data dst/data 2>full.stderr || status=$?
cat full.stderr >&2
[ $status = 4 ]
grep -F src/pool full.stderr
[ "$(sha256sum </dev/dst/data)" = "$before" ]
deactivate src/filler
lvremove -q -q -y src/filler
sync_to 0 src/data dst/data
mirrored

# limit: 900
# takes: 200
# Two daemons that have one pair take turns; a source's pool that fills is made room in, or nothing begins, and the copy stays.
. lib.sh
. sync.sh

make_pair 16m

# configure NAME EVERY [LAST]
configure() {
    cat >"$1.toml" <<END
zone = "UTC"
[job.data]
source = "src/data"
destination = "dst/data"
pool = "pool"
every = "$2"
backoff = { first = "1s", cap = "2s" }
alert_after_failures = 1
keep.source = { last = ${3:-1} }
[pool."src/pool"]
data = { warn = 60, prune = 70, refuse = 80 }
[alerts]
exec = ["/bin/sh", "-c", "cat >>$WORK/$1.told; echo >>$WORK/$1.told"]
END
    rm -rf "$1.state"
    : >"$1.stderr"
    : >"$1.told"
}
start() {
    lvbackup daemon --config "$1.toml" --state-dir "$WORK/$1.state" --runtime-dir "$WORK/$1.run" 2>>"$1.stderr" &
    daemons+=($!)
}
stop() {
    [ ${#daemons[@]} = 0 ] || kill -TERM "${daemons[@]}"
    wait "${daemons[@]}"
    daemons=()
    cat ./*.stderr >&2
}
has_done() {
    [ "$(grep -cE 'done(, resumed)?: layer' "$1.stderr")" -ge "$2" ]
}
told() {
    grep -F "$2" "$1.told"
}
lacks() {
    if told "$1" "$2"; then fail "it was told of what is not so"; fi
}

# Both begin at once. One finds the other at work, says so, and has its turn when the other is done; neither harms what the other
# one does.
daemons=()
at_end stop
for seed in 1 2; do
    change $seed
    configure one 1d
    configure two 1d
    start one
    start two
    within 240 has_done one 1
    within 240 has_done two 1
    stop
    grep -F 'is locked by' one.stderr two.stderr
    # The pool is as good as it was, whoever looks at it while the other one works.
    lacks one src/pool
    lacks two src/pool
done
sync_to 0 src/data dst/data
mirrored
[ "$(layers src | wc -l)" = 1 ]
[ "$(layers dst | wc -l)" = 1 ]
no_leftovers dst data $(layers dst)

# Room is made by the oldest snapshots that nothing needs, and it is told: a quarter of the pool each time, of which its own rules
# would keep ten.
configure one 1s 10
start one
for seed in 1 2 3; do
    write_pattern src/data 0 12m "much $seed"
    within 240 has_done one $((seed * 2))
done
within 240 grep -F 'removed the snapshot' one.stderr
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

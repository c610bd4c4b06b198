# limit: 600
# takes: 180
# not under cached-origin: LVM extends no pool whose data is cached
# A receive that is killed, cut or out of space is continued or removed, and nothing is lost on the way.
. lib.sh

make_pool src pool 96m 64k
make_volume src/pool data 32m
write_pattern src/data 0 10m one
snap src/data one -pr
write_pattern src/data 8m 8m two
discard src/data 2m 1m
snap src/data two -pr
expect_exit 0 lvbackup send -v src -l one -o one.hl
expect_exit 0 lvbackup send -v src -l two -i one -o two.hl
cat one.hl two.hl >chain.hl
activate src/one src/two
remember src
make_pool dst pool 96m 64k
remember dst

partial() {
    lvbackup recv --list-partial -v dst
}

# got_to PATTERN: a receive of `data` is further than $before, and as far as this.
got_to() {
    [ "$(partial)" != "$before" ] && partial | grep "$1"
}

# killed_at BYTES PATTERN ARGUMENTS...: a receive that gets so much of $input and waits for more, and is killed as soon as
# it is as far as the pattern says.
input=chain.hl
killed_at() {
    local bytes=$1 pattern=$2 before status=0
    shift 2
    before=$(partial)
    mkfifo slow
    lvbackup -q recv -v dst -l data --keep-every 256k "$@" <slow &
    exec 9>slow
    head -c "$bytes" "$input" >&9
    within 120 got_to "$pattern"
    kill -KILL $!
    exec 9>&-
    wait $! || status=$?
    rm slow
    [ $status = 137 ]
    being_received dst
    no_leftovers dst $(lvs --noheadings -o lv_name dst | grep hyperlayer-)
}

# is_whole LAYER: `data` is this layer, and goes.
is_whole() {
    no_leftovers dst data
    [ "$(property dst/data lv_tags)" = "hyperlayer.layer=$(property "src/$1" lv_uuid)" ]
    [ -z "$(ls -A /var/lib/hyperlayer/partial)" ]
    activate dst/data
    same "src/$1" dst/data
    lvremove -q -q -y dst/data
}

# In the first layer. Without a word about it nobody's data is overwritten; both ways out are named.
killed_at 6M ', layer .* up to' -p pool
partial | tee partial
grep -F "dst/data: since 2" partial
expect_exit 5 lvbackup recv -v dst -p pool -l data -i chain.hl
stderr_has '`lvbackup recv --resume -v dst -l data` < INPUT' lvbackup
stderr_has '`lvbackup recv --discard-partial -v dst -l data`' lvbackup
expect_exit 0 lvbackup recv --resume -v dst -l data <chain.hl
stderr_has '2 layers' lvbackup
is_whole two

# In the second one, and then the machine was started anew: only the rest is sent.
killed_at 16M '1 layer, and layer' -p pool
partial | tee partial
grep -F '1 layer, and layer' partial
lvchange -an dst
lvchange -ay dst/pool
rm -rf /run/hyperlayer
token=$(sed -n 's/^ *token //p' partial)
expect_exit 0 lvbackup send --resume "$token" >rest.hl
[ "$(stat -c %s rest.hl)" -lt $((5 << 20)) ]
expect_exit 0 lvbackup info rest.hl | grep 'only the rest of the layer'
expect_exit 3 lvbackup recv --to-file image -i rest.hl
expect_exit 0 lvbackup recv --resume -v dst -l data <rest.hl
is_whole two

# Killed again while it is continued, and at last with only the layer that is not in.
killed_at 12M '1 layer, and layer' -p pool
input=two.hl killed_at 5M '1 layer, and layer' --resume
expect_exit 5 lvbackup recv --resume -v dst -l data -i one.hl
expect_exit 0 lvbackup recv --resume -v dst -l data -i two.hl
is_whole two

# Removed instead.
killed_at 4M ', layer .* up to' -p pool
expect_exit 0 lvbackup recv --discard-partial -v dst -l data
no_leftovers dst
[ -z "$(ls -A /var/lib/hyperlayer/partial)" ]
expect_exit 1 lvbackup recv --discard-partial -v dst -l data
expect_exit 1 lvbackup recv --resume -v dst -l data -i chain.hl
[ -z "$(lvbackup recv --list-partial)" ]
no_leftovers dst

# Somebody else fills the pool meanwhile; it is extended.
make_volume dst/pool other 96m
lvchange -q -q --errorwhenfull y dst/pool
mkfifo slow
lvbackup -q recv -v dst -p pool -l data --keep-every 256k <slow 2>full.stderr &
receiving=$!
exec 9>slow
head -c 4M chain.hl >&9
within 60 being_received dst
sleep 1
write_pattern dst/other 0 92m other 2>&1 || true
tail -c +4194305 chain.hl >&9 || true
exec 9>&-
status=0
wait $receiving || status=$?
cat full.stderr
[ $status = 5 ]
stderr_has 'lvbackup recv --resume -v dst -l data' full
expect_exit 5 lvbackup recv --resume -v dst -l data -i chain.hl
lvextend -q -q -L +32m dst/pool
expect_exit 0 lvbackup recv --resume -v dst -l data -i chain.hl
activate dst/data
same src/two dst/data
no_leftovers src

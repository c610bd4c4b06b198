# limit: 600
# takes: 160
# A full layer and five deltas with discards, growth and shrinkage: as files, merged in every contiguous grouping, received as a
# chain, as one layer and as a file. Everything is what the snapshots are, to the byte.
. lib.sh

make_pool src pool 160m 64k
make_pool dst pool 160m 128k
make_volume src/pool data 24m
write_pattern src/data 0 1m s0 9m 1m s0 20m 2m s0
snap src/data s0 -pr
write_pattern src/data 4m 512k s1 9m 256k s1
snap src/data s1 -pr
discard src/data 9m 512k
discard src/data 20m 1m
snap src/data s2 -pr
lvextend -q -q -L 36m src/data
write_pattern src/data 20m 256k s3 34m 1m s3
snap src/data s3 -pr
lvreduce -q -q -f -y -L 16m src/data
write_pattern src/data 15m 128k s4
discard src/data 4m 256k
snap src/data s4 -pr
# What was past 16 MiB shows again.
lvextend -q -q -L 28m src/data
write_pattern src/data 24m 256k s5
snap src/data s5 -pr
remember src

expect_exit 0 lvbackup send -v src -l s0 -o 0.hl
for n in 1 2 3 4 5; do
    expect_exit 0 lvbackup send -v src -l s$n -i s$((n - 1)) -o $n.hl
done
stderr_has "BLAKE3: " lvbackup
no_leftovers src
activate src/s{0..5}
for n in 0 1 2 3 4 5; do
    sha256sum </dev/src/s$n >s$n.sha256
done
[ "$(cat s?.sha256 | sort -u | wc -l)" = 6 ]
remember src

# is_state FILE N: it is the snapshot sN.
is_state() {
    sha256sum <"$(device "$1")" | cmp - "s$2.sha256" || fail "$1 is not the snapshot s$2"
}

layers=(0.hl 1.hl 2.hl 3.hl 4.hl 5.hl)
expect_exit 0 lvbackup verify "${layers[@]}"
stderr_has '6 layers are whole and follow each other' lvbackup
expect_exit 3 lvbackup verify 0.hl 2.hl
stderr_has 'the chain is broken: `2.hl`' lvbackup
cat "${layers[@]}" >chain.hl

# -I sends the same layers as one stream.
expect_exit 0 lvbackup send -v src -l s5 -I s0 -o rest.hl
cat {1..5}.hl | cmp - rest.hl
expect_exit 0 lvbackup send -v src -l s5 -I s0 --match 's[24]' -o rest.hl
[ "$(lvbackup info --json rest.hl | grep -o '"name":"s."' | xargs)" = 'name:s2 name:s4 name:s5' ]
expect_exit 2 lvbackup send -v src -l s5 -I s0 --match 'x*' -o none.hl
stderr_has 'no snapshot between `src/s0` and `src/s5` matches `x*`' lvbackup
expect_exit 2 lvbackup send -v src -l s0 -I s5 -o none.hl
stderr_has '`src/s0` is not a later snapshot of the same volume' lvbackup
[ ! -e none.hl ]
no_leftovers src
expect_exit 0 lvbackup info --json chain.hl >info
[ "$(grep -c '"state":"proven"' info)" = 6 ]
[ "$(grep -c '"kind":"full"' info)" = 1 ]
grep -F "\"layer\":\"$(property src/s5 lv_uuid)\",\"meta\"" info | grep -F "\"parent\":\"$(property src/s4 lv_uuid)\"" >/dev/null

# Merging needs no LVM. Every contiguous run of layers...
for from in 0 1 2 3 4; do
    for to in $(seq $((from + 1)) 5); do
        lvbackup -q merge "${layers[@]:from:to - from + 1}" -o $from-$to.hl
    done
done
for n in 0 1 2 3 4 5; do
    ln -s $n.hl $n-$n.hl
done
# ...as a state of its own where it begins with the full one...
for to in 1 2 3 4 5; do
    lvbackup -q recv --to-file image -i 0-$to.hl
    is_state ./image $to
    rm image
done
# ...and all 32 groupings of the whole chain. Bit N: a group ends behind layer N.
for ((ends = 0; ends < 32; ends++)); do
    from=0 groups=()
    for to in 0 1 2 3 4 5; do
        [ $to = 5 ] || ((ends >> to & 1)) || continue
        groups+=($from-$to.hl)
        from=$((to + 1))
    done
    cat "${groups[@]}" | lvbackup -q recv --to-file image
    is_state ./image 5
    rm image
done
lvbackup -q merge 2.hl 3.hl 4.hl --compress zstd -o 2-4.hl.zst
expect_exit 0 lvbackup verify 0-1.hl 2-4.hl.zst 5.hl

# On real volumes: the chain, the one layer, and one delta of five on what holds the first state.
remember dst
cat "${layers[@]}" | expect_exit 0 lvbackup recv -v dst -p pool -l chain
expect_exit 0 lvbackup recv -v dst -p pool -l merged -i 0-5.hl
expect_exit 0 lvbackup recv -v dst -p pool -l first -i 0.hl
expect_exit 0 lvbackup recv -v dst -l delta --base first -i 1-5.hl
expect_exit 0 lvbackup compare src/s5 0-5.hl
no_leftovers dst chain merged first delta
for volume in chain merged delta; do
    [ "$(property dst/$volume lv_tags)" = "hyperlayer.layer=$(property src/s5 lv_uuid)" ]
    [[ $(property dst/$volume lv_attr) == Vri---*k ]]
    activate dst/$volume
    is_state dst/$volume 5
done
no_leftovers src

# A volume and its copy on one machine, kept in step: the first time, what changed, what was written to the copy, what is in use,
# what was there before; in groups with extents and chunks of other lengths; killed between any two of its steps.
# limit: 1500
. lib.sh

EXTENT=64k make_pool src pool 96m 64k
size=$((24 << 20 | 65536))
lvcreate -q -q -y -V ${size}b -T src/pool -n data
write_pattern src/data 0 256k one 4m 2m one 16m 2m one 24m 64k one
make_pool dst pool 128m 256k
make_volume dst/pool mine 4m

sync() {
    lvbackup sync src/data dst/copy "$@"
}

# The newest snapshot of the source.
newest() {
    lvs --noheadings -o lv_name -S 'lv_name=~"^data-sync-"' -O lv_time src | tail -1 | tr -d ' '
}

# The copy is active, and what the source's newest snapshot is; what it has more than that is zeros; nothing of a run is left.
whole() {
    local snapshot=src/$(newest)
    activate "$snapshot"
    cmp -n $size "/dev/$snapshot" /dev/dst/copy
    cmp -n $(($(blockdev --getsize64 /dev/dst/copy) - size)) -i $size:0 /dev/dst/copy /dev/zero
    deactivate "$snapshot"
    ! lvs --noheadings -o lv_name src dst | grep hyperlayer-
    [ -z "$(ls -A /var/lib/hyperlayer/partial)" ]
    [ "$(held src/pool)$(held dst/pool)" = -- ]
}

# one LAYERS: so many snapshots of the pair are on each side.
layers() {
    [ "$(lvs --noheadings -o lv_name src | grep -c data-sync-)" = "$1" ]
    [ "$(lvs --noheadings -o lv_name dst | grep -c copy-sync-)" = "$1" ]
}

# The first time all that is mapped, later what changed.
remember src
remember dst
expect_exit 0 sync --dry-run
no_leftovers src
no_leftovers dst
expect_exit 0 sync --json >first.json
grep -F '"parent":null' first.json
whole
layers 1
write_pattern src/data 4m 1m two 9m 1m two
discard src/data 16m 1m
expect_exit 0 sync --json >second.json
grep -F '"data_bytes":2097152' second.json
grep -F '"zero_bytes":1048576' second.json
whole
layers 1

# Rules keep more; a hold keeps what the next delta needs.
write_pattern src/data 5m 64k three
expect_exit 0 sync --keep-source last=2 --keep-destination last=2
whole
layers 2
lvs -o lv_name,lv_tags src dst
[ "$(lvs --noheadings -o lv_tags src | grep -c 'hyperlayer.hold=')" = 1 ]
[ "$(lvs --noheadings -o lv_tags dst | grep -c 'hyperlayer.hold=')" = 1 ]

# What was written to the copy is noticed, and kept by whoever goes on.
write_pattern dst/copy 1m 64k mine
remember src
remember dst
expect_exit 3 sync
stderr_has --rollback sync
no_leftovers src
no_leftovers dst
expect_exit 0 sync --rollback
whole
kept=$(lvs --noheadings -o lv_name dst | grep copy-written- | tr -d ' ')
[ -z "$(property "dst/$kept" lv_tags)" ]
activate "dst/$kept"
different "dst/$kept" dst/copy
lvremove -q -q -y "dst/$kept"

# A copy that is open stays as it is.
write_pattern src/data 6m 64k four
cp --sparse=always /dev/dst/copy before
sleep 300 </dev/dst/copy &
expect_exit 3 sync
kill $!
wait $! || true
same dst/copy ./before
expect_exit 0 sync
whole

# Larger, then smaller.
lvextend -q -q -L +8m src/data
size=$((size + (8 << 20)))
write_pattern src/data 30m 1m five
expect_exit 0 sync
whole
lvreduce -q -q -y -f -L -16m src/data
size=$((size - (16 << 20)))
expect_exit 0 sync
whole

# Killed before each kind of command that changes the copy's names: the name has one whole state or, between two renames, none,
# and the next run finishes. What was written meanwhile is kept.
lvm=$(readlink -f "$(command -v lvm)")
for program in lvrename lvchange lvremove; do
    path=$(command -v $program)
    rm "$path"
    cat >"$path" <<END
#!/bin/bash
case "\$*" in *"\$(cat /scratch/die 2>/dev/null || echo never)"*) rm /scratch/die; kill -KILL \$PPID; exit 1 ;; esac
exec $lvm $program "\$@"
END
    chmod +x "$path"
done
trap 'for program in lvrename lvchange lvremove; do ln -sf "$lvm" "$(command -v $program)"; done' EXIT
number=0
for at in 'dst hyperlayer-partial-' '--deltag hyperlayer.partial=' '--activate n dst/copy' '--addtag hyperlayer.closed' \
    'dst copy hyperlayer-old-' 'dst hyperlayer-live-' 'dst/hyperlayer-old-'; do
    number=$((number + 1))
    write_pattern src/data 6m 64k "killed $number"
    cp --sparse=always /dev/dst/copy before
    echo "$at" >/scratch/die
    expect_exit 137 sync
    [ ! -e /scratch/die ]
    if [ -n "$(lvs --noheadings -o lv_name -S lv_name=copy dst)" ]; then
        activate dst/copy
        [ $number -gt 5 ] || same dst/copy ./before
    else
        [ $number = 6 ]
    fi
    expect_exit 0 sync
    whole
    layers 1
    [[ $(property dst/copy lv_attr) = Vw* ]]
done

# A volume that is there already: only what differs is sent, and it is kept under another name.
make_volume dst/pool there 20m
dd status=none if=/dev/src/data of=/dev/dst/there bs=1M conv=fsync
write_pattern dst/there 3m 64k other 17m 1m tail
cp /dev/dst/there there
expect_exit 3 lvbackup sync src/data dst/there
expect_exit 0 lvbackup sync src/data dst/there --use-existing --json >existing.json
[ "$(sed 's/.*"data_bytes":\([0-9]*\).*/\1/' existing.json)" -le $((256 << 10)) ]
before=$(lvs --noheadings -o lv_name dst | grep there-before- | tr -d ' ')
activate "dst/$before"
same "dst/$before" ./there
cmp -n $size /dev/src/data /dev/dst/there
[ -z "$(property "dst/$before" lv_tags)" ]
[ -z "$(property dst/mine lv_tags)" ]

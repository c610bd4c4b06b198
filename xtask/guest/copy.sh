# A volume src/data and its copy dst/copy on one machine: `. copy.sh`, after `. lib.sh`. The groups have extents and chunks of other
# lengths.
#
#   sync ARGUMENTS...               `lvbackup sync src/data dst/copy`
#   whole                           the copy is active, and what the source's newest snapshot is; nothing of a run is left
#   layers COUNT                    so many snapshots of the pair are on each side
#   killed_before COMMAND...        a sync that is killed just before it runs an LVM command whose arguments have this in them leaves
#                                   the old or the new state under the copy's name, or between two renames none, and the next run
#                                   finishes

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

# What the copy has more than the source, in its longer extents, is zeros.
whole() {
    local snapshot=src/$(newest)
    activate "$snapshot"
    cmp -n $size "/dev/$snapshot" /dev/dst/copy
    cmp -n $(($(blockdev --getsize64 /dev/dst/copy) - size)) -i $size:0 /dev/dst/copy /dev/zero
    deactivate "$snapshot"
    if lvs --noheadings -o lv_name src dst | grep hyperlayer-; then fail 'something of a run is left'; fi
    [ -z "$(ls -A /var/lib/hyperlayer/partial)" ]
    [ "$(held src/pool)$(held dst/pool)" = -- ]
}

layers() {
    [ "$(lvs --noheadings -o lv_name src | grep -c data-sync-)" = "$1" ]
    [ "$(lvs --noheadings -o lv_name dst | grep -c copy-sync-)" = "$1" ]
}

killed_before() {
    local at program path number=0 lvm
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
    at_end 'for program in lvrename lvchange lvremove; do ln -sf '"$lvm"' "$(command -v $program)"; done'
    for at; do
        number=$((number + 1))
        write_pattern src/data 6m 64k "killed $number"
        cp --sparse=always /dev/dst/copy old
        echo "$at" >/scratch/die
        expect_exit 137 sync
        [ ! -e /scratch/die ] || fail "no command had \`$at\`"
        if [ -e /dev/dst/copy ] || lvs dst/copy >/dev/null 2>&1; then
            activate dst/copy
            cmp -n $size old /dev/dst/copy || cmp -n $size /dev/src/data /dev/dst/copy
        else
            [ "$at" = 'dst hyperlayer-live-' ]
        fi
        expect_exit 0 sync
        whole
        layers 1
        # As its user had it.
        [[ $(property dst/copy lv_attr) = Vw* ]]
    done
}

# Mirrors a file system that is written to all the time: `. cycles.sh`, after `. sync.sh`.
#
#   cycles COUNT                    so many runs from src/data to far:dst/data; after each the mirror is the source's snapshot, byte
#                                   for byte, is clean for fsck, and can be mounted read-only

writer() {
    local n=0
    # What it syncs it may have removed.
    set +e
    trap - ERR
    while :; do
        n=$((n + 1))
        head -c $((RANDOM % 200000 + 1)) /dev/urandom >"live/file$((n % 40))"
        [ $((n % 7)) != 0 ] || rm -f "live/file$((RANDOM % 40))"
        [ $((n % 3)) != 0 ] || sync "live/file$((n % 40))"
        echo "$n" >>live/log
        sleep 0.05
    done 2>/dev/null
}

cycles() {
    local n newest
    mkfs.ext4 -q /dev/src/data
    mkdir -p live mirror
    mount -o discard /dev/src/data live
    writer &
    local writing=$!
    for n in $(seq "$1"); do
        kill -0 $writing
        sync_to 0 src/data far:dst/data --pool pool --recv-read-only
        newest=$(layers src | tail -n 1)
        [ "$(layers src | wc -l)" = 1 ]
        mirrored "$newest"
        e2fsck -fn /dev/dst/data >fsck.log 2>&1 || { cat fsck.log; fail "cycle $n: fsck finds damage"; }
        mount -o ro,noload /dev/dst/data mirror
        [ -s mirror/log ]
        if [ "$n" = 1 ]; then
            # Nobody's file system is taken away beneath it.
            sync_to 3 src/data far:dst/data --recv-read-only
            stderr_has 'in use'
            mountpoint -q mirror
        fi
        umount mirror
        deactivate dst/data "src/$newest"
        echo "cycle $n: $(said data_bytes) bytes changed, $(said wire_bytes) on the wire, $(said seconds) s" >&2
    done
    kill $writing
    wait $writing || true
    umount live
}

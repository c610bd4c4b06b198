# limit: 900
# takes: 40
# The power is cut in the midst of a transfer, and right after one that was done: the mirror is the old or the new state, what was
# durable is not sent again, and the next run finishes.
. lib.sh
. sync.sh

if [ "$BOOT" = 1 ]; then
    vgcreate -q -q -y vg "$DISK2"
    lvcreate -q -q -y -L 64m -n keep vg
    lvcreate -q -q -y --type thin-pool -L 128m -c 64k -n pool1 vg
    lvcreate -q -q -y --type thin-pool -L 128m -c 64k -n pool2 vg
    mkfs.ext4 -q /dev/vg/keep
fi
lvchange -q -q -ay vg/keep vg/pool1 vg/pool2
mkdir keep
mount /dev/vg/keep keep
mkdir -p keep/hyperlayer keep/states /var/lib/hyperlayer
mount --bind keep/hyperlayer /var/lib/hyperlayer

state_is() {
    activate vg/copy
    [ "$(sha256sum </dev/vg/copy)" = "$(cat "keep/states/$1")" ] || fail "the mirror is not what it was at $1"
    deactivate vg/copy
}
remember_state() {
    sha256sum </dev/vg/data >"keep/states/$1"
    sync -f keep
}
cut_in_transfer() {
    lvbackup -q sync vg/data vg/copy --bwlimit 1m &
    within 120 durable vg
    power_cut
}

case $BOOT in
1)
    make_volume vg/pool1 data 32m
    write_pattern vg/data 0 4m one
    expect_exit 0 lvbackup sync vg/data vg/copy --pool pool2
    remember_state one
    state_is one
    write_pattern vg/data 2m 16m two
    remember_state two
    cut_in_transfer
    ;;
2)
    state_is one
    activate vg/data
    sync_to 0 vg/data vg/copy
    # The rest of that layer first, and then nothing that changed since.
    [ "$(said resumed)" = true ]
    state_is two
    write_pattern vg/data 1m 1m three
    remember_state three
    sync_to 0 vg/data vg/copy
    power_cut
    ;;
3)
    state_is three
    activate vg/data
    write_pattern vg/data 3m 1m four
    remember_state four
    sync_to 0 vg/data vg/copy
    state_is four
    ;;
esac

# takes: 20
# The power is cut: in the midst of a receive, of which everything is there that the ledger says and --resume makes the right
# bytes; and right after an exit status of 0, which was a promise.
. lib.sh

# What must outlive it: a file system as a root one is, with the tool's own records, and a pool.
if [ "$BOOT" = 1 ]; then
    vgcreate -q -q -y dst "$DISK2"
    lvcreate -q -q -y -L 128m -n keep dst
    lvcreate -q -q -y --type thin-pool -L 128m -c 64k -n pool dst
    mkfs.ext4 -q /dev/dst/keep
fi
lvchange -q -q -ay dst/keep dst/pool
mkdir keep
mount /dev/dst/keep keep
mkdir -p keep/hyperlayer /var/lib/hyperlayer
mount --bind keep/hyperlayer /var/lib/hyperlayer

# cut_at BYTES: while a chain is received of which so much has come, once the ledger says ITS WORDS.
cut_at() {
    mkfifo slow
    lvbackup -q recv -v dst -p pool -l data --keep-every 256k <slow &
    exec 9>slow
    head -c "$1" keep/chain.hl >&9
    within 60 says "$2"
    # Not beside the ledger: what is synced there syncs the ledger as well.
    lvbackup recv --list-partial --json -v dst >"$RESULTS/said"
    power_cut
}
says() {
    lvbackup recv --list-partial -v dst | grep -F "$1"
}
# No less than was said.
is_there() {
    local said there
    said=$(at_bytes <"$RESULTS/said")
    there=$(lvbackup recv --list-partial --json -v dst | at_bytes)
    echo "said: $said, there: $there"
    [ "$said" -gt 0 ] && [ "$there" -ge "$said" ]
}
at_bytes() {
    sed -n 's/.*"at_bytes":\([0-9]*\).*/\1/p'
}
is_two() {
    activate dst/data
    [ "$(sha256sum </dev/dst/data)" = "$(cat keep/sha256)" ]
}

case $BOOT in
1)
    make_pool src pool 96m 64k
    make_volume src/pool data 32m
    write_pattern src/data 0 10m one
    snap src/data one -pr
    write_pattern src/data 8m 8m two
    discard src/data 2m 1m
    snap src/data two -pr
    expect_exit 0 lvbackup send -v src -l one -o keep/one.hl
    expect_exit 0 lvbackup send -v src -l two -i one -o keep/two.hl
    cat keep/one.hl keep/two.hl >keep/chain.hl
    activate src/two
    sha256sum </dev/src/two >keep/sha256
    remember dst
    cp dst.state keep
    sync -f keep
    cut_at 6M 'layer'
    ;;
2)
    is_there
    expect_exit 5 lvbackup recv -v dst -p pool -l data -i keep/chain.hl
    expect_exit 0 lvbackup recv --resume -v dst -l data -i keep/chain.hl
    is_two
    lvremove -q -q -y dst/data
    cp keep/dst.state .
    no_leftovers dst
    cut_at 16M '1 layer, and layer'
    ;;
3)
    is_there
    expect_exit 0 lvbackup recv --resume -v dst -l data -i keep/two.hl
    is_two
    lvremove -q -q -y dst/data
    # Whatever says that it is done.
    expect_exit 0 lvbackup recv --to-file keep/image -i keep/chain.hl
    expect_exit 0 lvbackup init keep/store
    expect_exit 0 lvbackup recv -v dst -p pool -l data -i keep/chain.hl
    expect_exit 0 lvbackup backup dst/data keep/store
    power_cut
    ;;
4)
    is_two
    [ -z "$(ls -A /var/lib/hyperlayer/partial)" ]
    [ "$(sha256sum <keep/image)" = "$(cat keep/sha256)" ]
    expect_exit 0 lvbackup check keep/store --read-data >check
    [ ! -s check ]
    expect_exit 0 lvbackup restore keep/store dst/pool back
    activate dst/back
    same dst/data dst/back
    ;;
esac

# Several runs at once on one pair of pools, with one base: each waits where it must, and all are right.
. lib.sh

make_layers 64k
make_pool dst pool 64m 64k
write_pattern src/data 20m 2m three
snap src/data three -pr
expect_exit 0 lvdiff --full src/one | expect_exit 0 lvpatch -g dst -p pool
remember src
remember dst

# At different speeds: the first to end finds the base in use by the other.
transfer() {
    local name=$1
    shift
    lvdiff "src/$name" src/one "$@" 2>"$name.lvdiff" | lvpatch -g dst -l one 2>"$name.lvpatch"
}
transfer two --bwlimit 256k &
first=$!
transfer three &
second=$!
status=0
wait $first || status=$?
wait $second || status=$?
cat ./*.lvdiff ./*.lvpatch
[ $status = 0 ]
no_leftovers src
no_leftovers dst two three

activate src/two src/three dst/two dst/three
same src/two dst/two
same src/three dst/three

# A container with the same devices, and with process ids and a /run of its own: it leaves what a run outside works on.
in_container() {
    unshare --mount --pid --fork --mount-proc \
        sh -c 'mount -t tmpfs -o mode=755 tmpfs /run/hyperlayer && exec "$@"' - "$@"
}
expect_exit 0 lvdiff src/two src/one -o two.hl
mkfifo slow
lvpatch -g dst -l one outside <slow 2>outside.stderr &
outside=$!
exec 9>slow
head -c 500K two.hl >&9
within 120 being_received dst
expect_exit 0 in_container lvpatch -g dst -l one inside <two.hl
stderr_has 'belongs to a run that cannot be seen from here' in_container
being_received dst
tail -c +512001 two.hl >&9
exec 9>&-
wait $outside
activate dst/outside dst/inside
same src/two dst/outside
same src/two dst/inside
no_leftovers dst two three outside inside

# The ledgers of partial receives are shared, and their locks with them.
lvbackup recv -v dst -l later --base one <slow &
receiving=$!
exec 9>slow
head -c 500K two.hl >&9
within 60 test -e /var/lib/hyperlayer/partial/dst-later.json
for how in --discard-partial '--resume --base one'; do
    # shellcheck disable=SC2086
    expect_exit 4 in_container lvbackup recv -v dst -l later $how <two.hl
    stderr_has '/var/lib/hyperlayer/locks/receive-dst-later` is locked' in_container
done
tail -c +512001 two.hl >&9
exec 9>&-
wait $receiving
activate dst/later
same src/two dst/later
no_leftovers dst two three outside inside later

# The records of lvsnap are shared, and their locks with them.
remember src
touch hold
lvsnap create src/data classic --size 8m --tmp-file /scratch/space.img --pre 'touch begun; while [ -e hold ]; do sleep 0.1; done' &
making=$!
within 120 test -e begun
expect_exit 4 in_container lvsnap recover --yes
stderr_has 'another run works on `src/classic`' in_container
expect_exit 4 in_container lvsnap remove src/classic
stderr_has 'another run works on `src/classic`' in_container
rm hold
wait $making
lvsnap list | grep -E '^src/classic .* made '
expect_exit 0 lvsnap remove src/classic
no_leftovers src

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

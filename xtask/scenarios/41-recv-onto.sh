# Receiving on the volume that holds the parent; what is refused there, and comparing source and destination.
. lib.sh

make_layers 64k
write_pattern src/data 20m 1m three
snap src/data three -pr
make_pool dst pool 96m 128k
expect_exit 0 lvbackup send -v src -l one -o one.hl
expect_exit 0 lvbackup send -v src -l two -i one -o two.hl
expect_exit 0 lvbackup send -v src -l three -i two -o three.hl
one=$(property src/one lv_uuid) two=$(property src/two lv_uuid) three=$(property src/three lv_uuid)
remember src
remember dst

# Broken chains: the place, what was expected and what was found; and nothing is there under the name.
# Of files all headers are read before anything is made; of a pipe they come one by one.
expect_exit 3 lvbackup recv -v dst -p pool -l data -i one.hl -i three.hl
stderr_has "the chain is broken: \`three.hl\` was made against layer $two" lvbackup
stderr_has "$one" lvbackup
no_leftovers dst
cat one.hl two.hl two.hl >twice.hl
expect_exit 3 lvbackup recv -v dst -p pool -l data -i twice.hl
no_leftovers dst
expect_exit 5 lvbackup recv -v dst -p pool -l data < <(cat twice.hl)
stderr_has "$one" lvbackup
stderr_has "$two" lvbackup
stderr_has 'lvbackup recv --discard-partial -v dst -l data' lvbackup
expect_exit 0 lvbackup recv --discard-partial -v dst -l data
no_leftovers dst
expect_exit 3 lvbackup recv -v dst -p pool -l data -i two.hl -i one.hl
stderr_has '`one.hl` is a full layer, which begins a chain, and comes after `two.hl`' lvbackup
expect_exit 3 lvbackup recv --dry-run -v dst -p pool -l data -i one.hl -i three.hl
stderr_has "$two" lvbackup
no_leftovers dst

# On the volume itself: its old state is kept under the name that is given, or under one that is made.
expect_exit 0 lvbackup recv -v dst -p pool -l data -i one.hl
expect_exit 1 lvbackup recv -v dst -p pool -l data -i one.hl
stderr_has '`dst/data` exists already' lvbackup
expect_exit 3 lvbackup recv -v dst -l data -i three.hl
stderr_has "was made against layer $two" lvbackup
stderr_has "$one" lvbackup
[ "$(property dst/data lv_tags)" = "hyperlayer.layer=$one" ]
expect_exit 0 lvbackup recv -v dst -l data -i two.hl --keep-old data-one
[ "$(property dst/data lv_tags)" = "hyperlayer.layer=$two" ]
[ "$(property dst/data-one lv_tags)" = "hyperlayer.layer=$one" ]
expect_exit 0 lvbackup recv -v dst -l data -i three.hl
kept=data-${two//-/}
kept=${kept:0:11}
stderr_has "its old state is \`$kept\`" lvbackup
expect_exit 0 lvbackup recv -v dst -l branch --base data-one -i two.hl
remember dst
expect_exit 1 lvbackup recv -v dst -l branch -i three.hl --keep-old data
stderr_has 'cannot be kept as `data`' lvbackup
expect_exit 3 lvbackup recv -v dst -l new --base data -i two.hl
stderr_has "was made against layer $one" lvbackup
stderr_has "$three" lvbackup
no_leftovers dst

# All is compared with what it came from: by lvbackup, and by another program.
expect_exit 0 lvbackup compare src/one dst/data-one
expect_exit 0 lvbackup compare src/two dst/$kept
expect_exit 0 lvbackup compare dst/branch two.hl
expect_exit 0 lvbackup compare src/three dst/data
expect_exit 3 lvbackup compare src/two dst/data-one >differences
grep -E '^4194304 +1048576$' differences
grep -E '^9437184 +1048576$' differences
grep -E '^16777216 +1048576$' differences
[ "$(wc -l <differences)" = 4 ]
expect_exit 3 lvbackup compare dst/data-one two.hl
no_leftovers src
no_leftovers dst
activate src/one src/two src/three dst/data dst/data-one dst/$kept dst/branch
same src/one dst/data-one
same src/two dst/$kept
same src/two dst/branch
same src/three dst/data

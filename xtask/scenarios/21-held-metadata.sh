# takes: 30
# A metadata snapshot that somebody else holds is neither used nor released.
. lib.sh

make_layers 64k
reserve src/pool
root=$(held src/pool)
remember src

for how in '--full src/one' 'src/two src/one' 'src/two src/one --dry-run'; do
    expect_exit 4 lvdiff $how >stream
    [ ! -s stream ]
    stderr_has 'pool `src/pool` already holds a metadata snapshot' lvdiff
    stderr_has "root in block $root" lvdiff
    stderr_has 'dmsetup message src-pool-tpool 0 release_metadata_snap' lvdiff
done
expect_exit 4 lvdiff src/two src/one -o file
[ ! -e file ]
no_leftovers src
[ "$(held src/pool)" = "$root" ]

# The command that was named.
eval "$(grep -o 'dmsetup message [^`]*' lvdiff.stderr | head -n 1)"
expect_exit 0 lvdiff src/two src/one -o file
[ "$(held src/pool)" = - ]

# Volumes that end in the middle of a chunk, on either side, and chunks that are no power of two.
. lib.sh

EXTENT=64k make_pool src pool 32m 192k
make_volume src/pool data $((131 * 64))k
write_pattern src/data 0 64k one 8256k 128k one
snap src/data one -pr
write_pattern src/data 100k 1m two $((131 * 64 - 1))k 1k two
snap src/data two -pr
remember src
activate src/one src/two

for chunk in 192k 256k; do
    EXTENT=64k make_pool dst-$chunk pool 32m $chunk
    expect_exit 0 lvdiff --full src/one | expect_exit 0 lvpatch -g dst-$chunk -p pool
    expect_exit 0 lvdiff -d 3 src/two src/one | expect_exit 0 lvpatch -g dst-$chunk -l one
    activate dst-$chunk/one dst-$chunk/two
    same src/one dst-$chunk/one
    same src/two dst-$chunk/two
done

# A group whose extents cannot make that size says so, and has nothing afterwards.
make_pool coarse pool 32m 64k
remember coarse
expect_exit 0 lvdiff --full src/one -o full.hl
expect_exit 1 lvpatch -g coarse -p pool <full.hl
stderr_has 'its extents make it' lvpatch
stderr_has 'smaller extents' lvpatch
no_leftovers coarse

# Destination pools that do not zero new chunks (-Zn), with chunks larger than the source's and full of somebody else's
# old data: none of it may shine through.
. lib.sh

# A pool of which every chunk holds 0xff: the kernel takes those first that were never used.
stale_pool() {
    make_pool "$1" pool 24m "$2" -Zn
    make_volume "$1/pool" secret 24m
    head -c 24M /dev/zero | tr '\0' '\377' >"/dev/$1/secret"
    lvremove -q -q -y "$1/secret"
}

make_pool src pool 64m 64k
make_volume src/pool data 32m
# Pieces in the middle, at the start and at the end of the destination's chunks, and across their borders.
write_pattern src/data 64k 64k a 1m 64k a 2240k 128k a 5m 1m a 31m 1m a
snap src/data one -pr
write_pattern src/data 128k 64k b 10m 4k b 20m 320k b
# Within a chunk of the destination that is not unmapped as a whole; and one that is.
discard src/data 64k 64k
discard src/data 5m 512k
snap src/data two -pr
activate src/one src/two

for chunk in 256k 1m; do
    stale_pool dst-$chunk $chunk
    lvs --noheadings -o zero dst-$chunk/pool | grep -v zero >/dev/null
    remember dst-$chunk
    expect_exit 0 lvdiff --full src/one | expect_exit 0 lvpatch -g dst-$chunk -p pool
    expect_exit 0 lvdiff src/two src/one | expect_exit 0 lvpatch -g dst-$chunk -l one
    no_leftovers dst-$chunk one two
    activate dst-$chunk/one dst-$chunk/two
    same src/one dst-$chunk/one
    same src/two dst-$chunk/two
done

# The trap is real: a plain copy of the one chunk shows the old data around it.
make_volume dst-256k/pool plain 4m
dd status=none if=/dev/src/one of=/dev/dst-256k/plain bs=64k skip=1 seek=1 count=1 conv=notrunc oflag=direct
dd status=none if=/dev/dst-256k/plain bs=64k count=1 iflag=direct | tr -d '\377' | cmp -s - /dev/null

# A destination pool that ignores discards (--discards ignore), also with larger chunks, also without zeroing: what the source
# discarded must become zeros all the same.
. lib.sh

make_layers 64k
activate src/one src/two
for chunk in 64k 512k; do
    make_pool dst-$chunk pool 64m $chunk --discards ignore -Zn
    [ "$(property dst-$chunk/pool discards)" = ignore ]
    expect_exit 0 lvdiff --full src/one | expect_exit 0 lvpatch -g dst-$chunk -p pool
    expect_exit 0 lvdiff src/two src/one | expect_exit 0 lvpatch -g dst-$chunk -l one
    activate dst-$chunk/one dst-$chunk/two
    same src/one dst-$chunk/one
    same src/two dst-$chunk/two
done

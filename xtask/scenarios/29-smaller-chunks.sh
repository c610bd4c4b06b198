# A destination with smaller chunks than the source's; larger ones are in 27 and 28.
. lib.sh

make_layers 512k
make_pool dst pool 64m 64k
remember src
expect_exit 0 lvdiff --full src/one | expect_exit 0 lvpatch -g dst -p pool
expect_exit 0 lvdiff -d 3 src/two src/one | expect_exit 0 lvpatch -g dst -l one
no_leftovers src

activate src/one src/two dst/one dst/two
same src/one dst/one
same src/two dst/two
[ "$(mapped dst/two)" -le "$(mapped src/two)" ]

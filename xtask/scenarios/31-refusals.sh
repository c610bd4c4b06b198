# What is refused before anything happens: a name that is taken, no root, a place that cannot be written; and a reader that goes.
. lib.sh

make_layers 64k
make_pool dst pool 64m 64k
expect_exit 0 lvdiff --full src/one -o full.hl
expect_exit 0 lvpatch -g dst -p pool <full.hl
remember src
remember dst

expect_exit 1 lvpatch -g dst -p pool <full.hl
stderr_has '`dst/one` exists already' lvpatch
stderr_has 'give another name' lvpatch
expect_exit 2 lvpatch -g dst -p pool one/two/three <full.hl
expect_exit 2 lvpatch -g dst <full.hl
stderr_has 'neither a base nor a pool' lvpatch
expect_exit 1 lvpatch -g nowhere -p pool new <full.hl
stderr_has 'nowhere' lvpatch

for line in 'lvdiff src/two src/one' 'lvpatch -g dst -p pool new'; do
    program=$(command -v ${line%% *})
    expect_exit 4 su nobody -s /bin/sh -c "$program ${line#* }" <full.hl >stream
    [ ! -s stream ]
    stderr_has root su
done

expect_exit 1 lvdiff src/two src/one -o no/such/folder/file
stderr_has 'no/such/folder' lvdiff
expect_exit 1 lvdiff src/two src/one >&-
stderr_has 'cannot use standard output: it is closed' lvdiff
expect_exit 1 lvdiff src/two src/one >/dev/full
stderr_has 'No space left on device' lvdiff
# A reader that ends early is no success, as with any other tool.
status=0
(lvdiff src/two src/one 2>lvdiff.stderr || echo $? >status) | head -c 1000 >nothing
[ "$(cat status)" = 1 ]
no_leftovers src
no_leftovers dst

# LVM loads the pool of a group that lvm.conf lists as read-only so that the kernel refuses it: the list is named.
lvm_settings activation 'read_only_volume_list=["dst"]'
expect_exit 4 lvpatch -g dst -p pool new <full.hl
stderr_has 'see `lvmconfig activation/read_only_volume_list`' lvpatch
no_leftovers dst

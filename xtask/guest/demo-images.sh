#!/bin/bash
# The tools on plain image files: needs neither root nor LVM. Run by `cargo xtask demo` in an empty folder.
set -euo pipefail

step() {
    printf '  %s\n' "$*"
}

mib() {
    awk -v bytes="$1" 'BEGIN { printf "%.1f MiB", bytes / 1048576 }'
}

truncate -s 256M monday.img
head -c 64M /dev/urandom | dd of=monday.img conv=notrunc status=none
step 'monday.img   256 MiB, 64 MiB of it in use'

cp --sparse=always monday.img tuesday.img
for at in 3 17 18 40 55; do
    head -c 256K /dev/urandom | dd of=tuesday.img bs=1M seek=$at conv=notrunc status=none
done
head -c 2M /dev/urandom | dd of=tuesday.img bs=1M seek=128 conv=notrunc status=none
fallocate --punch-hole --offset 30M --length 4M tuesday.img
step 'tuesday.img  five places overwritten, 2 MiB of new data, 4 MiB discarded'

lvdiff --scan ./tuesday.img ./monday.img -o changes.hl 2>digests || {
    cat digests >&2
    exit 1
}
step "lvdiff --scan ./tuesday.img ./monday.img -o changes.hl   ($(mib "$(stat -c %s changes.hl)"))"
lvpatch --quiet --base ./monday.img --output ./received.img <changes.hl
step 'lvpatch --base ./monday.img --output ./received.img < changes.hl'
cmp tuesday.img received.img
step 'cmp tuesday.img received.img: identical'

# A stream that lost its end must not become anything.
head -c -1 changes.hl >cut.hl
status=0
lvpatch --quiet --base ./monday.img --output ./cut.img <cut.hl 2>cut.log || status=$?
[ $status = 3 ] && [ ! -e cut.img ]
step 'the same stream without its last byte: refused, nothing written'

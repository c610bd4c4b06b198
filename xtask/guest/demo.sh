#!/bin/bash
# The project's main job on real LVM, from two snapshots to a copy in another pool. Run as root by `cargo xtask demo`.
#
# demo.sh FOLDER: makes two volume groups on loop files in FOLDER and removes them again, however it ends. It touches no other.
set -euo pipefail
cd "$1"
folder=$(mktemp -d "$PWD/hyperlayer-demo.XXXXXX")
here=hyperlayer_demo_here_$$
there=hyperlayer_demo_there_$$
cd "$folder"

step() {
    printf '  %s\n' "$*"
}

# What a program tells is of no interest here unless it fails. Its data goes on.
quietly() {
    local log
    log=$(mktemp -p "$folder" log.XXXXXX)
    "$@" 2>"$log" || {
        local status=$?
        cat "$log" >&2
        echo "failed: $*" >&2
        return $status
    }
}

clean_up() {
    local status=$? device
    set +e
    cd "$folder" || exit
    umount mnt 2>/dev/null
    for vg in "$here" "$there"; do
        vgremove -q -q -ff -y "$vg" >/dev/null 2>&1
    done
    for device in "${loops[@]}"; do
        losetup -d "$device"
    done
    cd /
    rm -rf "$folder"
    if vgs "$here" >/dev/null 2>&1 || vgs "$there" >/dev/null 2>&1; then
        echo "the volume groups $here and $there could not be removed" >&2
        [ $status != 0 ] || status=1
    fi
    exit $status
}
loops=()
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

pool() {
    local loop
    truncate -s 500M "$1.pv"
    loop=$(losetup --find --show "$1.pv")
    loops+=("$loop")
    quietly vgcreate -q -q -y "$1" "$loop"
    quietly lvcreate -q -q -y --type thin-pool -L 400m -c 64k -n pool "$1"
}

mib() {
    awk -v bytes="$1" 'BEGIN { printf "%.1f MiB", bytes / 1048576 }'
}

mkdir mnt
pool "$here"
pool "$there"
quietly lvcreate -q -q -y -V 512m -T "$here/pool" -n data
step 'two volume groups, each with a thin pool, on loop files; in the first a thin volume of 512 MiB'

quietly mkfs.ext4 -q -N 1024 -J size=4 -E nodiscard,lazy_itable_init=0 "/dev/$here/data"
mount -o discard "/dev/$here/data" mnt
mkdir mnt/files
for number in $(seq 24); do
    head -c 2M /dev/urandom >"mnt/files/$number"
done
sync -f mnt
quietly lvcreate -q -q -y -s -pr -n monday "$here/data"
step 'a file system with 24 files of 2 MiB; snapshot monday'

head -c 300K /dev/urandom | dd of=mnt/files/7 bs=4K seek=100 conv=notrunc status=none
head -c 3M /dev/urandom >mnt/new-file
rm mnt/files/11
sync -f mnt
fstrim mnt
umount mnt
quietly lvcreate -q -q -y -s -pr -n tuesday "$here/data"
step 'a file changed in the middle, one of 3 MiB added, one deleted and its blocks discarded; snapshot tuesday'

quietly lvdiff --full "$here/monday" -o full.hl
quietly lvpatch -g "$there" -p pool monday <full.hl
step "lvdiff --full here/monday | lvpatch -g there -p pool monday          $(mib "$(stat -c %s full.hl)")"
started=${EPOCHREALTIME/./}
quietly lvdiff "$here/tuesday" "$here/monday" | tee delta.hl | quietly lvpatch -g "$there" -l monday tuesday
ended=${EPOCHREALTIME/./}
step "lvdiff here/tuesday here/monday | lvpatch -g there -l monday tuesday $(mib "$(stat -c %s delta.hl)"), $(((ended - started) / 1000)) ms"

quietly lvchange -ay -K "$here/monday" "$here/tuesday"
quietly lvchange -ay -K "$there/monday" "$there/tuesday"
for name in monday tuesday; do
    cmp "/dev/$here/$name" "/dev/$there/$name"
    step "cmp here/$name there/$name: identical"
done

mount -r -t ext4 -o noload "/dev/$there/tuesday" mnt
[ "$(ls mnt/files | wc -l)" = 23 ] && [ -s mnt/new-file ]
umount mnt
step 'tuesday mounted there: 23 files and the new one'
moved=$(stat -c %s delta.hl)
awk -v moved="$moved" 'BEGIN { printf "moved %.1f MiB for a volume of 512 MiB: %.2f %%\n", moved / 1048576, moved / 5368709.12 }'

# Helpers for scenarios: `. lib.sh` is a scenario's first line.
#
# Everything a scenario makes through these is removed when it ends, however it ends; what it makes otherwise (mounts, loop
# devices, volumes in its groups) as well, but a metadata snapshot still held then is a failure of the scenario.
#
#   make_pool VG POOL SIZE CHUNK [lvcreate options]   a volume group on a fresh disk of its own, and a thin pool in it
#                                   (EXTENT=64k before it: the group's extent size, for volumes of odd sizes)
#   make_volume VG/POOL NAME SIZE   an active thin volume
#   snap VG/LV NAME [lvcreate options]   a thin snapshot as LVM makes it: inactive, with the skip-activation flag
#   make_layers CHUNK [lvcreate options]   src/pool with src/data (32 MiB, live) and its read-only snapshots src/one and src/two:
#                                   two has 1 MiB at 4 MiB changed, 1 MiB at 9 MiB new, and 1 MiB at 16 MiB discarded
#   activate VG/LV...  deactivate VG/LV...
#   write_pattern VG/LV|FILE (OFFSET LENGTH SEED)...   bytes or with suffix k, m, g; the same arguments give the same content
#   discard VG/LV OFFSET LENGTH     only whole chunks become unmapped (a volume's short last one never does)
#   same A B                        two volumes, devices or files have the same content (cmp); volumes must be active
#   different A B
#   expect_exit CODE COMMAND...     runs it, demands that status; stdout goes on, stderr is kept for stderr_has. Usable in a pipe.
#   stderr_has TEXT [COMMAND]       the last stderr of COMMAND (default: of any) contains TEXT
#   stderr_lacks TEXT [COMMAND]
#   remember VG                     ...and later:
#   no_leftovers VG [LV...]         VG is as remembered: same volumes, sizes, tags, permissions, what is active, no metadata
#                                   snapshot held; the LVs named may have come in between
#   mapped VG/LV                    prints the bytes that are mapped (of the pool's view)
#   held VG/POOL                    prints the block of the held metadata snapshot, or -
#   reserve VG/POOL  release VG/POOL    the metadata snapshot
#   being_received VG               succeeds while there is a volume that some run has not finished, or has left
#   property VG/LV FIELD            prints what lvs says of it, such as lv_tags
#   power_cut                       all that is not durable is lost; the scenario begins again, with $BOOT one more. What is to be
#                                   there then lies on $DISK2, which a scenario has for itself: all other disks and $WORK are new.
#   hold_fsarchiver                 from now on no archive is written or restored while /scratch/hold is there; /scratch/running
#                                   says that one was to be. As it was when the scenario ends.
#   lvm_settings SECTION SETTING...   lvm.conf as the programs see it, which the scenario's own LVM commands do not: for variants
#   lvm_wrapper <SCRIPT             the rest of a script that the programs get in the place of LVM, which is $lvm: for variants
#   at_end COMMAND                  is run when the scenario ends, however it ends; the last one first
#   no_lvm                          succeeds while no LVM command runs
#   within SECONDS COMMAND...       tries again until it succeeds
#   fail TEXT                       ends the scenario
#
# $WORK is an empty folder of the scenario's own, and its current folder. Each command is shown in the log with its line.

set -Eeuo pipefail
: "${WORK:?scenarios run in the guest: cargo xtask vm scenarios NAME}"
cd "$WORK"

fail() {
    echo "$*" >&2
    exit 1
}

# The log: where a command failed, and each of the scenario's own commands with its time and line.
trap 'echo "failed: $BASH_COMMAND (${BASH_SOURCE[0]##*/} line $LINENO)" >&2' ERR
started=${EPOCHREALTIME/./}
log_step() {
    local tenths=$(((${EPOCHREALTIME/./} - started) / 100000))
    echo "[$((tenths / 10)).$((tenths % 10)) s] line $1: $2" >&2
}
trap 'log_step $LINENO "$BASH_COMMAND"' DEBUG

# The device of VG/LV; anything else is a path already.
device() {
    case $1 in
    /* | ./* | ../*) echo "$1" ;;
    */*) echo "/dev/$1" ;;
    *) echo "$1" ;;
    esac
}

# The pool's name in the device mapper, which doubles hyphens.
pool_dm() {
    local vg=${1%/*} pool=${1#*/}
    echo "${vg//-/--}-${pool//-/--}-tpool"
}

bytes() {
    case $1 in
    *k) echo $((${1%k} << 10)) ;;
    *m) echo $((${1%m} << 20)) ;;
    *g) echo $((${1%g} << 30)) ;;
    *) echo "$1" ;;
    esac
}

make_pool() {
    local vg=$1 pool=$2 size=$3 chunk=$4 loop
    shift 4
    # Room for the pool, its metadata twice, and LVM's own.
    local file loops=() files=("$vg.pv")
    [ -z "${POOL_RAID:-}${POOL_CACHE:-}" ] || files+=("$vg-2.pv")
    for file in "${files[@]}"; do
        truncate -s $(($(bytes "$size") + (96 << 20))) "/scratch/$file"
        loop=$(losetup --find --show --direct-io=on ${LOOP_OPTIONS[@]+"${LOOP_OPTIONS[@]}"} "/scratch/$file")
        loops+=("$loop")
    done
    vgcreate -q -q -y -s "${EXTENT:-4m}" "$vg" "${loops[@]}"
    if [ -z "${POOL_RAID:-}" ]; then
        lvcreate -q -q -y --type thin-pool -L "$size" -c "$chunk" -n "$pool" "$@" "$vg"
    else
        lvcreate -q -q -y --type raid1 -m1 --nosync -L "$size" -n "$pool" "$vg"
        lvconvert -q -q -y --type thin-pool -c "$chunk" "$@" "$vg/$pool"
    fi
    if [ -n "${POOL_CACHE:-}" ]; then
        lvcreate -q -q -y -L 16m -n cache "$vg" "${loops[1]}"
        lvconvert -q -q -y --type cache --cachevol "$vg/cache" "$vg/$pool"
    fi
}

# The scenario's own LVM commands have the settings as they were: their output is read here.
lvm_settings() {
    [ -e /etc/lvm.plain ] || cp -a /etc/lvm /etc/lvm.plain
    export LVM_SYSTEM_DIR=/etc/lvm.plain
    echo "$1 {" "${@:2}" "}" >>/etc/lvm/lvmlocal.conf
}

# The programs give what they run an empty environment; the scenario's own commands have $WORK, and get LVM itself.
lvm_wrapper() {
    [ -e /usr/sbin/lvm.real ] || mv /usr/sbin/lvm /usr/sbin/lvm.real
    {
        echo '#!/bin/bash'
        echo 'lvm=/usr/sbin/lvm.real'
        echo '[ -z "${WORK:-}" ] || exec -a "$0" "$lvm" "$@"'
        cat
    } >/usr/sbin/lvm
    chmod +x /usr/sbin/lvm
}

make_volume() {
    lvcreate -q -q -y -V "$3" -T "$1" -n "$2"
}

snap() {
    local origin=$1 name=$2
    shift 2
    lvcreate -q -q -y -s "$origin" -n "$name" "$@"
}

make_layers() {
    make_pool src pool 128m "$@"
    make_volume src/pool data 32m
    write_pattern src/data 0 256k one 4m 2m one 16m 2m one 31m 1m one
    snap src/data one -pr
    write_pattern src/data 4m 1m two 9m 1m two
    discard src/data 16m 1m
    snap src/data two -pr
}

activate() {
    lvchange -ay -K "$@"
}

deactivate() {
    lvchange -an "$@"
}

write_pattern() {
    local target
    target=$(device "$1")
    shift
    pattern.py "$target" "$@"
}

discard() {
    blkdiscard -o "$(bytes "$2")" -l "$(bytes "$3")" "$(device "$1")"
}

same() {
    cmp -- "$(device "$1")" "$(device "$2")"
}

different() {
    ! cmp -s -- "$(device "$1")" "$(device "$2")" || fail "$1 and $2 have the same content"
}

expect_exit() {
    local expected=$1 status=0
    local stderr=$WORK/${2##*/}.stderr
    shift
    "$@" 2>"$stderr" || status=$?
    # To stderr: stdout may be a pipe.
    sed "s/^/    ${1##*/}: /" "$stderr" >&2
    [ "$status" = "$expected" ] || fail "\`$*\`: exit status $status, expected $expected"
}

stderr_has() {
    grep -qF -- "$1" "$WORK"/${2:-*}.stderr || fail "${2:-no program} did not say: $1"
}

stderr_lacks() {
    ! grep -F -- "$1" "$WORK"/${2:-*}.stderr || fail "${2:-a program} said: $1"
}

mapped() {
    local line
    line=$(dmsetup status "$(dmsetup info -c --noheadings -o name "$(device "$1")")")
    set -- $line
    echo $(($4 * 512))
}

held() {
    local line
    line=$(dmsetup status "$(pool_dm "$1")")
    set -- $line
    echo "$7"
}

reserve() {
    dmsetup message "$(pool_dm "$1")" 0 reserve_metadata_snap
}

release() {
    dmsetup message "$(pool_dm "$1")" 0 release_metadata_snap
}

no_lvm() {
    ! pgrep -x '(lv|vg|pv)(s|create|change|rename|remove|resize|extend|reduce)|lvm(\.real)?'
}

being_received() {
    lvs --noheadings -o lv_name "$1" | grep hyperlayer- >/dev/null
}

property() {
    lvs --noheadings --nosuffix --units b -o "$2" "$1" | sed 's/^ *//; s/ *$//'
}

power_cut() {
    echo "$SCENARIO $((BOOT + 1))" >"$RESULTS/.cut"
    # The log and this, and nothing else.
    sync -f "$RESULTS"
    echo b >/proc/sysrq-trigger
    sleep 60
}

hold_fsarchiver() {
    real=$(command -v fsarchiver)
    mv "$real" "$real.real"
    cat >"$real" <<END
#!/bin/sh
case "\$1" in
savefs | restfs) touch /scratch/running; while [ -e /scratch/hold ]; do sleep 0.1; done ;;
esac
exec "$real.real" "\$@"
END
    chmod +x "$real"
    at_end 'mv "$real.real" "$real"'
}

ending=()
at_end() {
    ending=("$1" "${ending[@]}")
    trap 'for command in "${ending[@]}"; do eval "$command"; done' EXIT
}

within() {
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || fail "it never came to this: $*"
        sleep 0.1
    done
}

# One line for each volume, and one for each pool with its held metadata snapshot. A pool's first volume changes its attributes
# and its name in the device mapper.
state() {
    local line
    # udev opens a volume for a moment when somebody who wrote to it closes it, and lvs would say "open".
    udevadm settle
    lvs --noheadings --separator ' ' --units b -o lv_name,lv_size,lv_attr,lv_tags,lv_uuid "$1" |
        sed 's/^ *//; s/ \(twi.a\)o/ \1-/' | sort
    dmsetup status --target thin-pool | while read -r line; do
        set -- "$1" $line
        case $2 in "${1//-/--}"-*) echo "${2%-tpool:} holds $9" | tr -d : ;; esac
    done
}

remember() {
    state "$1" >"$WORK/$1.state"
}

no_leftovers() {
    local vg=$1 lv allowed=()
    shift
    state "$vg" >"$WORK/$vg.now"
    for lv; do allowed+=(-e "^$lv "); done
    if [ $# -gt 0 ]; then
        # Named ones may also have been there before and be changed now.
        grep -v "${allowed[@]}" "$WORK/$vg.now" >"$WORK/$vg.rest" || true
        grep -v "${allowed[@]}" "$WORK/$vg.state" >"$WORK/$vg.before" || true
    else
        cp "$WORK/$vg.now" "$WORK/$vg.rest"
        cp "$WORK/$vg.state" "$WORK/$vg.before"
    fi
    diff "$WORK/$vg.before" "$WORK/$vg.rest" || fail "something was left in $vg (< before, > now)"
}

[ -z "${VARIANT:-}" ] || . "/payload/variants/$VARIANT.sh"

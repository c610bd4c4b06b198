#!/bin/bash
# Runs all of /payload/scenarios, one after another, each with a time limit.
#
# Prints `ok NAME (12 s)`, or the log and `FAILED NAME (12 s): reason`. Leaves results.tsv (name, ok or FAILED, seconds, reason)
# and NAME.log under $RESULTS. A scenario says `# limit: 600` when the usual 300 s are too few for it,
# and `# takes: 130` when it takes much more, or less, than a minute, for whoever shares scenarios out.
# NAME@VARIANT.sh is the scenario NAME.sh on a host that variants/VARIANT.sh changes. A scenario runs under all variants by turns;
# `# not under VARIANT...: WHY` excludes some.

# A scenario that cuts the power (`power_cut` in lib.sh) is run again in the next boot, with $BOOT one more. Its disks are then
# as the cut left them.
first= boot=1
[ ! -e "$RESULTS/.cut" ] || read -r first boot <"$RESULTS/.cut"
rm -f "$RESULTS/.cut"
sync -f "$RESULTS"

# After a power cut too: without a journal the file system may be damaged by it.
mkfs.ext4 -q -F -O ^has_journal -E nodiscard "$DISK1"
mount -o discard "$DISK1" /scratch

# Removes all that is left of a scenario; prints what a scenario has no right to leave.
clean_up() {
    local left pool line
    # A stopped or forgotten program may hold what is removed below.
    for _ in 1 2 3 4 5 6 7 8 9 10; do [ -z "$(cat $group/cgroup.procs)" ] || sleep 0.2; done
    left=$(xargs -r -d '\n' ps -o args= -p <$group/cgroup.procs)
    [ -z "$left" ] || echo "still running: $left"
    echo 1 >$group/cgroup.kill
    # Of an LVM command that was killed in its midst; whoever reads such a device waits for ever.
    dmsetup info --columns --noheadings --separator ' ' -o suspended,name | awk '$1 == "Suspended" { print $2 }' | xargs -r -n 1 dmsetup resume
    dmsetup status --target thin-pool | grep thin-pool | while read -r pool line; do
        set -- $line
        if [ "$7" != - ]; then
            echo "$pool still holds a metadata snapshot"
            dmsetup message "${pool%:}" 0 release_metadata_snap
        fi
    done
    # Whatever kind they are of. A mount point may have been there before, and another file system be mounted over it since.
    awk 'NR == FNR { before[$2]++; next } before[$2]-- < 1 { print $2 }' <(echo "$mounts") /proc/mounts | tac | xargs -r umount -l
    cd /
    # What a variant has made of LVM.
    [ ! -e /usr/sbin/lvm.real ] || mv /usr/sbin/lvm.real /usr/sbin/lvm
    [ ! -e /etc/lvm.plain ] || { rm -rf /etc/lvm && mv /etc/lvm.plain /etc/lvm; }
    # Whatever a scenario has done to its volumes: without LVM, which might refuse, and in one command.
    dmsetup remove_all --deferred >/dev/null
    losetup -D
    wipefs -q -a "$DISK2"
    rm -rf /scratch/* "$work" /run/lock/hyperlayer* /run/hyperlayer* /var/lib/hyperlayer
    udevadm settle
    left=$(dmsetup ls | grep -v '^No devices found'; losetup -l -n)
    [ -z "$left" ] || echo "could not be removed: $left"
}

work=/tmp/work
group=/sys/fs/cgroup/scenario
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir $group
mounts=$(cat /proc/mounts)

for scenario in /payload/scenarios/*.sh; do
    name=$(basename "$scenario" .sh)
    [ -z "$first" ] || [ "$name" = "$first" ] || continue
    first=
    log=$RESULTS/$name.log
    limit=$(sed -n 's/^# limit: *\([0-9]*\).*/\1/p' "$scenario")
    mkdir -p $work
    variant=${name#*@}
    [ "$variant" != "$name" ] || variant=
    start=$EPOCHREALTIME
    # In a control group, so that whatever it leaves running is found. Signals to its process group stay among its own.
    (
        echo $BASHPID >$group/cgroup.procs
        WORK=$work SCENARIO=$name VARIANT=$variant BOOT=$boot exec timeout --kill-after=5 "${limit:-300}" bash "$scenario"
    ) </dev/null >>"$log" 2>&1
    status=$?
    reason=
    case $status in
    0) ;;
    124 | 137) reason="not done after ${limit:-300} s" ;;
    *) reason="exit status $status" ;;
    esac
    boot=1
    left=$(clean_up 2>&1)
    [ -z "$left" ] || {
        echo "$left" >>"$log"
        reason="${reason:+$reason; }left something: ${left//$'\n'/; }"
    }
    seconds=$(((${EPOCHREALTIME/./} - ${start/./}) / 1000000))
    if [ -z "$reason" ]; then
        verdict=ok
        echo "ok $name ($seconds s)"
    else
        verdict=FAILED
        cat "$log"
        echo "FAILED $name ($seconds s): $reason"
    fi
    printf '%s\t%s\t%s\t%s\n' "$name" "$verdict" "$seconds" "$reason" >>"$RESULTS/results.tsv"
    sync -f "$RESULTS"
done
umount /scratch
! grep -q -P '\tFAILED\t' "$RESULTS/results.tsv"

#!/bin/bash
# Runs all of /payload/scenarios, one after another, each in a process group of its own with a limit.
#
# Prints `ok NAME (12 s)`, or the log and `FAILED NAME (12 s): reason`. Leaves results.tsv (name, ok or FAILED, seconds, reason)
# and NAME.log under $RESULTS. A scenario says `# limit: 300` when the usual 120 s are too few for it.

mkfs.ext4 -q -O ^has_journal -E nodiscard "$DISK1"
mount -o discard "$DISK1" /scratch

# Removes all that is left of a scenario; prints what a scenario has no right to leave.
clean_up() {
    local vgs pool line
    # A stopped or forgotten program may hold what is removed below.
    for _ in 1 2 3 4 5 6 7 8 9 10; do pgrep -s "$session" >/dev/null && sleep 0.2; done
    pkill -KILL -s "$session" && echo 'processes were still running'
    dmsetup status --target thin-pool | while read -r pool line; do
        set -- $line
        if [ "$7" != - ]; then
            echo "$pool still holds a metadata snapshot"
            dmsetup message "${pool%:}" 0 release_metadata_snap
        fi
    done
    awk '$1 ~ "^/dev/(mapper|dm-|loop)" { print $2 }' /proc/mounts | tac | xargs -r umount -l
    cd /
    vgs=$(vgs --noheadings -o vg_name 2>/dev/null)
    # Whatever state a scenario has brought its volumes into, LVM need not understand it.
    # shellcheck disable=SC2086
    [ -z "$vgs" ] || timeout 60 vgremove -q -q -ff -y $vgs >/dev/null 2>&1 || true
    [ "$(dmsetup ls)" = 'No devices found' ] || dmsetup remove_all --force --retry >/dev/null 2>&1
    losetup -D
    rm -rf /scratch/* "$work" /run/lock/hyperlayer* /run/hyperlayer*
    udevadm settle
    line=$(dmsetup ls)
    [ "$line" = 'No devices found' ] || echo "these could not be removed: $line"
    line=$(losetup -l -n)
    [ -z "$line" ] || echo "these could not be removed: $line"
}

work=/tmp/work
for scenario in /payload/scenarios/*.sh; do
    name=$(basename "$scenario" .sh)
    log=$RESULTS/$name.log
    limit=$(sed -n 's/^# limit: *\([0-9]*\).*/\1/p' "$scenario")
    mkdir -p $work
    start=$EPOCHREALTIME
    # Its own session, so that what it leaves running is found.
    WORK=$work setsid timeout --foreground --kill-after=5 "${limit:-120}" bash "$scenario" </dev/null >"$log" 2>&1 &
    session=$!
    wait $session
    status=$?
    reason=
    case $status in
    0) ;;
    124 | 137) reason="not done after ${limit:-120} s" ;;
    *) reason="exit status $status" ;;
    esac
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

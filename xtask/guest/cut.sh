# Cuts a transfer over ssh at points that chance chooses: `. cut.sh`, after `. sync.sh`.
#
#   cuts COUNT                      so many generations of src/data, each of whose transfers to far:dst/data is cut once, in each
#                                   of the ways in turn; the destination is the old or the new state each time, or, where the far
#                                   program was killed between two renames, without its name until the next run, and goes on

# The ways to cut: what becomes of ssh, of the far program, of the network, of the near program.
cut_by() {
    case $1 in
    ssh) pkill -KILL -x ssh ;;
    far) ip netns pids far | xargs ps -o pid=,args= -p | awk '/serve --stdio/ { print $1 }' | xargs -r kill -KILL ;;
    network) cut_network ;;
    near) kill -KILL "$sync" ;;
    term) kill -TERM "$sync" ;;
    esac
}

cuts() {
    local n how status now tenths begun resumed=0 old=0 new=0 ways=(ssh far network near term)
    STATES=$WORK/states
    mkdir -p "$STATES"
    sync_to 0 src/data far:dst/data --pool pool
    # What a run takes here by itself, and the 16 s that a generation's 4 MiB then take.
    tenths=$(said seconds | awk '{ print int($1 * 10) + 160 }')
    sha256sum </dev/src/data >"$STATES/0.sha256"
    for n in $(seq "$1"); do
        how=${ways[n % ${#ways[@]}]}
        write_pattern src/data $((n % 8))m 4m "cut $n"
        sha256sum </dev/src/data >"$STATES/$n.sha256"
        deactivate dst/data
        lvbackup -q sync src/data far:dst/data --bwlimit 256k --stall-timeout 10s 2>cut.stderr &
        sync=$!
        # Anywhere; every second time in the midst of the transfer.
        if [ $((n % 2)) = 0 ]; then
            within 120 durable_or_over
            sleep $((RANDOM % 2)).$((RANDOM % 10))
        else
            sleep "$((RANDOM % tenths))e-1"
        fi
        cut_by $how || true
        status=0
        wait $sync || status=$?
        [ $how != network ] || mend_network
        # The far end notices by itself that nobody is there any more.
        within 60 no_server
        # LVM cannot exchange two names at once: a far program that is killed between its two renames leaves the name free.
        if [ $how = far ] && between_renames; then now=between; else now=$(whole_state); fi
        echo "cut $n ($how): exit status $status, destination is $now" >&2
        sed 's/^/    /' cut.stderr >&2
        [ "$now" = $n ] || [ "$now" = $((n - 1)) ] || [ "$now" = between ] || fail "after cut $n the destination is $now"
        [ "$status" != 0 ] || [ "$now" = $n ] || fail "exit status 0, and the destination is old"
        if [ "$now" = $n ]; then new=$((new + 1)); else old=$((old + 1)); fi
        [ "$now" = between ] || deactivate dst/data
        lvbackup recv --list-partial -v dst >partial
        begun=no
        ! grep 'up to [1-9]' partial || begun=yes
        sync_to 0 src/data far:dst/data
        if [ "$(said resumed)" = true ]; then
            resumed=$((resumed + 1))
        elif [ $begun = yes ]; then
            fail "what was durable at cut $n was sent again"
        fi
        [ "$(whole_state)" = $n ] || fail "after the next run the destination is old"
    done
    echo "cuts: $1, the destination was old after $old and new after $new, the next run resumed $resumed" >&2
    [ $resumed -gt 0 ]
}

durable_or_over() {
    durable dst || ! kill -0 $sync
}

# The name is free, and what had it and what is to get it are both there.
between_renames() {
    local names
    names=$(lvs --noheadings -o lv_name dst)
    ! grep -qx ' *data *' <<<"$names" && grep -q hyperlayer-live- <<<"$names" && grep -q hyperlayer-old- <<<"$names"
}

no_server() {
    ! ip netns pids far | xargs -r ps -o args= -p | grep 'serve --stdio'
}

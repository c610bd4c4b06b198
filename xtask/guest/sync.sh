# Helpers for scenarios about replication: `. sync.sh`, after `. lib.sh`.
#
#   far_host [FORCED_COMMAND]       a real sshd that `ssh far` reaches over a network of its own; both ends see the same volumes
#   cut_network  mend_network       from now on every packet is lost, without a word to either end; or is not any more
#   make_pair SIZE [CHUNK]          src/pool with src/data of that size, written to in its first 8 MiB, and an empty dst/pool
#   change SEED                     1 MiB of src/data is other than before, 256 KiB are discarded
#   sync_to EXIT ARGUMENTS...       `lvbackup sync --json ARGUMENTS...`, demands that status; its summary is kept for `said`
#   said KEY                        prints what the last summary says
#   mirrored [SNAPSHOT]             dst/data is what src/data is, or what that snapshot of it is
#   whole_state                     prints which of the states in $STATES (files NAME.sha256) dst/data is in; fails where in none
#   durable VG                      something of a layer is durable there that is not whole yet
#   layers VG                       prints the names of the pair's layers, oldest first

far_host() {
    local forced=${1:+restrict,command=\"$1\" }
    mkdir -p /run/sshd
    ln -sf /payload/bin/lvbackup /usr/local/bin/lvbackup
    [ ! -e /payload/with/lvbackup ] || ln -sf /payload/with/lvbackup /usr/local/bin/lvbackup
    ssh-keygen -q -A
    mkdir -p -m 700 /root/.ssh
    [ -e /root/.ssh/id_ed25519 ] || ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519
    echo "$forced$(cat /root/.ssh/id_ed25519.pub)" >/root/.ssh/authorized_keys
    if [ ! -e /run/netns/far ]; then
        ip netns add far
        ip link add near type veth peer name eth0 netns far
        ip addr add 10.9.0.1/24 dev near
        ip link set near up
        ip -n far addr add 10.9.0.2/24 dev eth0
        ip -n far link set eth0 up
        ip -n far link set lo up
        ip netns exec far /usr/sbin/sshd -E "$WORK/sshd.log"
        printf 'Host far\nHostName 10.9.0.2\nStrictHostKeyChecking accept-new\nLogLevel ERROR\n' >/root/.ssh/config
        at_end no_far_host
    fi
    ssh far true || [ -n "$forced" ]
}

no_far_host() {
    # Its children are in the scenario's control group, and would be found there.
    ip netns pids far | xargs -r kill -KILL
    ip netns delete far
    rm -rf /root/.ssh/known_hosts /usr/local/bin/lvbackup
}

cut_network() {
    ip netns exec far tc qdisc replace dev eth0 root netem loss 100%
    tc qdisc replace dev near root netem loss 100%
}

mend_network() {
    ip netns exec far tc qdisc del dev eth0 root
    tc qdisc del dev near root
}

make_pair() {
    make_pool src pool $(($(bytes "$1") * 3 / 1024))k "${2:-64k}"
    make_volume src/pool data "$1"
    write_pattern src/data 0 8m first
    make_pool dst pool $(($(bytes "$1") * 3 / 1024))k "${2:-64k}"
    remember dst
}

change() {
    write_pattern src/data $(((($1 * 3) % 8)))m 1m "change $1"
    discard src/data $(((($1 * 5) % 8)))m 256k
}

sync_to() {
    local status=$1
    shift
    expect_exit "$status" lvbackup sync --json "$@" >summary
}

said() {
    sed -n "s/.*\"$1\": *\([^,}]*\).*/\1/p" summary | tr -d '"'
}

mirrored() {
    local source=${1:-data}
    activate "src/$source"
    [ -e /dev/dst/data ] || activate dst/data
    same "src/$source" dst/data
}

whole_state() {
    local sum state
    activate dst/data
    sum=$(sha256sum </dev/dst/data)
    for state in "$STATES"/*.sha256; do
        [ "$sum" != "$(cat "$state")" ] || { basename "$state" .sha256; return; }
    done
    fail "dst/data is in no state that src/data ever was in"
}

durable() {
    lvbackup recv --list-partial -v "$1" | grep 'up to [1-9]'
}

layers() {
    lvs --noheadings -o lv_name,lv_tags --sort lv_time "$1" | awk '/hyperlayer\.sync=/ && $1 ~ /-sync-/ { print $1 }'
}

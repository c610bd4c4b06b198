# Helpers for scenarios about stores: `. store.sh`, after `. lib.sh`.
#
#   make_source SIZE                src/pool with src/data, written to once, and a key in `key.txt`
#   generation N [OPTION...]        changes src/data, backs it up into $STORE with the tag gN, and keeps its content's hash
#   backing_up RATE                 starts a slow full backup of src/data, and returns when it writes; its process is $backup
#   gives_back N...                 $STORE gives these generations back, byte for byte
#   kept                            prints the numbers of the generations in $STORE

RECIPIENT=age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj

make_source() {
    make_pool src pool 96m 64k
    make_volume src/pool data "$1"
    write_pattern src/data 0 3m first
    echo AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX >key.txt
}

# What differs from one to the next: new content, old content that comes back, and holes.
generation() {
    local n=$1
    shift
    write_pattern src/data $((n % 14))m 700k "g$((n % 5))"
    ((n % 3)) || discard src/data $(((n + 5) % 15))m 256k
    sha256sum </dev/src/data >g$n.sha256
    expect_exit 0 lvbackup backup src/data "$STORE" --tag g$n --encrypt-to $RECIPIENT "$@"
    sed -n 's/^lvbackup: layer \([^ ]*\) (.*/\1/p' lvbackup.stderr >g$n.layer
    [ -s g$n.layer ]
}

backing_up() {
    lvbackup -q backup src/data "$STORE" --full --compress none --bwlimit "$1" --encrypt-to $RECIPIENT 2>backup.stderr &
    backup=$!
    within 60 being_received src
    # The snapshot is there; before it is read lie some commands.
    sleep 6
    kill -0 $backup
}

gives_back() {
    local n
    for n; do
        lvbackup -q restore "$STORE" --layer "$(cat g$n.layer)" --identity key.txt --to-file image
        sha256sum <image | cmp - g$n.sha256 || fail "generation $n came back as something else"
        rm image
    done
}

kept() {
    lvbackup list --json "$STORE" | sed -n 's/.*"tags":\["g\([0-9]*\)"\].*/\1/p' | sort -n | xargs
}

# limit: 3000
# A sync that is killed before each kind of command that changes the copy's names is finished by the next one.
. lib.sh
. copy.sh

expect_exit 0 sync
killed_before 'dst hyperlayer-partial-' '--deltag hyperlayer.partial=' '--activate n dst/copy' '--addtag hyperlayer.closed' 'dst copy hyperlayer-old-' \
    'dst hyperlayer-live-' 'dst/hyperlayer-old-'

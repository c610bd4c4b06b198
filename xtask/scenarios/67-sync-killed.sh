# limit: 900
# A sync that is killed between the two renames, and before it removes what was replaced, is finished by the next one.
# `soak sync-killed` kills it before each kind of command that changes names.
. lib.sh
. copy.sh

expect_exit 0 sync
killed_before 'dst hyperlayer-live-' 'dst/hyperlayer-old-'

# limit: 900
# A sync that is killed where the old copy is closed, and between the two renames, is finished by the next one.
# `soak sync-killed` kills it before each kind of command that changes names.
. lib.sh
. copy.sh

expect_exit 0 sync
killed_before 'dst copy hyperlayer-old-' 'dst hyperlayer-live-'

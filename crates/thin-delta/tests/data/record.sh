#!/bin/sh
# Records what the installed thin_delta and thin_dump print for the pool of pool.xml. Needs neither root nor a device.
set -eu
cd "$(dirname "$0")"
version=$(thin_delta -V)
image=$(mktemp)
trap 'rm -f "$image"' EXIT
truncate -s 1M "$image"
thin_restore --quiet -i pool.xml -o "$image"
thin_delta --snap1 1 --snap2 2 "$image" >"$version-delta.xml"
thin_delta --snap1 1 --snap2 2 --verbose "$image" >"$version-delta-verbose.xml"
thin_delta --snap1 3 --snap2 4 --verbose "$image" >"$version-delta-scattered-verbose.xml"
thin_delta --snap1 5 --snap2 1 "$image" >"$version-delta-right-only.xml"
thin_delta --snap1 5 --snap2 5 "$image" >"$version-delta-empty.xml"
thin_dump --dev-id 2 "$image" >"$version-dump.xml"
thin_dump --dev-id 5 "$image" >"$version-dump-empty.xml"
thin_dump --dev-id 77 "$image" >"$version-dump-no-such-device.xml"
thin_dump "$image" >"$version-dump-pool.xml"

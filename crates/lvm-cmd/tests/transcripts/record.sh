#!/bin/bash
# Makes debian-12.txt anew: runs the test `real::vm_record` on a real LVM, as root, on an empty disk that is overwritten.
# Needs the crate's test binary as `it` in PATH:
#
#   cargo test -p lvm-cmd --no-run            (prints the path of the binary `it`)
#   cargo xtask vm run --with .../it crates/lvm-cmd/tests/transcripts/record.sh
#
# DISK1 and RESULTS come from the guest; the transcript is left in RESULTS.
set -eu
export LVM_SUPPRESS_FD_WARNINGS=1
vgcreate my-vg "$DISK1"
lvcreate -L 256M -c 64k -T my-vg/my-pool
TRANSCRIPT=$RESULTS/debian-12.txt it --ignored --exact real::vm_record --nocapture
# Nothing to record here: a run is killed while it holds the metadata snapshot, and the next one finds it.
it --ignored --exact real::vm_recover --nocapture

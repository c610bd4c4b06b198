//! Tests of the crate's interface. What needs no LVM replays transcripts; those in `tests/transcripts` were recorded on
//! a real one.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod activation;
mod classic;
mod freeze;
mod fsarchiver;
mod host;
mod loops;
mod metadata_snapshot;
mod names;
mod pool;
mod real;
mod remembering;
mod removal;
mod report;
mod self_test;
mod stack;
mod transcript;
mod volume;

use lvm_cmd::with_causes as chain;
use testkit::{POOL_UUID, lv_row as row, lvs_step as lvs, pool_row};

/// The volumes of a report of these rows.
fn parsed(rows: &[String]) -> Vec<lvm_cmd::Lv> {
    let exec = lvm_cmd::Scripted::from_transcript(&lvs(rows)).unwrap();
    lvm_cmd::volumes(&exec, &"vg0".parse().unwrap()).unwrap()
}

//! What the tests of this host share.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use lvm_cmd::{Lv, Patience, Remembering, Scripted, StateDir};
use retention::UnixSeconds;
use tempfile::TempDir;
use transfer::lvm::Lvm;

use super::{LvmHost, Setup, ThisRun};
use crate::Pair;

/// A thin volume of group `vg0` as LVM reports it.
pub(super) fn lv(changes: &[(&str, &str)]) -> Lv {
    let exec = Scripted::from_transcript(&testkit::lvs_step(&[testkit::lv_row(changes)])).unwrap();
    lvm_cmd::volumes(&exec, &"vg0".parse().unwrap()).unwrap().remove(0)
}

pub(super) fn pair() -> Pair {
    "web1:vg0/data".parse().unwrap()
}

/// The folders of a machine.
pub(super) struct Machine {
    folder: TempDir,
    state: StateDir,
    pub(super) locks: StateDir,
    stop: AtomicBool,
}

impl Machine {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::with_boot_id(folder.path().join("state"), "this-boot");
        let locks = StateDir::with_boot_id(folder.path().join("locks"), "this-boot");
        Self { folder, state, locks, stop: AtomicBool::new(false) }
    }

    /// Where the image lies that `thin_delta` is tested with.
    pub(super) fn scratch(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// A host at which it is 2026-11-21 18:10 UTC, and LVM answers from a script: all of it, and nothing else, and
    /// what did not change it is asked once.
    pub(super) fn host<T>(&self, script: &str, run: impl FnOnce(&LvmHost<'_>) -> T) -> T {
        let exec = Remembering::new(Scripted::from_transcript(script).unwrap());
        let path = self.folder.path();
        let (state, stop, patience) = (&self.state, &self.stop, Patience::new(Duration::ZERO));
        let lvm = Lvm { exec: &exec, state, scratch: path, nodes: path, patience, stop };
        let this = ThisRun::start(&lvm).unwrap();
        let now = || UnixSeconds::new(1_795_284_600).unwrap();
        run(&LvmHost::new(lvm, &this, Setup { now: &now, ledgers: path, locks: &self.locks, tool: "test 0" }))
    }
}

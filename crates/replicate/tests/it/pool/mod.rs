//! The host on LVM, over pools in memory: what several runs make of them, whatever fails, and whoever comes between.

mod adversary;
mod altered;
mod lvm;
mod partial;
mod received;
mod reports;
mod scenarios;

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use lvm_cmd::{Executor, Patience, Remembering, StateDir};
use replicate::lvm::{LvmHost, Setup, ThisRun, removable};
use replicate::{Host, Summary, Sync, SyncError, Verify};
use retention::UnixSeconds;
use tempfile::TempDir;
use testkit::Damage;
use transfer::lvm::Lvm;

use crate::model::{self, Told, run_on};
use altered::Altering;
use lvm::{Actor, CHUNK, Fault, Machine, SIZE};

/// A machine with the groups `vg0` and `vg1`, and the files of its runs.
struct World {
    folder: TempDir,
    machine: Machine,
    state: StateDir,
    stop: AtomicBool,
    run: ThisRun,
}

/// What every run on it is given.
fn lvm<'a>(exec: &'a dyn Executor, world: &'a World) -> Lvm<'a> {
    lvm_in(exec, &world.state, &world.stop, &world.machine.nodes, world.folder.path())
}

fn lvm_in<'a>(
    exec: &'a dyn Executor,
    state: &'a StateDir,
    stop: &'a AtomicBool,
    nodes: &'a Path,
    scratch: &'a Path,
) -> Lvm<'a> {
    Lvm { exec, state, scratch, nodes, patience: Patience::new(Duration::from_secs(5)), stop }
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let machine = Machine::new(folder.path().join("nodes"));
        let state = StateDir::with_boot_id(folder.path().join("state"), "this-boot");
        let stop = AtomicBool::new(false);
        let run = {
            let actor = Actor::new(&machine, Fault::None, None);
            ThisRun::start(&lvm_in(&actor, &state, &stop, &machine.nodes, folder.path())).unwrap()
        };
        Self { folder, machine, state, stop, run }
    }

    /// One with a source, `vg0/data`.
    fn with_source() -> Self {
        let this = Self::new();
        let mut content = vec![0; SIZE];
        for n in [0, 2, 4] {
            let chunk = &mut content[n * CHUNK..(n + 1) * CHUNK];
            chunk.iter_mut().enumerate().for_each(|(n, byte)| *byte = u8::try_from(n % 251).unwrap());
        }
        this.machine.make("vg0/data", &content);
        this
    }

    /// One run of `lvbackup sync`.
    fn sync_as(&self, actor: &Actor<'_>, want: &Sync) -> (Result<Summary, SyncError>, Told) {
        self.sync_cut(actor, want, model::Fault::None)
    }

    /// The same, where a connection is cut.
    fn sync_cut(&self, actor: &Actor<'_>, want: &Sync, cut: model::Fault) -> (Result<Summary, SyncError>, Told) {
        self.sync_between(actor, |source, destination| run_on(want, [source, destination], cut))
    }

    /// The same, where the source's stream is altered on its way.
    fn sync_altered(&self, want: &Sync, damage: &Damage, cut: model::Fault) -> (Result<Summary, SyncError>, Told) {
        let actor = Actor::new(&self.machine, Fault::None, None);
        self.sync_between(&actor, |host, destination| run_on(want, [&Altering { host, damage }, destination], cut))
    }

    fn sync_between<T>(&self, actor: &Actor<'_>, run: impl FnOnce(&dyn Host, &dyn Host) -> T) -> T {
        let exec = Remembering::new(actor);
        // Each look takes two seconds, so that every record is made durable.
        let now = || {
            let mut state = self.machine.state.lock().unwrap();
            state.now += 2;
            UnixSeconds::new(state.now).unwrap()
        };
        let setup = Setup { now: &now, ledgers: self.folder.path(), locks: &self.state, tool: "test 0" };
        let host = || LvmHost::new(lvm(&exec, self), &self.run, setup);
        let (source, destination) = (host(), host());
        run(&source, &destination)
    }

    fn sync(&self, want: &Sync) -> Result<Summary, SyncError> {
        self.sync_as(&Actor::new(&self.machine, Fault::None, None), want).0
    }

    /// What the daemon does in pools that stay too full: it removes all that it may.
    fn make_room_as(&self, actor: &Actor<'_>) {
        for vg in ["vg0", "vg1"] {
            let Ok(group) = lvm_cmd::volumes(actor, &vg.parse().unwrap()) else { continue };
            for (layer, tag) in removable(&group, &format!("{vg}/pool").parse().unwrap()) {
                let _ = lvm_cmd::remove(actor, &layer.name, tag);
            }
        }
    }

    fn content(&self, name: &str) -> Option<Vec<u8>> {
        self.machine.content(name)
    }

    fn write(&self, name: &str, chunk: usize, byte: u8) {
        self.machine.write(name, chunk, byte);
    }

    fn names(&self, part: &str) -> Vec<String> {
        self.machine.with(|state| state.volumes.keys().filter(|name| name.contains(part)).cloned().collect())
    }

    /// As `lvremove`.
    fn lose(&self, name: &str) {
        self.command(lvm_cmd::Program::Lvremove, &["-f", name]);
    }

    fn command(&self, program: lvm_cmd::Program, words: &[&str]) {
        self.machine.answer(&lvm_cmd::Command::new(program).args(words)).unwrap();
    }

    #[track_caller]
    fn is_mirrored(&self, source: &str, destination: &str) {
        let (here, there) = (self.content(source), self.content(destination));
        assert!(here == there, "{destination} is not as {source}: {:?}", self.names(""));
        self.machine.with(|state| {
            let copy = &state.volumes[destination];
            assert!(copy.active && !copy.read_only && copy.tag("hyperlayer.closed").is_none(), "{copy:?}");
            let ours = state.volumes.keys().find(|name| name.contains("hyperlayer-"));
            assert_eq!(ours, None, "something is left");
        });
    }
}

/// `lvbackup sync vg0/data vg1/copy`, with rules that keep `last` on both sides.
fn want(last: usize) -> Sync {
    let keep = || format!("last={last}").parse().unwrap();
    Sync { keep_source: keep(), keep_destination: keep(), verify: Verify::Full, ..model::want() }
}

fn between(source: &str, destination: &str, last: usize) -> Sync {
    Sync { source: source.parse().unwrap(), destination: destination.parse().unwrap(), ..want(last) }
}

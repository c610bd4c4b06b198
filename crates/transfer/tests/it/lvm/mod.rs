//! The LVM side on scripts: which commands are run, in which order, and what is undone when one fails.

mod lineage;
mod metadata;
mod own;
mod partial;
mod receive;
mod select;
mod source;
mod space;

use std::fs::File;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use lvm_cmd::{Lv, LvName, LvRef, Patience, Scripted, StateDir};
use tempfile::TempDir;
use testkit::{lv_row, lvs_step};
use transfer::lvm::Lvm;

/// The size of every volume here, in bytes.
const SIZE: u64 = 16 << 20;
const UUID: &str = "jeQKMH-O6R5-y0Qz-wjUO-mBqa-Ye7u-UXe37K";

/// The folders of a machine.
struct Machine {
    folder: TempDir,
    state: StateDir,
    locks: StateDir,
    stop: AtomicBool,
    nodes: PathBuf,
}

impl Machine {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::with_boot_id(folder.path().join("state"), "this-boot");
        let locks = StateDir::with_boot_id(folder.path().join("locks"), "this-boot");
        let nodes = folder.path().join("nodes");
        std::fs::create_dir(&nodes).unwrap();
        Self { folder, state, locks, stop: AtomicBool::new(false), nodes }
    }

    /// Everything that LVM is asked must stand in the script, and the other way round.
    fn lvm<'a>(&'a self, exec: &'a dyn lvm_cmd::Executor) -> Lvm<'a> {
        Lvm {
            exec,
            state: &self.state,
            scratch: self.folder.path(),
            nodes: &self.nodes,
            patience: Patience::new(Duration::ZERO),
            stop: &self.stop,
        }
    }

    /// The node of a volume, a file of this size.
    fn node(&self, name: &str, size_bytes: u64) {
        let node = self.nodes.join(lv_ref(name).dm_name());
        File::create(node).unwrap().set_len(size_bytes).unwrap();
    }
}

fn script(text: &str) -> Scripted {
    Scripted::from_transcript(text).unwrap()
}

/// A step that succeeds without a word.
fn ok(command: &str) -> String {
    format!("$ {command}\n= 0\n")
}

/// A step that fails.
fn fails(command: &str) -> String {
    format!("$ {command}\n!   Something is wrong.\n= 5\n")
}

/// A step that fails, and the report by which it is judged.
fn fails_then(command: &str, rows: &[String]) -> String {
    format!("{}{}", fails(command), lvs_step(rows))
}

fn lv_ref(name: &str) -> LvRef {
    format!("vg0/{name}").parse().unwrap()
}

fn lv_name(name: &str) -> LvName {
    name.parse().unwrap()
}

/// The name of the n-th volume that this process makes for itself.
fn own_name(made: u32) -> String {
    format!("hyperlayer-{}-folder-{made}", std::process::id())
}

/// A thin volume as LVM reports it.
fn lv(changes: &[(&str, &str)]) -> Lv {
    let exec = script(&lvs_step(&[lv_row(changes)]));
    lvm_cmd::volumes(&exec, &"vg0".parse().unwrap()).unwrap().remove(0)
}

/// The three steps that remove a volume of ours.
fn removal(name: &str, tag: &str) -> String {
    let row = lv_row(&[("lv_name", name), ("lv_tags", tag)]);
    let look = lvs_step(&[row]);
    let command = removal_command(name, tag);
    // What it says counts for nothing, nor its exit status: a report without the volume does.
    format!("{look}$ {command}\n!   Something is wrong.\n= 5\n{}", lvs_step(&[]))
}

fn removal_command(name: &str, tag: &str) -> String {
    format!("lvremove -f --select 'lv_uuid=\"{UUID}\" && lv_tags={{\"{tag}\"}}' vg0/{name}")
}

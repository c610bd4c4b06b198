use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use lvm_cmd::{Activation, ActivationOptions, Kind, Lv, Patience, Scripted, StateDir};
use tempfile::TempDir;

use crate::{chain, parsed, row};

const ON: &str = "$ lvchange -ay -K vg0/data\n= 0\n";
const OFF: &str = "$ lvchange -an vg0/data\n= 0\n";
const BUSY: &str = "$ lvchange -an vg0/data\n! Logical volume vg0/data in use.\n= 5\n";
const SETTLE: &str = "$ udevadm settle --timeout=1\n= 0\n";

fn script(steps: &[&str]) -> Scripted {
    Scripted::from_transcript(&steps.concat()).unwrap()
}

fn volume(attr: &str) -> Lv {
    parsed(&[row(&[("lv_attr", attr)])]).remove(0)
}

/// A folder in which the node is already.
fn nodes() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("vg0-data"), "").unwrap();
    folder
}

/// The state lies beside the nodes.
fn state(nodes: &TempDir) -> StateDir {
    StateDir::with_boot_id(nodes.path().join("state"), "this-boot")
}

fn options<'a>(nodes: &TempDir, state: &'a StateDir, limit: u64) -> ActivationOptions<'a> {
    let mut options = ActivationOptions::new(state, Patience::new(Duration::from_millis(limit)));
    options.nodes = nodes.path().to_owned();
    options
}

/// What `SIGKILL` leaves: no `Drop` runs, and the system closes the files.
fn killed(exec: &Scripted, nodes: &TempDir) {
    let state = state(nodes);
    let active = Activation::ensure(exec, &volume("Vwi---tz-k"), options(nodes, &state, 0)).unwrap();
    let path = fs::read_dir(state.path()).unwrap().next().unwrap().unwrap().path();
    let content = fs::read(&path).unwrap();
    drop(active);
    fs::write(path, content).unwrap();
}

#[test]
fn what_was_inactive_is_so_again() {
    let nodes = nodes();
    let state = state(&nodes);
    let exec = script(&[ON, OFF]);
    let active = Activation::ensure(&exec, &volume("Vwi---tz-k"), options(&nodes, &state, 0)).unwrap();
    assert_eq!(active.path(), nodes.path().join("vg0-data"));
    drop(active);
}

#[test]
fn what_was_active_stays_so() {
    let nodes = nodes();
    let state = state(&nodes);
    let exec = script(&[]);
    Activation::ensure(&exec, &volume("Vwi-a-tz--"), options(&nodes, &state, 0)).unwrap().release().unwrap();
}

#[test]
fn panic_deactivates() {
    let nodes = nodes();
    let state = state(&nodes);
    let exec = script(&[ON, OFF]);
    let caught = catch_unwind(AssertUnwindSafe(|| {
        let _active = Activation::ensure(&exec, &volume("Vwi---tz-k"), options(&nodes, &state, 0)).unwrap();
        panic!("in the middle");
    }));
    assert!(caught.is_err());
}

#[test]
fn a_volume_in_use_is_tried_again() {
    let nodes = nodes();
    let state = state(&nodes);
    let exec = script(&[ON, BUSY, BUSY, OFF]);
    let active = Activation::ensure(&exec, &volume("Vwi---tz-k"), options(&nodes, &state, 10_000)).unwrap();
    active.release().unwrap();
}

#[test]
fn one_that_stays_in_use_is_reported() {
    let nodes = nodes();
    let state = state(&nodes);
    let exec = script(&[ON, BUSY, BUSY]);
    let active = Activation::ensure(&exec, &volume("Vwi---tz-k"), options(&nodes, &state, 50)).unwrap();
    let error = active.release().unwrap_err();
    assert_eq!(error.kind(), Kind::Busy);
    assert!(error.to_string().contains("later: `lvchange -an vg0/data`"), "{error}");
}

#[test]
fn a_node_that_comes_late_is_waited_for() {
    let nodes = tempfile::tempdir().unwrap();
    let state = state(&nodes);
    let exec = script(&[ON, SETTLE, OFF]);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(100));
            fs::write(nodes.path().join("vg0-data"), "").unwrap();
        });
        drop(Activation::ensure(&exec, &volume("Vwi---tz-k"), options(&nodes, &state, 1900)).unwrap());
    });
}

#[test]
fn without_a_node_the_volume_is_deactivated() {
    let nodes = tempfile::tempdir().unwrap();
    let state = state(&nodes);
    let exec = script(&[ON, SETTLE, OFF]);
    let error = Activation::ensure(&exec, &volume("Vwi---tz-k"), options(&nodes, &state, 60)).unwrap_err();
    assert_eq!(error.kind(), Kind::Environment);
    assert!(error.to_string().contains("does not appear"), "{error}");
}

#[test]
fn a_refused_activation_undoes_nothing() {
    let nodes = nodes();
    let state = state(&nodes);
    let exec = script(&["$ lvchange -ay -K vg0/data\n! Check of pool vg0/pool failed (status:1).\n= 5\n"]);
    let error = Activation::ensure(&exec, &volume("Vwi---tz-k"), options(&nodes, &state, 0)).unwrap_err();
    assert_eq!(
        chain(&error),
        "cannot activate `vg0/data`: `lvchange -ay -K vg0/data` exited with status 5: Check of pool vg0/pool failed (status:1)."
    );
}

#[test]
fn of_several_runs_the_last_one_deactivates() {
    let nodes = nodes();
    let state = state(&nodes);
    let exec = script(&[ON, OFF]);
    let first = Activation::ensure(&exec, &volume("Vwi---tz-k"), options(&nodes, &state, 0)).unwrap();
    let second = Activation::ensure(&exec, &volume("Vwi-a-tz-k"), options(&nodes, &state, 0)).unwrap();
    // It would say that the volume is in use.
    first.release().unwrap();
    second.release().unwrap();
    assert_eq!(fs::read_dir(state.path()).unwrap().count(), 0);
}

#[test]
fn what_another_run_deactivates_meanwhile_is_activated_again() {
    let nodes = tempfile::tempdir().unwrap();
    let state = state(&nodes);
    let exec = script(&[ON, SETTLE, OFF]);
    assert!(Activation::ensure(&exec, &volume("Vwi-a-tz-k"), options(&nodes, &state, 10)).is_err());
}

#[test]
fn what_a_killed_run_left_active_is_deactivated() {
    let nodes = nodes();
    let state = state(&nodes);
    let exec = script(&[ON, OFF, OFF]);
    killed(&exec, &nodes);
    let active = volume("Vwi-a-tz-k");
    assert!(Activation::end_left_over(&exec, &active, &state).unwrap());
    assert!(!Activation::end_left_over(&exec, &active, &state).unwrap());
}

#[test]
fn what_is_not_known_as_left_by_a_killed_run_stays_active() {
    let nodes = nodes();
    let state = state(&nodes);
    let (inactive, active, open) = (volume("Vwi---tz-k"), volume("Vwi-a-tz-k"), volume("Vwi-aotz-k"));
    let exec = script(&[ON, OFF, ON, OFF, ON, OFF]);

    let live = Activation::ensure(&exec, &inactive, options(&nodes, &state, 0)).unwrap();
    assert!(!Activation::end_left_over(&exec, &active, &state).unwrap(), "another run uses it");
    live.release().unwrap();

    killed(&exec, &nodes);
    assert!(!Activation::end_left_over(&exec, &open, &state).unwrap(), "somebody has it open");
    assert!(!Activation::end_left_over(&exec, &active, &state).unwrap(), "and it is theirs for good");

    killed(&exec, &nodes);
    let later = StateDir::with_boot_id(state.path(), "next-boot");
    assert!(!Activation::end_left_over(&exec, &active, &later).unwrap(), "it was activated in this boot");
}

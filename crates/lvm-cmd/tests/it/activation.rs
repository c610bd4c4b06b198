use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use lvm_cmd::{
    Activation, ActivationOptions, Kind, Lv, Patience, Scripted, StateDir, check_activation_lists, is_active_for_us,
};
use tempfile::TempDir;
use testkit::LISTS_STEP;

use crate::{chain, lvs, parsed, row};

const ON: &str = "$ lvchange -ay -K vg0/data\n= 0\n";
const OFF: &str = "$ lvchange -an vg0/data\n= 0\n";
const FAILED: &str = "$ lvchange -an vg0/data\n! Whatever it says.\n= 5\n";
const SETTLE: &str = "$ udevadm settle --timeout=1\n= 0\n";

fn script(steps: &[&str]) -> Scripted {
    Scripted::from_transcript(&steps.concat()).unwrap()
}

/// Deactivation fails, and a report says afterwards how the volume is.
fn fails(attr: &str) -> String {
    format!("{FAILED}{}", report(attr))
}

fn report(attr: &str) -> String {
    lvs(&[row(&[("lv_attr", attr)])])
}

const OPEN: &str = "Vwi-aotz-k";
const IDLE: &str = "Vwi-a-tz-k";
const INACTIVE: &str = "Vwi---tz-k";

fn volume(attr: &str) -> Lv {
    parsed(&[row(&[("lv_attr", attr)])]).remove(0)
}

/// A folder in which the node is already.
fn nodes() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("vg0-data"), "").unwrap();
    folder
}

fn options(nodes: &TempDir, limit: u64) -> ActivationOptions<'static> {
    let mut options = ActivationOptions::new(state(nodes), Patience::new(Duration::from_millis(limit)));
    options.nodes = nodes.path().to_owned();
    options
}

/// A state folder beside the nodes.
fn state(nodes: &TempDir) -> &'static StateDir {
    Box::leak(Box::new(StateDir::with_boot_id(nodes.path().join("state"), "boot")))
}

#[test]
fn what_was_inactive_is_so_again() {
    let nodes = nodes();
    let exec = script(&[ON, OFF]);
    let active = Activation::ensure(&exec, &volume("Vwi---tz-k"), options(&nodes, 0)).unwrap();
    assert_eq!(active.path(), nodes.path().join("vg0-data"));
    drop(active);
}

#[test]
fn what_was_active_stays_so() {
    let nodes = nodes();
    let exec = script(&[]);
    Activation::ensure(&exec, &volume("Vwi-a-tz--"), options(&nodes, 0)).unwrap().release().unwrap();
}

#[test]
fn panic_deactivates() {
    let nodes = nodes();
    let exec = script(&[ON, OFF]);
    let caught = catch_unwind(AssertUnwindSafe(|| {
        let _active = Activation::ensure(&exec, &volume("Vwi---tz-k"), options(&nodes, 0)).unwrap();
        panic!("in the middle");
    }));
    assert!(caught.is_err());
}

#[test]
fn a_volume_in_use_is_tried_again() {
    let nodes = nodes();
    let exec = script(&[ON, &fails(OPEN), &fails(OPEN), OFF]);
    let active = Activation::ensure(&exec, &volume("Vwi---tz-k"), options(&nodes, 10_000)).unwrap();
    active.release().unwrap();
}

#[test]
fn one_that_stays_in_use_is_reported() {
    let nodes = nodes();
    let exec = script(&[ON, &fails(OPEN), &fails(OPEN)]);
    let active = Activation::ensure(&exec, &volume("Vwi---tz-k"), options(&nodes, 50)).unwrap();
    let error = active.release().unwrap_err();
    assert_eq!(error.kind(), Kind::Busy);
    assert!(error.to_string().contains("later: `lvchange -an vg0/data`"), "{error}");
}

#[test]
fn a_node_that_comes_late_is_waited_for() {
    let nodes = tempfile::tempdir().unwrap();
    let exec = script(&[ON, SETTLE, &report(IDLE), OFF]);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(100));
            fs::write(nodes.path().join("vg0-data"), "").unwrap();
        });
        drop(Activation::ensure(&exec, &volume("Vwi---tz-k"), options(&nodes, 1900)).unwrap());
    });
}

#[test]
fn without_a_node_the_volume_is_deactivated() {
    let nodes = tempfile::tempdir().unwrap();
    let exec = script(&[ON, SETTLE, &report(IDLE), OFF]);
    let error = Activation::ensure(&exec, &volume("Vwi---tz-k"), options(&nodes, 60)).unwrap_err();
    assert_eq!(error.kind(), Kind::Environment);
    assert!(error.to_string().contains("does not appear"), "{error}");
}

#[test]
fn a_refused_activation_undoes_nothing() {
    let nodes = nodes();
    let refused = "$ lvchange -ay -K vg0/data\n! Check of pool vg0/pool failed (status:1).\n= 5\n";
    let exec = script(&[refused, &report(INACTIVE), LISTS_STEP]);
    let error = Activation::ensure(&exec, &volume("Vwi---tz-k"), options(&nodes, 0)).unwrap_err();
    assert_eq!(
        chain(&error),
        "cannot activate `vg0/data`: `lvchange -ay -K vg0/data` exited with status 5: Check of pool vg0/pool failed (status:1)."
    );
}

#[test]
fn the_last_run_deactivates() {
    let nodes = nodes();
    let exec = script(&[ON, OFF]);
    let inactive = volume("Vwi---tz-k");
    let first = Activation::ensure(&exec, &inactive, options(&nodes, 0)).unwrap();
    // Whether the second one's report is from before the activation or from after it.
    for report in [&inactive, &volume("Vwi-a-tz-k")] {
        let second = Activation::ensure(&exec, report, options(&nodes, 0)).unwrap();
        second.release().unwrap();
    }
    first.release().unwrap();
}

#[test]
fn the_first_run_leaves_it_to_the_second() {
    let nodes = nodes();
    let exec = script(&[ON, OFF]);
    let first = Activation::ensure(&exec, &volume("Vwi---tz-k"), options(&nodes, 0)).unwrap();
    let second = Activation::ensure(&exec, &volume("Vwi-aotz-k"), options(&nodes, 0)).unwrap();
    first.release().unwrap();
    assert!(is_active_for_us(state(&nodes), &volume("Vwi-aotz-k")));
    second.release().unwrap();
    assert!(!is_active_for_us(state(&nodes), &volume("Vwi-aotz-k")));
}

#[test]
fn what_a_killed_run_had_activated_is_deactivated() {
    let nodes = nodes();
    let exec = script(&[ON]);
    let killed = Activation::ensure(&exec, &volume("Vwi---tz-k"), options(&nodes, 0)).unwrap();
    let uuid = volume("Vwi---tz-k").uuid;
    // What the process's end does to its locks, and no more.
    let marker = nodes.path().join(format!("state/active-{uuid}"));
    fs::copy(&marker, nodes.path().join("copy")).unwrap();
    fs::rename(nodes.path().join("copy"), &marker).unwrap();
    std::mem::forget(killed);

    assert!(is_active_for_us(state(&nodes), &volume("Vwi-a-tz-k")));
    assert!(!is_active_for_us(state(&nodes), &volume("Vwi-aotz-k")), "somebody else has it open");
    let exec = script(&[OFF]);
    Activation::ensure(&exec, &volume("Vwi-a-tz-k"), options(&nodes, 0)).unwrap().release().unwrap();
    assert!(!is_active_for_us(state(&nodes), &volume("Vwi-a-tz-k")));
}

#[test]
fn an_old_report_of_a_volume_that_is_gone_again() {
    let nodes = tempfile::tempdir().unwrap();
    let exec = script(&[SETTLE, ON, SETTLE, &report(IDLE), OFF]);
    Activation::ensure(&exec, &volume("Vwi-a-tz-k"), options(&nodes, 60)).unwrap_err();
}

#[test]
fn a_failed_deactivation_counts_by_what_became_of_the_volume() {
    let nodes = nodes();
    let release = |steps: &[&str], limit| {
        let exec = script(&[&[ON], steps].concat());
        Activation::ensure(&exec, &volume(INACTIVE), options(&nodes, limit)).unwrap().release()
    };
    release(&[&fails(INACTIVE)], 0).unwrap();
    release(&[FAILED, &lvs(&[])], 0).unwrap();
    // Closed just now: once more.
    release(&[&fails(IDLE), OFF], 10_000).unwrap();
    let error = release(&[&fails(IDLE), &fails(IDLE)], 10_000).unwrap_err();
    assert_eq!(error.kind(), Kind::Failed, "{error}");
    // Open again, and then closed.
    release(&[&fails(OPEN), &fails(OPEN), OFF], 10_000).unwrap();
}

#[test]
fn a_failed_activation_that_was_done_counts() {
    let nodes = nodes();
    let exec = script(&["$ lvchange -ay -K vg0/data\n! Whatever it says.\n= 5\n", &report(IDLE), OFF]);
    Activation::ensure(&exec, &volume(INACTIVE), options(&nodes, 0)).unwrap().release().unwrap();
}

/// `activation/volume_list`: lvchange passes over the volume and exits 0.
#[test]
fn what_lvm_leaves_inactive_names_the_setting_at_once() {
    let nodes = tempfile::tempdir().unwrap();
    let exec = script(&[ON, "$ udevadm settle --timeout=30\n= 0\n", &report(INACTIVE), OFF]);
    let error = Activation::ensure(&exec, &volume(INACTIVE), options(&nodes, 600_000)).unwrap_err();
    assert_eq!(error.kind(), Kind::Environment);
    assert!(error.to_string().contains("activation/volume_list"), "{error}");
}

/// The whole group is read-only: LVM loads the pool so, and the kernel refuses it.
#[test]
fn a_group_that_is_read_only_by_its_settings_is_named() {
    let nodes = nodes();
    let refused =
        "$ lvchange -ay -K vg0/data\n! device-mapper: reload ioctl on  (253:2) failed: Invalid argument\n= 5\n";
    let lists = LISTS_STEP.replace("\n= 0", "\n| read_only_volume_list=[\"vg0\"]\n= 0");
    let exec = script(&[refused, &report(INACTIVE), &lists]);
    let error = Activation::ensure(&exec, &volume("Vwi---tz-k"), options(&nodes, 0)).unwrap_err();
    assert_eq!(error.kind(), Kind::Environment);
    assert!(chain(&error).contains("reload ioctl on"), "{}", chain(&error));
    let hint = error.hint().unwrap();
    assert!(hint.starts_with("see `lvmconfig activation/read_only_volume_list`"), "{hint}");
}

#[test]
fn which_lists_forbid_a_group() {
    for (list, forbids) in [
        ("", None),
        ("read_only_volume_list=[]", None),
        ("read_only_volume_list=[\"other\",\"vg0\"]", Some("read-only")),
        ("read_only_volume_list=\"vg0\"", Some("read-only")),
        ("\tread_only_volume_list=[\"vg0/data\",\"vg0-2\",\"@tag\"]", None),
        ("volume_list=[]", Some("inactive")),
        ("volume_list=[\"other\",\"vg01/data\"]", Some("inactive")),
        ("volume_list=[\"other\",\"vg0\"]", None),
        ("volume_list=[\"vg0/data\"]", None),
        ("volume_list=[\"@*\"]", None),
    ] {
        let exec = script(&[&LISTS_STEP.replace("\n= 0", &format!("\n| {list}\n= 0"))]);
        let found = check_activation_lists(&exec, &"vg0".parse().unwrap());
        assert_eq!(found.is_err(), forbids.is_some(), "{list}: {found:?}");
        if let (Err(error), Some(forbids)) = (found, forbids) {
            assert!(error.to_string().contains(&format!("`vg0` {forbids}")), "{error}");
        }
    }
    // Without an answer, nothing is forbidden.
    check_activation_lists(&script(&[&LISTS_STEP.replace("= 0", "= 5")]), &"vg0".parse().unwrap()).unwrap();
}

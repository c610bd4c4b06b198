use testkit::{lv_row, lvs_step, pool_row};
use transfer::lvm::{Selection, Source};
use transfer::{Error, ErrorKind};

use super::{Machine, SIZE, fails_then, lv_ref, ok, script};

const ACTIVATE: &str = "lvchange -ay -K vg0/data";
const DEACTIVATE: &str = "lvchange -an vg0/data";
const TABLE: &str = "dmsetup table --target thin vg0-data";

fn table(answer: &str) -> String {
    format!("$ {TABLE}\n| {answer}\n= 0\n")
}

fn right() -> String {
    table("0 32768 thin 254:2 3")
}

fn open(attr: &str, node_bytes: u64, steps: &[String]) -> Result<(), Error> {
    let machine = Machine::new();
    machine.node("data", node_bytes);
    let found = lvs_step(&[pool_row(), lv_row(&[("lv_attr", attr)])]);
    let exec = script(&[found, steps.concat()].concat());
    let lvm = machine.lvm(&exec);
    let selection = Selection::find(&lvm, &lv_ref("data"), None, None).unwrap();
    let source = Source::open(&lvm, &selection)?;
    assert_eq!(source.new_volume().size().get(), SIZE);
    assert!(source.base().is_none());
    source.close()
}

#[test]
fn an_inactive_volume_is_inactive_again_afterwards() {
    open("Vri---tz-k", SIZE, &[ok(ACTIVATE), right(), ok(DEACTIVATE)]).unwrap();
}

#[test]
fn an_active_one_stays_so() {
    open("Vri-a-tz-k", SIZE, &[right()]).unwrap();
}

/// Whatever is wrong with it, what was inactive becomes so again.
#[test]
fn what_is_not_the_volume_that_was_meant() {
    let refused = |node_bytes, answer| {
        let steps = [ok(ACTIVATE), table(answer), ok(DEACTIVATE)];
        let error = open("Vri---tz-k", node_bytes, &steps).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Failed, "{error:?}");
        error.to_string()
    };
    assert_eq!(refused(SIZE, "0 32768 thin 254:2 9"), "`vg0/data` was removed and made anew meanwhile");
    // It reads through to an origin that no report named, so what was computed without one is wrong.
    assert_eq!(refused(SIZE, "0 32768 thin 254:2 3 254:7"), "`vg0/data` was removed and made anew meanwhile");
    assert!(refused(SIZE / 2, "0 32768 thin 254:2 3").contains("was it resized just now?"));
}

/// It stays active: the command that mends that is named.
#[test]
fn a_volume_that_stays_active() {
    let busy = fails_then(DEACTIVATE, &[lv_row(&[("lv_attr", "Vri-aotz-k")])]);
    let error = open("Vri---tz-k", SIZE, &[ok(ACTIVATE), right(), busy]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unfinished);
    assert!(error.to_string().contains("`lvchange -an vg0/data`"), "{error}");
}

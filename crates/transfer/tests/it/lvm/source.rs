use std::os::unix::fs::FileExt;
use std::time::Duration;

use block_copy::{Queue, Silent};
use extents::{Bytes, ChunkSize, Extent, ExtentSet};
use hyperlayer::LayerId;
use testkit::{lv_row, lvs_step, pool_row};
use transfer::lvm::{Selection, Source};
use transfer::{Compare, Delta, Error, ErrorKind, Geometry, Layer, Style, compare, diff};

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

/// Written to, in whatever order the rest is done: between its opening and the delta, between the delta and the reading, or
/// while it is read. The stream gets no end.
#[test]
fn a_volume_that_is_written_to_after_it_was_opened() {
    let machine = Machine::new();
    machine.node("data", SIZE);
    let exec = script(&[lvs_step(&[pool_row(), lv_row(&[("lv_attr", "Vwi-a-tz-k")])]), right()].concat());
    let lvm = machine.lvm(&exec);
    let selection = Selection::find(&lvm, &lv_ref("data"), None, None).unwrap();
    let source = Source::open(&lvm, &selection).unwrap();
    let whole = ExtentSet::from_iter(Extent::whole(Bytes::new(SIZE)));
    let layer = Layer {
        name: None,
        source: "vg0/data".to_owned(),
        id: LayerId::new("monday").ok(),
        parent: None,
        full: true,
        created: None,
        geometry: Geometry { size: Bytes::new(SIZE), base_size: Bytes::ZERO, chunk: ChunkSize::SECTOR },
        delta: Delta { data: whole.clone(), ..Delta::default() },
    };
    let style = Style {
        format: hyperlayer::Format::V1_1,
        detect: transfer::DetectLevel::None,
        meta: Vec::new(),
        tool: "test".to_owned(),
    };
    let (header, plan) = layer.plan(&style).unwrap();
    let send = |source: &Source<'_>| {
        let mut stream = Vec::new();
        let put = &mut |part: transfer::Part| {
            stream.extend_from_slice((*part).as_ref());
            Ok(())
        };
        diff(&header, &plan, source.new_volume(), source.base(), Queue::default(), &Silent, put).map(|_| stream)
    };
    let complete = send(&source).unwrap();

    std::thread::sleep(Duration::from_millis(20));
    let node = std::fs::File::options().write(true).open(machine.nodes.join("vg0-data")).unwrap();
    node.write_all_at(&[1], SIZE - 1).unwrap();
    let error = send(&source).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
    assert!(error.to_string().ends_with("vg0-data` changed while it was read"), "{error}");
    assert!(error.hint().unwrap().contains("make a snapshot"));
    let how = Compare { ranges: 1, queue: Queue::default() };
    let error = compare(source.new_volume(), source.new_volume(), &whole, how, &Silent).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
    assert!(!complete.is_empty());
}

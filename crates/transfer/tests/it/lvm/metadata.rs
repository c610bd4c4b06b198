use std::sync::atomic::Ordering;

use block_copy::Silent;
use extents::{Bytes, ExtentSet};
use testkit::{lv_row, lvs_step, pool_row};
use transfer::lvm::Selection;
use transfer::{Delta, Error, ErrorKind};

use super::{Machine, lv_ref, ok, script};

const NEW_UUID: &str = "new111-O6R5-y0Qz-wjUO-mBqa-Ye7u-UXe37K";
const RESERVE: &str = "dmsetup message vg0-pool-tpool 0 reserve_metadata_snap";
const RELEASE: &str = "dmsetup message vg0-pool-tpool 0 release_metadata_snap";
const COMPARE: &str = "thin_delta -m --snap1 3 --snap2 4 /dev/mapper/vg0-pool_tmeta";
const DUMP: &str = "thin_dump -m --dev-id 4 /dev/mapper/vg0-pool_tmeta";

fn group() -> Vec<String> {
    let new = lv_row(&[("lv_name", "new"), ("lv_uuid", NEW_UUID), ("lv_attr", "Vri---tz-k"), ("thin_id", "4")]);
    vec![pool_row(), new, lv_row(&[("lv_attr", "Vri---tz-k")])]
}

/// `thin_delta` on the built-in image.
fn self_test(machine: &Machine) -> String {
    let image = machine.folder.path().join("thin_delta-self-test.img");
    let right = "| <same begin=\"0\" length=\"5\"/>\n| <different begin=\"5\" length=\"1\"/>\n\
                 | <same begin=\"6\" length=\"4\"/>\n";
    format!("$ thin_delta --snap1 1 --snap2 2 {}\n{right}= 0\n", image.display())
}

/// `thin_dump` on the same.
fn dump_self_test(machine: &Machine) -> String {
    let image = machine.folder.path().join("thin_delta-self-test.img");
    let right =
        "| <device dev_id=\"2\">\n| <range_mapping origin_begin=\"0\" data_begin=\"100\" length=\"10\" time=\"0\"/>\n";
    format!("$ thin_dump --dev-id 2 {}\n{right}= 0\n", image.display())
}

fn status(transaction: u64, held_root: &str) -> String {
    format!(
        "$ dmsetup status --target thin-pool vg0-pool-tpool\n\
         | 0 204800 thin-pool {transaction} 114/102400 18/1600 {held_root} rw discard_passdown queue_if_no_space - 256\n\
         = 0\n"
    )
}

fn reserved(transaction: u64) -> String {
    [status(transaction, "-"), ok(RESERVE), status(transaction, "77")].concat()
}

fn released() -> String {
    [status(3, "77"), ok(RELEASE)].concat()
}

fn answer(command: &str, transaction: u64, flags: &str, chunk_sectors: u64, body: &str) -> String {
    let open = format!(
        "<superblock uuid=\"\" time=\"1\" transaction=\"{transaction}\"{flags} data_block_size=\"{chunk_sectors}\" \
         nr_data_blocks=\"0\">"
    );
    format!("$ {command}\n| {open}\n| {body}\n| </superblock>\n= 0\n")
}

const RUNS: &str = "<diff left=\"3\" right=\"4\"><same begin=\"0\" length=\"2\"/>\
                    <different begin=\"2\" length=\"1\"/></diff>";

fn delta(machine: &Machine, base: Option<&str>, steps: &[String]) -> Result<Delta, Error> {
    // What was reported before the metadata snapshot proves nothing of what is in it.
    let exec = lvm_cmd::Remembering::new(script(&[lvs_step(&group()), steps.concat()].concat()));
    let lvm = machine.lvm(&exec);
    let base = base.map(lv_ref);
    Selection::find(&lvm, &lv_ref("new"), base.as_ref(), None).unwrap().delta(&lvm, &Silent)
}

fn between(steps: &[String]) -> Result<Delta, Error> {
    let machine = Machine::new();
    delta(&machine, Some("data"), &[&[self_test(&machine)], steps].concat())
}

fn ranges(set: &ExtentSet<Bytes>) -> Vec<(u64, u64)> {
    set.iter().map(|range| (range.start().get(), range.end().get())).collect()
}

#[test]
fn what_differs() {
    let found = between(&[reserved(3), answer(COMPARE, 3, "", 128, RUNS), released()]).unwrap();
    assert_eq!(ranges(&found.data), [(131_072, 196_608)]);
    assert_eq!(ranges(&found.same), [(0, 131_072)]);
}

#[test]
fn what_is_mapped() {
    let device = "<device dev_id=\"4\" mapped_blocks=\"2\" transaction=\"0\" creation_time=\"0\" snap_time=\"0\">\
                  <range_mapping origin_begin=\"1\" data_begin=\"0\" length=\"2\" time=\"0\"/></device>";
    let machine = Machine::new();
    let steps = [dump_self_test(&machine), reserved(3), answer(DUMP, 3, "", 128, device), released()];
    let found = delta(&machine, None, &steps).unwrap();
    assert_eq!(ranges(&found.data), [(65_536, 196_608)]);
}

/// Whatever the answer is, the metadata snapshot is released.
#[test]
fn answers_that_are_not_believed() {
    let table = [
        answer(COMPARE, 2, "", 128, RUNS),
        answer(COMPARE, 3, "", 256, RUNS),
        answer(COMPARE, 3, " flags=\"1\"", 128, RUNS),
        answer(COMPARE, 3, "", 128, &RUNS.replace("right=\"4\"", "right=\"5\"")),
        answer(COMPARE, 3, "", 128, &RUNS.replace("</diff>", "")),
        answer(COMPARE, 3, "", 128, &RUNS.replace("same", "new_word")),
    ];
    for answer in table {
        let error = between(&[reserved(3), answer.clone(), released()]).unwrap_err();
        let expected = if answer.contains("flags") { ErrorKind::Surroundings } else { ErrorKind::Refused };
        assert_eq!(error.kind(), expected, "{answer}{error:?}");
    }
}

/// What the program says itself explains more than a document that breaks off.
#[test]
fn the_program_fails() {
    let failing = format!("$ {COMPARE}\n| <superblock\n! thin 4 does not exist\n= 1\n");
    let error = between(&[reserved(3), failing, released()]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Failed);
    assert!(format!("{error:?}").contains("thin 4 does not exist"), "{error:?}");
}

/// Thin ids are used again: where the pool has changed, the volumes are looked up once more.
#[test]
fn a_pool_that_changed_meanwhile() {
    let look = lvs_step(&group());
    between(&[reserved(4), look.clone(), answer(COMPARE, 4, "", 128, RUNS), released()]).unwrap();
    let other = look.replace(NEW_UUID, "other1-O6R5-y0Qz-wjUO-mBqa-Ye7u-UXe37K");
    let error = between(&[reserved(4), other, released()]).unwrap_err();
    assert_eq!(error.to_string(), "`vg0/new` was removed and made anew meanwhile");
    let renumbered = look.replace("\"thin_id\":\"4\"", "\"thin_id\":\"9\"");
    between(&[reserved(4), renumbered, released()]).unwrap_err();
}

/// A faulty program is never asked about volumes, and no metadata snapshot is made for it.
#[test]
fn a_faulty_program() {
    let machine = Machine::new();
    let wrong = self_test(&machine).replace("length=\"5\"", "length=\"10\"");
    let error = delta(&machine, Some("data"), &[wrong, ok("thin_delta -V")]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Surroundings, "{error:?}");
    let wrong = dump_self_test(&machine).replace("length=\"10\"", "length=\"9\"");
    let error = delta(&machine, None, &[wrong, ok("thin_dump -V")]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Surroundings, "{error:?}");
}

/// It was released by somebody else: what was read may be of another moment.
#[test]
fn a_metadata_snapshot_that_was_lost() {
    let error = between(&[reserved(3), answer(COMPARE, 3, "", 128, RUNS), status(3, "-")]).unwrap_err();
    assert!(error.to_string().contains("pool"), "{error}");
    assert_ne!(error.kind(), ErrorKind::Refused);
}

#[test]
fn a_request_to_stop_releases_it() {
    struct Stopped;
    impl block_copy::Progress for Stopped {
        fn stop_requested(&self) -> bool {
            true
        }
    }
    let machine = Machine::new();
    let steps = [self_test(&machine), reserved(3), answer(COMPARE, 3, "", 128, RUNS), released()];
    let exec = script(&[lvs_step(&group()), steps.concat()].concat());
    let lvm = machine.lvm(&exec);
    let selection = Selection::find(&lvm, &lv_ref("new"), Some(&lv_ref("data")), None).unwrap();
    machine.stop.store(true, Ordering::Relaxed);
    assert_eq!(selection.delta(&lvm, &Stopped).unwrap_err().kind(), ErrorKind::Stopped);
}

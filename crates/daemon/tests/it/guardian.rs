//! Pools: lines as the kernel prints them, and what is done.

use daemon::{Action, Levels, Percent, Pool, Purpose, Thresholds, judge};
use extents::{Bytes, Chunks};
use lvm_cmd::{LvRef, PoolStatus};
use proptest::prelude::*;

fn status(metadata: &str, data: &str, rest: &str) -> PoolStatus {
    PoolStatus::parse(&format!("0 409600 thin-pool 7 {metadata} {data} {rest}")).unwrap()
}

const WELL: &str = "- rw discard_passdown queue_if_no_space - 1024";

/// What is done in a pool without snapshots that can be removed, or with these, and why.
fn say(status: &PoolStatus, purpose: Purpose, removable: &[LvRef]) -> String {
    let pool = Pool { status, lvm_transaction_id: Some(7), holder_is_ours: false, removable };
    let verdict = judge(&pool, &Thresholds::default(), purpose);
    let action = match verdict.action {
        Action::Go => "go".to_owned(),
        Action::Warn => "warn".to_owned(),
        Action::Prune(volume) => format!("prune {volume}"),
        Action::Refuse => "refuse".to_owned(),
    };
    [action].into_iter().chain(verdict.reasons.iter().map(ToString::to_string)).collect::<Vec<_>>().join("; ")
}

fn receive(data: u64, metadata: u64) -> Purpose {
    Purpose::Receive { data: Chunks::new(data), metadata: Bytes::new(metadata) }
}

#[test]
fn what_is_done() {
    let some: [LvRef; 2] = ["vg/old", "vg/newer"].map(|name| name.parse().unwrap());
    let none = &[][..];
    for (metadata, data, rest, purpose, left, expected) in [
        ("100/1000", "100/1000", WELL, Purpose::Look, none, "go"),
        ("100/1000", "100/1000", WELL, receive(600, 0), none, "go"),
        ("100/1000", "799/1000", WELL, Purpose::Look, none, "go"),
        ("100/1000", "800/1000", WELL, Purpose::Look, none, "warn; its data is 80 % full, the limit is 80 %"),
        ("100/1000", "100/1000", WELL, receive(700, 0), none, "warn; its data would be 80 % full, the limit is 80 %"),
        ("100/1000", "100/1000", WELL, receive(699, 0), none, "go"),
        ("100/1000", "900/1000", WELL, Purpose::Look, none, "warn; its data is 90 % full, the limit is 90 %"),
        ("100/1000", "900/1000", WELL, Purpose::Look, &some, "prune vg/old; its data is 90 % full, the limit is 90 %"),
        (
            "100/1000",
            "100/1000",
            WELL,
            receive(800, 0),
            &some,
            "prune vg/old; its data would be 90 % full, the limit is 90 %",
        ),
        (
            "100/1000",
            "100/1000",
            WELL,
            receive(850, 0),
            &some,
            "prune vg/old; its data would be 95 % full, the limit is 95 %",
        ),
        ("100/1000", "100/1000", WELL, receive(850, 0), none, "refuse; its data would be 95 % full, the limit is 95 %"),
        (
            "100/1000",
            "100/1000",
            WELL,
            receive(901, 0),
            none,
            "refuse; its data would be 101 % full, the limit is 95 %",
        ),
        (
            "100/1000",
            "100/1000",
            WELL,
            receive(u64::MAX, u64::MAX),
            none,
            "refuse; its metadata would be 450359962737060 % full, the limit is 95 %; its data would be 1844674407370955172 % full, the limit is 95 %",
        ),
        // 850 blocks of 4 KiB more.
        (
            "100/1000",
            "100/1000",
            WELL,
            receive(1, 850 * 4096),
            none,
            "refuse; its metadata would be 95 % full, the limit is 95 %",
        ),
        (
            "100/1000",
            "100/1000",
            WELL,
            receive(1, 850 * 4096 - 1),
            none,
            "warn; its metadata would be 95 % full, the limit is 90 %",
        ),
        // One more snapshot needs 64 blocks.
        (
            "736/1000",
            "100/1000",
            WELL,
            Purpose::Snapshot,
            none,
            "warn; its metadata would be 80 % full, the limit is 80 %",
        ),
        ("735/1000", "100/1000", WELL, Purpose::Snapshot, none, "go"),
        (
            "990/1000",
            "850/1000",
            WELL,
            Purpose::Look,
            none,
            "refuse; its metadata is 99 % full, the limit is 95 %; its data is 85 % full, the limit is 80 %",
        ),
        (
            "0/0",
            "0/0",
            WELL,
            Purpose::Look,
            none,
            "refuse; its metadata is 18446744073709551615 % full, the limit is 95 %; its data is 18446744073709551615 % full, the limit is 95 %",
        ),
        // Faults: nothing is removed from a pool that is not sound.
        (
            "100/1000",
            "960/1000",
            "- rw discard_passdown queue_if_no_space needs_check 1024",
            Purpose::Look,
            &some,
            "refuse; its metadata must be checked (`lvconvert --repair`); its data is 96 % full, the limit is 95 %",
        ),
        (
            "100/1000",
            "100/1000",
            "- ro discard_passdown queue_if_no_space - 1024",
            Purpose::Look,
            &some,
            "refuse; it is read-only: its metadata is damaged or full",
        ),
        (
            "100/1000",
            "1000/1000",
            "- out_of_data_space discard_passdown queue_if_no_space - 1024",
            Purpose::Look,
            &some,
            "prune vg/old; it has no data space left; its data is 100 % full, the limit is 95 %",
        ),
        (
            "100/1000",
            "1000/1000",
            "- out_of_data_space discard_passdown queue_if_no_space - 1024",
            Purpose::Look,
            none,
            "refuse; it has no data space left; its data is 100 % full, the limit is 95 %",
        ),
        (
            "100/1000",
            "100/1000",
            "42 rw discard_passdown queue_if_no_space - 1024",
            Purpose::Look,
            none,
            "warn; somebody else holds its metadata snapshot",
        ),
    ] {
        assert_eq!(say(&status(metadata, data, rest), purpose, left), expected, "{metadata} {data} {rest} {purpose:?}");
    }
}

#[test]
fn what_lvm_thinks_and_who_holds() {
    let status = status("100/1000", "100/1000", "42 rw discard_passdown queue_if_no_space - 1024");
    let judge = |lvm_transaction_id, holder_is_ours| {
        let pool = Pool { status: &status, lvm_transaction_id, holder_is_ours, removable: &[] };
        judge(&pool, &Thresholds::default(), Purpose::Snapshot)
    };
    assert_eq!(judge(None, true).action, Action::Go);
    let verdict = judge(Some(8), true);
    assert_eq!(verdict.action, Action::Refuse);
    assert_eq!(verdict.reasons[0].to_string(), "its transaction id is 7, while LVM expects 8");
}

fn percent(number: u8) -> Percent {
    Percent::new(number).unwrap()
}

#[test]
fn levels_ascend() {
    assert_eq!([0, 101].map(Percent::new), [None; 2]);
    assert!(Levels::new(percent(80), percent(80), percent(80)).is_some());
    assert_eq!(Levels::new(percent(81), percent(80), percent(90)), None);
    assert_eq!(Levels::new(percent(80), percent(91), percent(90)), None);
}

fn severity(action: &Action) -> u8 {
    match action {
        Action::Go => 0,
        Action::Warn => 1,
        Action::Prune(_) => 2,
        Action::Refuse => 3,
    }
}

proptest! {
    /// The fuller, the more is done; and removing what is to be removed, until nothing is, ends, and takes the first ones.
    #[test]
    fn fuller_is_never_better(used in 0u64..1000, more in 0u64..500, need in 0u64..1000, count in 0usize..10) {
        let all: Vec<LvRef> = (0..count).map(|nth| format!("vg/s{nth}").parse().unwrap()).collect();
        let mut left = all.clone();
        let full = |used: u64| status("100/1000", &format!("{used}/1500"), WELL);
        let act = |used: u64, need, left: &[LvRef]| {
            let status = full(used);
            let pool = Pool { status: &status, lvm_transaction_id: None, holder_is_ours: false, removable: left };
            judge(&pool, &Thresholds::default(), receive(need, 0)).action
        };
        prop_assert!(severity(&act(used, need, &left)) <= severity(&act(used + more, need, &left)));
        prop_assert!(severity(&act(used, need, &left)) <= severity(&act(used, need + more, &left)));
        for _ in 0..=count {
            let Action::Prune(volume) = act(used, need, &left) else { break };
            left.retain(|other| *other != volume);
        }
        prop_assert!(!matches!(act(used, need, &left), Action::Prune(_)));
        prop_assert_eq!(&left[..], &all[count - left.len()..]);
    }
}

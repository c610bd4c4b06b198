use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::Duration;

use lvm_cmd::{Kind, Lv, LvRef, MetadataSnapshot, Patience, ReleaseError, ReserveError, Scripted, StateDir};
use tempfile::TempDir;

use crate::{POOL_UUID, chain, parsed, pool_row, row};

const BOOT: &str = "2d9a3cbe-30d1-4e43-a9a6-56d0f7c9a4a1";
const RESERVE: &str = "$ dmsetup message vg0-pool-tpool 0 reserve_metadata_snap\n= 0\n";
const RELEASE: &str = "$ dmsetup message vg0-pool-tpool 0 release_metadata_snap\n= 0\n";
const NOW: Patience<'static> = Patience::new(Duration::ZERO);
/// A lock that was just given up is held on for a moment by a child that another test has forked and that is not its program yet.
const SOON: Patience<'static> = Patience::new(Duration::from_secs(60));

fn status_of(words: &str) -> String {
    format!("$ dmsetup status --target thin-pool vg0-pool-tpool\n| 0 204800 thin-pool {words}\n= 0\n")
}

/// The pool holds the root, or `-` for none.
fn status(root: &str) -> String {
    status_of(&format!("3 114/1024 18/1600 {root} rw discard_passdown queue_if_no_space - 256"))
}

/// What the held copy says of itself.
fn held_copy(transaction: u64) -> String {
    format!(
        "$ thin_dump -m --skip-mappings /dev/mapper/vg0-pool_tmeta\n| <superblock uuid=\"\" time=\"1\" \
         transaction=\"{transaction}\" data_block_size=\"128\" nr_data_blocks=\"0\">\n| </superblock>\n= 0\n"
    )
}

fn script(steps: &[&str]) -> Scripted {
    Scripted::from_transcript(&steps.concat()).unwrap()
}

fn pool() -> Lv {
    parsed(&[pool_row()]).remove(0)
}

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn state(&self) -> StateDir {
        StateDir::with_boot_id(self.0.path().join("state"), BOOT)
    }

    fn record(&self) -> PathBuf {
        self.0.path().join(format!("state/metadata-snapshot-{POOL_UUID}.json"))
    }

    /// A run that is killed while it holds root 58: its guard is never dropped, its lock is gone with it.
    fn killed_run(&self) {
        let reserving = script(&[&status("-"), RESERVE, &status("58"), &status("58"), RELEASE]);
        let held = MetadataSnapshot::reserve(&reserving, &pool(), &self.state(), SOON).unwrap();
        let record = fs::read(self.record()).unwrap();
        drop(held);
        fs::write(self.record(), record).unwrap();
    }
}

#[test]
fn reserves_and_releases() {
    let folder = Folder::new();
    let exec = script(&[&status("-"), RESERVE, &status("58"), &status("58"), RELEASE]);
    let held = MetadataSnapshot::reserve(&exec, &pool(), &folder.state(), SOON).unwrap();
    assert_eq!(held.transaction_ids(), 3..=3);
    assert!(MetadataSnapshot::is_in_use(&pool(), &folder.state()).unwrap());
    let record = fs::read_to_string(folder.record()).unwrap();
    for part in [r#""held_root":58"#, r#""transaction_id":3"#, BOOT, POOL_UUID] {
        assert!(record.contains(part), "{record}");
    }
    held.release().unwrap();
    assert!(!folder.record().exists());
    assert!(!MetadataSnapshot::is_in_use(&pool(), &folder.state()).unwrap());
}

#[test]
fn two_transaction_ids_where_lvm_came_between() {
    let folder = Folder::new();
    let after = status_of("4 114/1024 18/1600 58 rw discard_passdown queue_if_no_space - 256");
    let exec = script(&[&status("-"), RESERVE, &after, &after, RELEASE]);
    let held = MetadataSnapshot::reserve(&exec, &pool(), &folder.state(), SOON).unwrap();
    assert_eq!(held.transaction_ids(), 3..=4);
}

#[test]
fn panic_releases() {
    let folder = Folder::new();
    let exec = script(&[&status("-"), RESERVE, &status("58"), &status("58"), RELEASE]);
    let caught = catch_unwind(AssertUnwindSafe(|| {
        let _held = MetadataSnapshot::reserve(&exec, &pool(), &folder.state(), SOON).unwrap();
        panic!("in the middle");
    }));
    assert!(caught.is_err());
    // The script's own drop tells whether it was released.
}

#[test]
fn failing_after_the_reservation_releases_it() {
    let folder = Folder::new();
    let broken = "$ dmsetup status --target thin-pool vg0-pool-tpool\n! Out of memory\n= 1\n";
    let there = "$ dmsetup info --columns --noheadings --options name\n| vg0-pool-tpool\n= 0\n";
    let exec = script(&[&status("-"), RESERVE, broken, there, RELEASE]);
    let error = MetadataSnapshot::reserve(&exec, &pool(), &folder.state(), SOON).unwrap_err();
    assert!(chain(&error).contains("Out of memory"), "{}", chain(&error));
    assert!(!folder.record().exists());
}

#[test]
fn a_refused_reservation_is_not_released() {
    let folder = Folder::new();
    let refused =
        RESERVE.replace("= 0", "! device-mapper: message ioctl on vg0-pool-tpool failed: Device or resource busy\n= 1");
    let exec = script(&[&status("-"), &refused, &status("-")]);
    let error = MetadataSnapshot::reserve(&exec, &pool(), &folder.state(), SOON).unwrap_err();
    assert!(matches!(error, ReserveError::Reserve { .. }), "{error}");
    assert!(!folder.record().exists());
    // Killed, perhaps, after the kernel had the message: the record says whose it may be.
    let exec = script(&[&status("-"), &refused, &status("58")]);
    let error = MetadataSnapshot::reserve(&exec, &pool(), &folder.state(), SOON).unwrap_err();
    assert!(error.to_string().contains("perhaps left by a run of ours"), "{error}");
    assert_eq!(error.kind(), Kind::Environment);
    assert!(folder.record().exists());
}

#[test]
fn a_reservation_that_is_not_there_is_not_released() {
    let folder = Folder::new();
    let exec = script(&[&status("-"), RESERVE, &status("-")]);
    let error = MetadataSnapshot::reserve(&exec, &pool(), &folder.state(), SOON).unwrap_err();
    assert!(matches!(error, ReserveError::Vanished { .. }), "{error}");
}

#[test]
fn somebody_elses_is_left_alone() {
    let folder = Folder::new();
    let exec = script(&[&status("58")]);
    let error = MetadataSnapshot::reserve(&exec, &pool(), &folder.state(), SOON).unwrap_err();
    assert_eq!(error.kind(), Kind::Environment);
    assert_eq!(
        error.to_string(),
        "pool `vg0/pool` already holds a metadata snapshot (root in block 58), made by another program: a backup, \
         `thin_delta` or `thin_dump` may be reading it; if nobody needs it: \
         `dmsetup message vg0-pool-tpool 0 release_metadata_snap`"
    );
}

#[test]
fn our_own_stale_one_is_released_first() {
    let folder = Folder::new();
    folder.killed_run();
    let exec =
        script(&[&status("58"), &held_copy(3), RELEASE, &status("-"), RESERVE, &status("61"), &status("61"), RELEASE]);
    MetadataSnapshot::reserve(&exec, &pool(), &folder.state(), SOON).unwrap().release().unwrap();
}

#[test]
fn a_stale_record_of_what_is_gone_does_not_matter() {
    let folder = Folder::new();
    folder.killed_run();
    let exec = script(&[&status("-"), RESERVE, &status("61"), &status("61"), RELEASE]);
    drop(MetadataSnapshot::reserve(&exec, &pool(), &folder.state(), SOON).unwrap());
}

#[test]
fn only_a_complete_matching_record_is_a_proof() {
    let another_boot = |record: String| record.replace(BOOT, "another-boot");
    let intent = |record: String| record.replace(r#""held_root":58"#, r#""held_root":null"#);
    let another_pool = |record: String| record.replace(POOL_UUID, "jeQKMH-O6R5-y0Qz-wjUO-mBqa-Ye7u-UXe37K");
    let damaged = |record: String| record[..20].to_owned();
    let same = |record: String| record;
    type Change<'a> = &'a dyn Fn(String) -> String;
    for (what, change, root, whose) in [
        ("another root", &same as Change<'_>, "59", "another program"),
        ("another boot", &another_boot, "58", "perhaps left by a run of ours"),
        ("only an intent", &intent, "58", "perhaps left by a run of ours"),
        ("another pool", &another_pool, "58", "another program"),
        ("damaged", &damaged, "58", "another program"),
    ] {
        let folder = Folder::new();
        folder.killed_run();
        let record = fs::read_to_string(folder.record()).unwrap();
        fs::write(folder.record(), change(record)).unwrap();
        // No release in the script: whoever sends one fails here.
        let exec = script(&[&status(root)]);
        let error = MetadataSnapshot::reserve(&exec, &pool(), &folder.state(), SOON).unwrap_err();
        assert!(error.to_string().contains(whose), "{what}: {error}");
        assert!(folder.record().exists(), "{what}");
    }
}

/// The block of a root is used again: another program's reservation may lie where ours did.
#[test]
fn the_same_root_with_another_transaction_is_not_ours() {
    let later = status_of("5 114/1024 18/1600 58 rw discard_passdown queue_if_no_space - 256");
    for (answer, whose) in [
        (held_copy(5), "made by another program"),
        (held_copy(2), "made by another program"),
        (
            "$ thin_dump -m --skip-mappings /dev/mapper/vg0-pool_tmeta\n= missing\n".to_owned(),
            "perhaps left by a run of ours",
        ),
        (
            "$ thin_dump -m --skip-mappings /dev/mapper/vg0-pool_tmeta\n| <\n= 0\n".to_owned(),
            "perhaps left by a run of ours",
        ),
    ] {
        let folder = Folder::new();
        folder.killed_run();
        // No release in the script: whoever sends one fails here.
        let exec = script(&[&later, &answer]);
        let error = MetadataSnapshot::reserve(&exec, &pool(), &folder.state(), SOON).unwrap_err();
        assert!(error.to_string().contains(whose), "{answer}: {error}");
        assert!(folder.record().exists());
    }
    // The pool went on, and its held copy is still the one of then.
    let folder = Folder::new();
    folder.killed_run();
    let after = status_of("5 114/1024 18/1600 - rw discard_passdown queue_if_no_space - 256");
    let again = status_of("5 114/1024 18/1600 61 rw discard_passdown queue_if_no_space - 256");
    let exec = script(&[&later, &held_copy(3), RELEASE, &after, RESERVE, &again, &again, RELEASE]);
    drop(MetadataSnapshot::reserve(&exec, &pool(), &folder.state(), SOON).unwrap());
}

#[test]
fn what_another_released_is_reported_and_not_touched() {
    for (found, shown) in [("-", "none found"), ("77", "77 found")] {
        let folder = Folder::new();
        let exec = script(&[&status("-"), RESERVE, &status("58"), &status(found)]);
        let held = MetadataSnapshot::reserve(&exec, &pool(), &folder.state(), SOON).unwrap();
        let error = held.release().unwrap_err();
        assert!(matches!(error, ReleaseError::Lost { expected: 58, .. }), "{error}");
        assert!(error.to_string().contains(shown), "{error}");
    }
}

#[test]
fn a_failed_release_leaves_the_record_for_the_next_run() {
    let folder = Folder::new();
    let refused = RELEASE.replace("= 0", "! Operation not supported\n= 1");
    let exec = script(&[&status("-"), RESERVE, &status("58"), &status("58"), &refused]);
    let held = MetadataSnapshot::reserve(&exec, &pool(), &folder.state(), SOON).unwrap();
    let error = held.release().unwrap_err();
    assert!(chain(&error).ends_with("release_metadata_snap` exited with status 1: Operation not supported"), "{error}");
    let next =
        script(&[&status("58"), &held_copy(3), RELEASE, &status("-"), RESERVE, &status("61"), &status("61"), RELEASE]);
    drop(MetadataSnapshot::reserve(&next, &pool(), &folder.state(), SOON).unwrap());
}

#[test]
fn unhealthy_pools_are_refused_before_anything_is_reserved() {
    for (words, expected) in [
        ("3 114/1024 18/1600 - ro discard_passdown queue_if_no_space - 256", "it is read-only"),
        ("3 114/1024 18/1600 58 ro discard_passdown queue_if_no_space - 256", "it is read-only"),
        (
            "3 114/1024 18/1600 - rw discard_passdown queue_if_no_space needs_check 256",
            "its metadata is marked as damaged",
        ),
        (
            "3 961/1024 18/1600 - rw discard_passdown queue_if_no_space - 256",
            "252.0 KiB of its metadata is free, 256.0 KiB is needed",
        ),
        (
            "3 99001/100000 18/1600 - rw discard_passdown queue_if_no_space - 256",
            "3.9 MiB of its metadata is free, 3.9 MiB is needed",
        ),
        ("Fail", "unusable state of `vg0/pool`"),
    ] {
        let folder = Folder::new();
        let exec = script(&[&status_of(words)]);
        let error = MetadataSnapshot::reserve(&exec, &pool(), &folder.state(), SOON).unwrap_err();
        assert_eq!(error.kind(), Kind::Environment, "{words}");
        assert!(error.to_string().contains(expected), "{words}: {error}");
    }
    // Full of data is no reason: reading must still be possible.
    let full = "3 114/1024 1600/1600 - out_of_data_space discard_passdown queue_if_no_space - 256";
    let held = full.replace("1600/1600 -", "1600/1600 58");
    let folder = Folder::new();
    let exec = script(&[&status_of(full), RESERVE, &status_of(&held), &status_of(&held), RELEASE]);
    drop(MetadataSnapshot::reserve(&exec, &pool(), &folder.state(), SOON).unwrap());
}

#[test]
fn a_volume_is_no_pool() {
    let exec = script(&[]);
    let volume = parsed(&[row(&[])]).remove(0);
    let error = MetadataSnapshot::reserve(&exec, &volume, &Folder::new().state(), NOW).unwrap_err();
    assert_eq!((error.kind(), error.to_string().as_str()), (Kind::Invalid, "`vg0/data` is no thin pool"));
}

#[test]
fn a_second_guard_waits_for_the_first() {
    let folder = Folder::new();
    let first = script(&[&status("-"), RESERVE, &status("58"), &status("58"), RELEASE]);
    let held = MetadataSnapshot::reserve(&first, &pool(), &folder.state(), SOON).unwrap();

    let none = script(&[]);
    let error = MetadataSnapshot::reserve(&none, &pool(), &folder.state(), NOW).unwrap_err();
    assert_eq!(error.kind(), Kind::Busy);
    let pid = std::process::id();
    assert!(chain(&error).contains(&format!("locked by process {pid}")), "{}", chain(&error));

    let second = script(&[&status("-"), RESERVE, &status("61"), &status("61"), RELEASE]);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let patience = Patience::new(Duration::from_secs(60));
            MetadataSnapshot::reserve(&second, &pool(), &folder.state(), patience).unwrap().release().unwrap();
        });
        std::thread::sleep(Duration::from_millis(100));
        assert!(!waiting.is_finished());
        held.release().unwrap();
    });
}

#[test]
fn waiting_ends_when_it_is_cancelled() {
    let folder = Folder::new();
    let first = script(&[&status("-"), RESERVE, &status("58"), &status("58"), RELEASE]);
    let _held = MetadataSnapshot::reserve(&first, &pool(), &folder.state(), SOON).unwrap();
    let cancel = std::sync::atomic::AtomicBool::new(false);
    let none = script(&[]);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let patience = Patience::new(Duration::from_secs(3600)).cancelled_by(&cancel);
            MetadataSnapshot::reserve(&none, &pool(), &folder.state(), patience).unwrap_err()
        });
        cancel.store(true, std::sync::atomic::Ordering::Relaxed);
        assert_eq!(waiting.join().unwrap().kind(), Kind::Busy);
    });
}

#[test]
fn another_pool_has_another_lock() {
    let folder = Folder::new();
    let first = script(&[&status("-"), RESERVE, &status("58"), &status("58"), RELEASE]);
    let _held = MetadataSnapshot::reserve(&first, &pool(), &folder.state(), SOON).unwrap();
    let mut other = pool();
    other.name = "vg0/other".parse::<LvRef>().unwrap();
    other.uuid = "jeQKMH-O6R5-y0Qz-wjUO-mBqa-Ye7u-UXe37K".parse().unwrap();
    let steps = [status("-"), RESERVE.to_owned(), status("5"), status("5"), RELEASE.to_owned()].concat();
    let second = Scripted::from_transcript(&steps.replace("vg0-pool", "vg0-other")).unwrap();
    drop(MetadataSnapshot::reserve(&second, &other, &folder.state(), SOON).unwrap());
}

#[test]
fn a_folder_that_others_can_write_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let state = folder.state();
    fs::create_dir(state.path()).unwrap();
    fs::set_permissions(state.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let error = MetadataSnapshot::reserve(&script(&[]), &pool(), &state, NOW).unwrap_err();
    assert_eq!(error.kind(), Kind::Environment);
    assert!(chain(&error).ends_with("must be a folder that only its owner can write"), "{}", chain(&error));
}

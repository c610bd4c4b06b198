use std::time::Duration;

use lvm_cmd::{Lv, Patience, ProcessLock, StateDir};
use testkit::{LISTS_STEP, lv_row, lvs_step};
use transfer::lvm::{LvmError, Run, Selection, Snapshots, TemporarySnapshot};
use transfer::{Error, ErrorKind};

use super::{Machine, fails, lv, lv_ref, ok, own_name, removal, removal_command, script};

const RECEIVING: &str = "hyperlayer.receiving=data/this-boot/folder";
const TEMPORARY: &str = "hyperlayer.temporary=this-boot/folder";

/// More than Linux gives (`/proc/sys/kernel/pid_max`), so that none of them lives.
const DEAD: u32 = 4_200_000;
const ALIVE: u32 = 4_200_001;

fn group(volumes: &[(String, &str)]) -> Vec<Lv> {
    volumes.iter().map(|(name, tags)| lv(&[("lv_name", name), ("lv_tags", tags)])).collect()
}

#[test]
fn what_dead_runs_left_is_removed_and_nothing_else() {
    let machine = Machine::new();
    let (dead, temporary) = (format!("hyperlayer-{DEAD}-1"), format!("hyperlayer-{DEAD}-2"));
    let reused = own_name(7);
    let group = group(&[
        (dead.clone(), RECEIVING),
        (temporary.clone(), "mine,hyperlayer.temporary=this-boot/folder"),
        // Made by a process that had our number before us.
        (reused.clone(), RECEIVING),
        // Its process lives.
        (format!("hyperlayer-{ALIVE}-1"), RECEIVING),
        // Our name without our tag.
        (format!("hyperlayer-{DEAD}-3"), ""),
        (format!("hyperlayer-{DEAD}-4"), "hyperlayer.layer=monday,hyperlayer.temporary2"),
        // Our tag without our name.
        ("data".to_owned(), RECEIVING),
        ("backup-hyperlayer".to_owned(), TEMPORARY),
        ("hyperlayer-monday-1".to_owned(), TEMPORARY),
        (format!("hyperlayer-{DEAD}"), TEMPORARY),
    ]);
    let steps = [removal(&dead, RECEIVING), removal(&temporary, TEMPORARY), removal(&reused, RECEIVING)].concat();
    let exec = script(&steps);
    let lvm = machine.lvm(&exec);
    let run = Run::start(&lvm).unwrap();
    let _alive = ProcessLock::acquire(&machine.state, &format!("run-{ALIVE}"), Patience::new(Duration::ZERO)).unwrap();
    let removed = run.remove_leftovers(&lvm, &group).unwrap().removed;
    assert_eq!(removed, [lv_ref(&dead), lv_ref(&temporary), lv_ref(&reused)]);
}

/// In a container with a folder of its own, each lock of the host's runs looks like that of a dead run. Some container managers
/// give a container a boot id of its own too.
#[test]
fn what_a_run_of_another_place_made_stays() {
    const BEFORE: i64 = StateDir::TEST_BOOTED_SECONDS - 1;
    const AFTER: i64 = StateDir::TEST_BOOTED_SECONDS;
    let machine = Machine::new();
    let table = [
        ("hyperlayer.temporary=this-boot/elsewhere", AFTER, false),
        ("hyperlayer.receiving=data/this-boot/elsewhere", AFTER, false),
        ("hyperlayer.temporary=container-boot/elsewhere", AFTER, false),
        ("hyperlayer.receiving=data/container-boot/folder", AFTER, false),
        // Nobody lives on after a boot.
        ("hyperlayer.temporary=boot-before/elsewhere", BEFORE, true),
        ("hyperlayer.receiving=data/boot-before/folder", BEFORE, true),
        // The lock can be seen.
        ("hyperlayer.temporary=this-boot/folder", AFTER, true),
        // As older versions made them.
        ("hyperlayer.temporary", AFTER, true),
        ("hyperlayer.receiving=data", AFTER, true),
    ];
    let volume = |(number, (tag, at, _)): (usize, &(&str, i64, bool))| {
        let name = format!("hyperlayer-{DEAD}-{number}");
        lv(&[("lv_name", &name), ("lv_tags", tag), ("lv_time", &at.to_string())])
    };
    let group: Vec<_> = table.iter().enumerate().map(volume).collect();
    let (gone, stay): (Vec<_>, Vec<_>) = group.iter().zip(&table).partition(|(_, (.., gone))| *gone);
    let steps: String = gone.iter().map(|(lv, (tag, ..))| removal(lv.name.lv().as_str(), tag)).collect();
    let exec = script(&steps);
    let lvm = machine.lvm(&exec);
    let leftovers = Run::start(&lvm).unwrap().remove_leftovers(&lvm, &group).unwrap();
    let names = |of: Vec<(&Lv, _)>| of.into_iter().map(|(lv, _)| lv.name.clone()).collect::<Vec<_>>();
    assert_eq!((leftovers.removed, leftovers.unknown), (names(gone), names(stay)));
}

/// Its tag is the proof: another volume that has the name meanwhile stays.
#[test]
fn a_leftover_that_is_another_volume_now_stays() {
    let machine = Machine::new();
    let name = format!("hyperlayer-{DEAD}-1");
    let exec = script(&lvs_step(&[lv_row(&[("lv_name", &name)])]));
    let lvm = machine.lvm(&exec);
    let run = Run::start(&lvm).unwrap();
    let leftovers = run.remove_leftovers(&lvm, &group(&[(name, RECEIVING)])).unwrap();
    assert!(leftovers.removed.is_empty());
    assert_eq!(leftovers.kept[0].kind(), ErrorKind::Unfinished, "{leftovers:?}");
}

/// Each run is known by its lock, for as long as it lives.
#[test]
fn a_run_is_known_while_it_lives() {
    let machine = Machine::new();
    let exec = script("");
    let lvm = machine.lvm(&exec);
    let lock = || {
        let name = format!("run-{}", std::process::id());
        ProcessLock::acquire(&machine.state, &name, Patience::new(Duration::ZERO)).map(drop)
    };
    let run = Run::start(&lvm).unwrap();
    lock().unwrap_err();
    drop(run);
    assert_eq!(std::fs::read_dir(machine.state.path()).unwrap().count(), 0, "nothing stays there");
    lock().unwrap();
}

fn snapshot_command() -> String {
    format!(
        "lvcreate --snapshot --name {} --addtag {TEMPORARY} --permission r --setactivationskip y --activate n vg0/data",
        own_name(1)
    )
}

#[test]
fn a_temporary_snapshot_goes_when_it_is_removed_or_dropped() {
    for remove in [true, false] {
        let machine = Machine::new();
        let exec = script(&[ok(&snapshot_command()), removal(&own_name(1), TEMPORARY)].concat());
        let lvm = machine.lvm(&exec);
        let mut run = Run::start(&lvm).unwrap();
        let snapshot = TemporarySnapshot::create(lvm, &mut run, &lv_ref("data")).unwrap();
        assert_eq!(*snapshot.name(), lv_ref(&own_name(1)));
        if remove { snapshot.remove().unwrap() } else { drop(snapshot) }
    }
}

#[test]
fn a_temporary_snapshot_that_stays_is_named() {
    let machine = Machine::new();
    let name = own_name(1);
    let look = lvs_step(&[lv_row(&[("lv_name", &name), ("lv_tags", TEMPORARY)])]);
    let stays = fails(&removal_command(&name, TEMPORARY));
    let exec = script(&[ok(&snapshot_command()), look.clone(), stays, look].concat());
    let lvm = machine.lvm(&exec);
    let mut run = Run::start(&lvm).unwrap();
    let error = TemporarySnapshot::create(lvm, &mut run, &lv_ref("data")).unwrap().remove().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unfinished);
    assert_eq!(error.hint(), Some(format!("remove it: `lvremove vg0/{name}`")));
}

#[test]
fn a_snapshot_that_was_not_made_is_not_removed() {
    let machine = Machine::new();
    let exec = script(&[fails(&snapshot_command()), LISTS_STEP.to_owned(), lvs_step(&[lv_row(&[])])].concat());
    let lvm = machine.lvm(&exec);
    let mut run = Run::start(&lvm).unwrap();
    let error = TemporarySnapshot::create(lvm, &mut run, &lv_ref("data")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Failed);
}

/// Of a base that somebody may write to, a snapshot would be a layer that no receiver can have.
#[test]
fn no_snapshot_is_made_of_a_base() {
    let machine = Machine::new();
    let pool = lv(&[("lv_name", "pool"), ("lv_attr", "twi-aotz--"), ("thin_id", "")]);
    let live = |name: &str| lv(&[("lv_name", name), ("lv_attr", "Vwi-aotz--")]);
    let kept = lv(&[("lv_name", "old"), ("lv_attr", "Vri---tz-k")]);
    let selection = |base: Option<Lv>| Selection { group: vec![].into(), pool: pool.clone(), new: live("data"), base };

    let exec = script("");
    let lvm = machine.lvm(&exec);
    let mut run = Run::start(&lvm).unwrap();
    let error = Snapshots::create(lvm, &mut run, &[selection(None), selection(Some(live("old")))]).unwrap_err();
    assert!(matches!(&error, Error::Lvm(cause) if matches!(**cause, LvmError::LiveBase { .. })), "{error:?}");
    assert_eq!(error.hint().as_deref(), Some("name as its base a snapshot that was sent before"));
    drop(run);

    let exec = script(&[ok(&snapshot_command()), removal(&own_name(1), TEMPORARY)].concat());
    let lvm = machine.lvm(&exec);
    let mut run = Run::start(&lvm).unwrap();
    let made = Snapshots::create(lvm, &mut run, &[selection(Some(kept)), selection(None)]).unwrap();
    assert_eq!(*made.in_place_of(&lv_ref("data")), lv_ref(&own_name(1)));
    made.remove().unwrap();
}

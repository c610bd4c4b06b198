use std::path::Path;

use snapshot::{Found, Journal, Phase, PlanError, Record, attach, make, recover, remove, revival};

use crate::model::{Fault, Model, World, before, records};

/// More moments than anything takes.
const LONG: u32 = 100;

fn journal(folder: &Path) -> Journal {
    Journal::new(folder.join("records"))
}

/// Recovers what a run has left, as often as it takes, each run dying some moments later than the one before.
fn recovered(journal: &Journal, record: &Record, world: &World) -> World {
    let mut world = world.clone();
    for life in (0..LONG).step_by(3) {
        let Some(mut left) = journal.read(&record.snapshot).unwrap() else { return world };
        let site = Model::new(world, Some(life));
        let done = recover(&site, &mut left, journal);
        world = site.world.into_inner();
        match done {
            Ok(()) => return world,
            Err(Fault::Killed) => {}
            Err(Fault::Refused(why)) => panic!("{why}: {left:?}\n{world:?}"),
            Err(Fault::Plan(error)) => panic!("{error}: {left:?}\n{world:?}"),
        }
    }
    panic!("it never ended: {world:?}")
}

fn made(journal: &Journal, record: &Record) -> (Record, World) {
    let mut record = record.clone();
    let site = Model::new(before(&record), None);
    make(&site, &mut record, journal).unwrap();
    assert_eq!(record.phase, Phase::Made);
    (record, site.world.into_inner())
}

#[test]
fn what_dies_while_it_is_made_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let journal = journal(folder.path());
    for record in records() {
        let mut killed = 0;
        for (life, boots) in (0..LONG).flat_map(|life| [(life, false), (life, true)]) {
            let site = Model::new(before(&record), Some(life));
            let outcome = make(&site, &mut record.clone(), &journal);
            let mut world = site.world.into_inner();
            if outcome.is_ok() {
                assert!(world.volume == Found::Ours && world.is_active && world.mounted == record.mount.is_some());
                journal.forget(&record.snapshot).unwrap();
                break;
            }
            killed += 1;
            if boots {
                world.boot();
            }
            let world = recovered(&journal, &record, &world);
            assert_eq!(world, before(&record), "killed after {life} moments");
            assert_eq!(journal.read(&record.snapshot).unwrap(), None);
        }
        assert!((4..2 * LONG).contains(&killed), "{killed}");
    }
}

#[test]
fn what_dies_while_it_is_removed_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let journal = journal(folder.path());
    for record in records() {
        for (life, boots) in (0..LONG).flat_map(|life| [(life, false), (life, true)]) {
            let (mut record, world) = made(&journal, &record);
            let site = Model::new(world, Some(life));
            let removed = remove(&site, &mut record, &journal).is_ok();
            let mut world = site.world.into_inner();
            if boots {
                world.boot();
            }
            assert_eq!(recovered(&journal, &record, &world), before(&record), "killed after {life} moments");
            assert_eq!(journal.read(&record.snapshot).unwrap(), None);
            if removed {
                break;
            }
        }
    }
}

#[test]
fn what_was_made_is_there_again_after_a_boot() {
    let folder = tempfile::tempdir().unwrap();
    let journal = journal(folder.path());
    for record in records() {
        let (record, there) = made(&journal, &record);
        let mut world = there.clone();
        world.boot();
        assert_eq!(recovered(&journal, &record, &world), there);
        let kept = journal.read(&record.snapshot).unwrap().unwrap();
        let site = Model::new(there, None);
        assert_eq!(
            revival(&kept, &snapshot::Site::look(&site, &kept).unwrap()).unwrap(),
            [],
            "and then nothing is to be done"
        );
        journal.forget(&record.snapshot).unwrap();
    }
}

#[test]
fn what_lost_its_space_goes() {
    let folder = tempfile::tempdir().unwrap();
    let journal = journal(folder.path());
    for record in records().filter(|record| record.file.is_some()) {
        for left in [Found::Absent, Found::Other] {
            let (record, mut world) = made(&journal, &record);
            world.boot();
            world.file = left;
            let world = recovered(&journal, &record, &world);
            assert_eq!(world, World { file: left, ..before(&record) });
        }
    }
}

/// Not mounted yet is not lost: nothing is removed, and the record stays as it is.
#[test]
fn a_file_system_that_is_not_mounted_yet_takes_nothing_away() {
    let folder = tempfile::tempdir().unwrap();
    let journal = journal(folder.path());
    for record in records().filter(|record| record.file.is_some()) {
        let (record, there) = made(&journal, &record);
        let mut world = there.clone();
        world.boot();
        world.is_hidden = true;
        let site = Model::new(world.clone(), None);
        for run in [recover::<Model>, remove::<Model>] {
            let refused = run(&site, &mut record.clone(), &journal).unwrap_err();
            assert!(matches!(refused, Fault::Plan(PlanError::Unreachable { .. })), "{refused:?}");
            assert_eq!(*site.world.borrow(), world);
            assert_eq!(journal.read(&record.snapshot).unwrap().as_ref(), Some(&record));
        }
        world.is_hidden = false;
        assert_eq!(recovered(&journal, &record, &world), there);
        journal.forget(&record.snapshot).unwrap();
    }
}

/// After a boot the spaces of two snapshots in one group are attached before one of them is removed: LVM would mark the other one
/// as missing.
#[test]
fn nothing_is_removed_while_another_space_is_not_attached() {
    let folder = tempfile::tempdir().unwrap();
    let journal = journal(folder.path());
    for record in records() {
        let (mut record, mut world) = made(&journal, &record);
        world.boot();
        world.misses_other_space = true;
        for run in [remove::<Model>, recover::<Model>] {
            if record.file.is_some() {
                // Its own comes first, or the two would wait for each other.
                let site = Model::new(world.clone(), None);
                attach(&site, &record).unwrap();
                world = site.world.into_inner();
                assert!(world.has_loop);
            }
            let before = world.clone();
            let site = Model::new(world.clone(), None);
            let refused = run(&site, &mut record, &journal).unwrap_err();
            assert!(matches!(refused, Fault::Plan(PlanError::Unattached { .. })), "{refused:?}");
            assert_eq!(*site.world.borrow(), before);
            assert_eq!(journal.read(&record.snapshot).unwrap().as_ref(), Some(&record), "and the record is as it was");
            // As a removal that was interrupted.
            record.phase = Phase::Removing;
            journal.keep(&record).unwrap();
        }
        world.misses_other_space = false;
        assert_eq!(recovered(&journal, &record, &world), before(&record));
    }
}

/// Whatever has the name already stays as it is, and all that was made before it is met goes.
#[test]
fn what_is_somebody_elses_is_never_touched() {
    let folder = tempfile::tempdir().unwrap();
    let journal = journal(folder.path());
    for record in records() {
        let others = [
            World { file: Found::Other, ..before(&record) },
            World { volume: Found::Other, ..before(&record) },
            World { folder: Found::Other, ..before(&record) },
        ];
        for other in others {
            let mut record = record.clone();
            let site = Model::new(other.clone(), None);
            match make(&site, &mut record, &journal) {
                // It has none of its own by that name.
                Ok(()) => assert!(other.volume == Found::Absent),
                Err(Fault::Refused(_)) => {}
                Err(fault) => panic!("{fault:?}"),
            }
            remove(&site, &mut record, &journal).unwrap();
            assert_eq!(site.world.into_inner(), other);
        }
    }
}

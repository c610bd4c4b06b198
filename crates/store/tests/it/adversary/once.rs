//! Every operation of every command goes wrong once: fails, hangs, or is done and reported as failed.

use std::panic::{AssertUnwindSafe, catch_unwind};

use store::{Error, Store};

use super::actors::{Command, Results, fill, hold_true};
use super::world::{Fault, World};
use crate::kit::{id, series};

const COMMANDS: [Command; 9] = [
    Command::Backup("new"),
    Command::Prune,
    Command::Merge,
    Command::Hold("old"),
    Command::Unhold("old"),
    Command::Tag("old"),
    Command::Check,
    Command::Restore,
    Command::Unlock,
];

fn begin() -> (std::sync::Arc<World>, [Store; 3]) {
    let world = World::new(3);
    Store::init(&world.location(0), &world.options(0)).unwrap();
    let stores = [0, 1, 2].map(|actor| world.open(actor));
    fill(&stores[0]);
    (world, stores)
}

#[test]
fn every_operation_goes_wrong_once() {
    let (world, [first, second, observer]) = begin();
    let clean = world.snapshot();
    let (mut cases, mut done) = (0, 0);
    for command in COMMANDS {
        world.reset(&clean);
        if command == Command::Unhold("old") {
            Command::Hold("old").run(&second).unwrap();
        }
        if command == Command::Unlock {
            std::mem::forget(second.lock_shared().unwrap());
        }
        let before = world.snapshot();
        for fault in Fault::ALL {
            for number in 0.. {
                world.reset(&before);
                world.kill(if command == Command::Unlock { 1 } else { 2 });
                world.break_operation(number, fault);
                let result = command.run(&first);
                let operations = world.mend();
                if operations <= number {
                    assert!(result.is_ok(), "{command:?}: {result:?}");
                    break;
                }
                cases += 1;
                done += u32::from(result.is_ok());
                let case = format!("{command:?}, operation {number} {fault:?}: {result:?}");
                let judged = catch_unwind(AssertUnwindSafe(|| {
                    let results = Results::from([(command, result)]);
                    hold_true(&observer, &results);
                    // The process has ended, and another one does the rest.
                    world.kill(0);
                    let again = command.run(if command == Command::Unlock { &first } else { &second });
                    let is_there = matches!(&again, Err(Error::Exists { .. }));
                    assert!(again.is_ok() || (is_there && command == Command::Backup("new")), "again: {again:?}");
                    hold_true(&observer, &Results::from([(command, Ok(()))]));
                    // What was left is collected.
                    Command::Prune.run(&second).unwrap();
                    assert_eq!(observer.garbage().unwrap(), []);
                    assert!(observer.check().unwrap().is_sound());
                }));
                assert!(judged.is_ok(), "{case}");
            }
        }
    }
    assert!(cases > 500, "{cases}");
    println!("every operation went wrong once: {cases} cases, {done} of them done all the same");
}

/// A check and a restore never call right what is not, whatever goes wrong while they look.
#[test]
fn what_is_damaged_is_never_called_right() {
    let (world, [first, ..]) = begin();
    let listing = first.list(None).unwrap();
    let object = listing.find(&series(), &id("a")).unwrap().layer.key.clone();
    for key in [object.as_str(), "manifests/vg=2Fhome/a.json"] {
        world.remove(key);
        let damaged = world.snapshot();
        for fault in Fault::ALL {
            for number in 0.. {
                world.reset(&damaged);
                world.break_operation(number, fault);
                let checked = first.lock_shared().and_then(|_lock| first.check());
                assert!(checked.is_err() || !checked.unwrap().is_sound(), "{key}, operation {number} {fault:?}");
                let looked = world.mend();
                world.break_operation(number, fault);
                assert!(Command::Restore.run(&first).is_err(), "{key}, operation {number} {fault:?}");
                if looked.max(world.mend()) <= number {
                    break;
                }
            }
        }
    }
}

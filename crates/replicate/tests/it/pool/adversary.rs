//! Every command of a run fails once, and every other process comes between any two of them.

use std::collections::BTreeMap;
use std::fmt::Debug;

use replicate::{LineageError, Sync, SyncError};

use super::lvm::{Actor, Fault};
use super::{World, between, lvm, want};

/// How many cases are tried; more with this variable.
pub(super) fn most_cases(default: usize) -> usize {
    let said = std::env::var("HYPERLAYER_ADVERSARY_CASES").ok();
    said.map_or(default, |number| number.parse().unwrap())
}

/// As many as are to be tried, evenly over all of them.
pub(super) fn chosen<T: Copy>(all: &[T], most: usize) -> Vec<T> {
    let step = all.len().div_ceil(most.max(1)).max(1);
    all.iter().copied().step_by(step).collect()
}

/// What a run finds, and what is asked of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Course {
    First,
    Delta,
    /// Somebody wrote to the copy.
    Rollback,
    /// A snapshot of each side that the user made is adopted, and the pair's rules drop it.
    AfterAdoption,
    /// The destination exists, and nothing is known of it.
    Existing,
}

const COURSES: [Course; 5] = [Course::First, Course::Delta, Course::Rollback, Course::AfterAdoption, Course::Existing];

impl Course {
    fn prepare(self) -> (World, Sync) {
        let world = World::with_source();
        let ask = want(1);
        match self {
            Self::First => return (world, ask),
            Self::Existing => {
                let mut content = world.content("vg0/data").unwrap();
                content[70_000..71_000].fill(99);
                world.machine.make("vg1/copy", &content);
                return (world, Sync { use_existing: true, ..ask });
            }
            Self::AfterAdoption => {
                let content = world.content("vg0/data").unwrap();
                world.machine.make("vg1/copy", &content);
                for name in ["vg0/data", "vg1/copy"] {
                    world.command(lvm_cmd::Program::Lvcreate, &["--snapshot", "--name", "mine", name]);
                }
                let adopt = Some(("mine".parse().unwrap(), "mine".parse().unwrap()));
                world.sync(&Sync { adopt, ..ask.clone() }).unwrap();
            }
            Self::Delta | Self::Rollback => drop(world.sync(&ask).unwrap()),
        }
        world.write("vg0/data", 5, 50);
        world.sync(&ask).unwrap();
        world.write("vg0/data", 1, 51);
        if self == Self::Rollback {
            world.write("vg1/copy", 2, 52);
            return (world, Sync { rollback: true, ..ask });
        }
        (world, ask)
    }
}

/// The user's volumes: of each its UUID and, where it is read-only or the pair's no more, its content.
fn users(world: &World) -> BTreeMap<String, String> {
    world.machine.with(|state| {
        let mine = state.volumes.iter().filter(|(name, _)| name.ends_with("/mine") || name.as_str() == "vg0/data");
        mine.map(|(name, thin)| (name.clone(), thin.uuid.clone())).collect()
    })
}

/// Whether what was written to the copy is there: under its name, or under one of those that it can have.
fn has_written(world: &World, written: Option<&Vec<u8>>) -> bool {
    let is = |content: &Vec<u8>| written.is_none_or(|written| content == written);
    world.machine.with(|state| state.volumes.values().any(|thin| is(&thin.content())))
}

/// What must be true of a run however it ended, and what a later one must do.
fn check(world: &World, ask: &Sync, before: &Before, result: &Result<replicate::Summary, SyncError>, case: &dyn Debug) {
    let copy = world.content("vg1/copy");
    match result {
        Ok(_) => assert!(copy == world.content("vg0/data"), "{case:?}: done, and the copy is another"),
        Err(error) => {
            assert!((1..=5).contains(&error.exit()), "{case:?}: {error}");
            // What became visible is reported.
            let is_told = matches!(error, SyncError::Settling { .. } | SyncError::After { .. }) || error.exit() == 5;
            assert!(is_told || copy == before.copy, "{case:?}: the copy changed: {}", lvm_cmd::with_causes(error));
        }
    }
    assert_eq!(users(world), before.users, "{case:?}");
    assert!(has_written(world, before.written.as_ref()), "{case:?}: what was written to the copy is lost");
    let next = world.sync(ask).or_else(|error| match error {
        // Who died right after it held a pool's metadata is not known; the message has the command that goes on.
        error if lvm_cmd::with_causes(&error).contains("0 release_metadata_snap") => {
            world.machine.release();
            world.sync(ask)
        }
        // What a run in between adopted, or swapped, is the pair's by now.
        SyncError::Lineage(LineageError::Written { .. }) => world.sync(&Sync { rollback: true, ..ask.clone() }),
        error => Err(error),
    });
    let next = next.unwrap_or_else(|error| panic!("{case:?}: the next run: {}", lvm_cmd::with_causes(&error)));
    if result.is_ok() {
        assert!(next.parent.is_some(), "{case:?}: what both sides had in common is lost");
    }
    world.is_mirrored("vg0/data", "vg1/copy");
    assert_eq!(users(world), before.users, "{case:?}");
    assert!(has_written(world, before.written.as_ref()), "{case:?}: what was written to the copy is lost later");
}

struct Before {
    copy: Option<Vec<u8>>,
    written: Option<Vec<u8>>,
    users: BTreeMap<String, String>,
}

impl Before {
    fn of(world: &World, course: Course) -> Self {
        let copy = world.content("vg1/copy");
        let written = copy.clone().filter(|_| matches!(course, Course::Rollback | Course::Existing));
        Self { copy, written, users: users(world) }
    }
}

#[test]
fn every_command_fails_once() {
    let mut cases = Vec::new();
    for course in COURSES {
        let (world, ask) = course.prepare();
        let actor = Actor::new(&world.machine, Fault::None, None);
        world.sync_as(&actor, &ask).0.unwrap();
        for n in 1..=actor.changes() {
            let faults = [Fault::Fails(n), Fault::DoneAndFails(n), Fault::Dies(n), Fault::DoneAndDies(n)];
            cases.extend(faults.map(|fault| (course, fault)));
        }
    }
    let tried = chosen(&cases, most_cases(10));
    let mut failed = 0;
    for case in &tried {
        let (world, ask) = case.0.prepare();
        let before = Before::of(&world, case.0);
        let actor = Actor::new(&world.machine, case.1, None);
        let result = world.sync_as(&actor, &ask).0;
        failed += usize::from(result.is_err());
        check(&world, &ask, &before, &result, case);
    }
    println!("{} of {} cases, {failed} runs failed", tried.len(), cases.len());
    assert!(failed > 0);
}

/// A run that removes several layers of each side by one command is cut within that command.
#[test]
fn a_removal_of_several_layers_is_cut_within() {
    let prepare = || {
        let world = World::with_source();
        for chunk in 0..3 {
            world.write("vg0/data", chunk, 53);
            world.sync(&want(9)).unwrap();
        }
        world
    };
    let removals = {
        let world = prepare();
        let actor = Actor::new(&world.machine, Fault::None, None);
        world.sync_as(&actor, &want(1)).0.unwrap();
        assert_eq!(world.names("-sync-").len(), 2, "{:?}", world.names(""));
        *actor.removals.lock().unwrap()
    };
    assert_eq!(removals, 2, "one for each side");
    for fault in [Fault::RemovesOne(1), Fault::RemovesOneAndDies(1), Fault::RemovesOneAndDies(2)] {
        let world = prepare();
        let before = Before::of(&world, Course::Delta);
        let result = world.sync_as(&Actor::new(&world.machine, fault, None), &want(1)).0;
        // What one command left, another one removes.
        assert_eq!(result.is_ok(), matches!(fault, Fault::RemovesOne(_)), "{fault:?}: {result:?}");
        check(&world, &want(1), &before, &result, &fault);
        assert_eq!(world.names("-sync-").len(), 2, "{fault:?}: {:?}", world.names(""));
    }
}

/// Who comes between.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Other {
    /// The daemon, in pools that stay too full.
    MakesRoom,
    /// The same sync.
    Syncs,
    /// A sync of the same source to another copy.
    SyncsElsewhere,
    /// `lvbackup recv --discard-partial` of what the sync receives.
    Discards,
}

const OTHERS: [Other; 4] = [Other::MakesRoom, Other::Syncs, Other::SyncsElsewhere, Other::Discards];

impl Other {
    fn act(self, world: &World, actor: &Actor<'_>) {
        match self {
            Self::MakesRoom => world.make_room_as(actor),
            Self::Syncs => drop(world.sync(&want(1))),
            Self::SyncsElsewhere => drop(world.sync(&between("vg0/data", "vg1/two", 1))),
            Self::Discards => {
                let target = "vg1/copy-sync".parse().unwrap();
                let (lvm, locks) = (lvm(actor, world), &world.state);
                let Ok(volumes) = transfer::lvm::PartialVolumes::lock(lvm, locks, &target) else { return };
                let group = lvm_cmd::volumes(actor, target.vg()).unwrap();
                let _ = volumes.discard(&group);
                let _ = transfer::receive::LedgerFile::new(world.folder.path().join("vg1-copy--sync.json")).remove();
            }
        }
    }
}

#[test]
fn another_process_comes_between_any_two_commands() {
    let mut cases = Vec::new();
    for course in COURSES {
        let (world, ask) = course.prepare();
        let actor = Actor::new(&world.machine, Fault::None, None);
        world.sync_as(&actor, &ask).0.unwrap();
        for n in 1..=*actor.commands.lock().unwrap() {
            cases.extend(OTHERS.map(|other| (course, other, n)));
        }
    }
    let tried = chosen(&cases, most_cases(10));
    let mut failed = 0;
    for case in &tried {
        let (world, ask) = case.0.prepare();
        let before = Before::of(&world, case.0);
        let other = Actor::new(&world.machine, Fault::None, None);
        let actor = Actor::new(&world.machine, Fault::None, Some((case.2, Box::new(|| case.1.act(&world, &other)))));
        let result = world.sync_as(&actor, &ask).0;
        failed += usize::from(result.is_err());
        check(&world, &ask, &before, &result, case);
    }
    println!("{} of {} cases, {failed} runs failed", tried.len(), cases.len());
}

/// A sync between any two commands of the daemon that makes room: between its look and its removal above all.
#[test]
fn a_run_comes_between_the_commands_that_make_room() {
    let mut tried = 0;
    for course in COURSES {
        for n in 1..40 {
            let (world, ask) = course.prepare();
            let before = Before::of(&world, course);
            let mut result = None;
            let commands = {
                let hook = || result = Some(world.sync(&ask));
                let actor = Actor::new(&world.machine, Fault::None, Some((n, Box::new(hook))));
                world.make_room_as(&actor);
                *actor.commands.lock().unwrap()
            };
            let Some(result) = result else { break };
            tried += 1;
            check(&world, &ask, &before, &result, &(course, n, commands));
        }
    }
    println!("{tried} cases");
    assert!(tried > 5);
}

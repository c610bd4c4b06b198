//! Two and three commands at once, interrupted at every operation.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use object_store::memory::InMemory;
use store::{ErrorKind, Store};

use super::actors::{Command, Results, fill, hold_true, is_expected};
use super::schedule::{Exhaustive, Random, Schedule};
use super::world::World;

/// How many work at once, at most; one more looks on.
const ACTORS: usize = 3;

const PAIRS: [[Command; 2]; 30] = [
    [Command::Prune, Command::Hold("old")],
    [Command::Prune, Command::Tag("old")],
    [Command::Prune, Command::Unhold("old")],
    [Command::Prune, Command::Backup("new")],
    [Command::Prune, Command::Check],
    [Command::Prune, Command::Restore],
    [Command::Prune, Command::Merge],
    [Command::Prune, Command::Unlock],
    [Command::Merge, Command::Hold("a")],
    [Command::Merge, Command::Tag("a")],
    [Command::Merge, Command::Unhold("old")],
    [Command::Merge, Command::Backup("new")],
    [Command::Merge, Command::Check],
    [Command::Merge, Command::Restore],
    [Command::Merge, Command::Unlock],
    [Command::Backup("new"), Command::Backup("other")],
    [Command::Backup("new"), Command::Hold("c")],
    [Command::Backup("new"), Command::Tag("c")],
    [Command::Backup("new"), Command::Check],
    [Command::Backup("new"), Command::Restore],
    [Command::Backup("new"), Command::Unlock],
    [Command::Hold("old"), Command::Unhold("old")],
    [Command::Hold("old"), Command::Hold("a")],
    [Command::Hold("old"), Command::Tag("old")],
    [Command::Hold("old"), Command::Check],
    [Command::Hold("old"), Command::Restore],
    [Command::Hold("old"), Command::Unlock],
    [Command::Check, Command::Restore],
    [Command::Check, Command::Unlock],
    [Command::Restore, Command::Unlock],
];

struct Table {
    world: Arc<World>,
    stores: Vec<Store>,
    clean: Arc<InMemory>,
}

impl Table {
    fn new() -> Self {
        let world = World::new(ACTORS + 1);
        Store::init(&world.location(0), &world.options(0)).unwrap();
        let stores: Vec<_> = (0..=ACTORS).map(|actor| world.open(actor)).collect();
        fill(&stores[0]);
        let clean = world.snapshot();
        Self { world, stores, clean }
    }

    /// Runs these commands by a schedule, and asserts what is promised. Time that passes in it makes more errors right.
    fn play(&self, commands: &[Command], schedule: Schedule, time_passes: bool) -> Schedule {
        let (world, stores) = (&self.world, &self.stores);
        world.reset(&self.clean);
        world.begin_turns(commands.len(), schedule);
        let results = std::thread::scope(|scope| {
            let threads: Vec<_> = commands
                .iter()
                .enumerate()
                .map(|(actor, command)| {
                    scope.spawn(move || {
                        let result = catch_unwind(AssertUnwindSafe(|| command.run(&stores[actor])));
                        world.away(actor);
                        result
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        });
        let schedule = world.end_turns();
        let mut judged = Results::new();
        for (command, result) in commands.iter().zip(results) {
            let Ok(result) = result else { panic!("{command:?}\n{}", self.case(commands)) };
            let expected = match &result {
                // What works under a lock that was taken from it may find anything, and says so.
                Err(error) => {
                    is_expected(error)
                        || (time_passes && matches!(error.kind(), ErrorKind::Refused | ErrorKind::NotFound))
                }
                Ok(()) => true,
            };
            assert!(expected, "{command:?}: {result:?}\n{}", self.case(commands));
            judged.insert(*command, result);
        }
        (0..ACTORS).for_each(|actor| world.kill(actor));
        let right = catch_unwind(AssertUnwindSafe(|| {
            hold_true(&stores[ACTORS], &judged);
            Command::Prune.run(&stores[ACTORS]).unwrap();
            judged.insert(Command::Prune, Ok(()));
            assert_eq!(stores[ACTORS].garbage().unwrap(), []);
            hold_true(&stores[ACTORS], &judged);
        }));
        assert!(right.is_ok(), "{judged:?}\n{}", self.case(commands));
        schedule
    }

    fn case(&self, commands: &[Command]) -> String {
        format!("{commands:?}:\n{}", self.world.trace())
    }
}

/// How many schedules each test tries, where the environment says so.
fn asked() -> Option<u64> {
    std::env::var("HYPERLAYER_ADVERSARY_CASES").ok().map(|text| text.parse().expect("a number"))
}

/// How many random schedules are tried otherwise.
const CASES: u64 = 600;

/// Two checks, restores or unlocks write nothing but their locks; each is in other pairs.
#[test]
fn each_two_commands_meet() {
    let kind = |command: &Command| match command {
        Command::Backup(_) => "backup",
        Command::Prune | Command::Merge => "prune",
        Command::Hold(_) | Command::Unhold(_) | Command::Tag(_) => "hold",
        Command::Check => "check",
        Command::Restore => "restore",
        Command::Unlock => "unlock",
    };
    let met: Vec<_> = PAIRS.iter().map(|pair| [kind(&pair[0]), kind(&pair[1])]).collect();
    let kinds = ["backup", "prune", "hold", "check", "restore", "unlock"];
    for (nth, one) in kinds.into_iter().enumerate() {
        let others = if nth < 3 { &kinds[nth..] } else { &kinds[nth + 1..] };
        for other in others {
            assert!(met.contains(&[one, other]) || met.contains(&[other, one]), "{one} and {other}");
        }
    }
}

/// Without a number in the environment: one interruption, at every third operation, beginning elsewhere for each pair.
/// With one: two interruptions, everywhere, until the number is reached.
#[test]
fn two_at_once_interrupted_at_every_operation() {
    let table = Table::new();
    let (mut cases, mut complete) = (0_u64, 0);
    for (nth, commands) in PAIRS.iter().enumerate() {
        let (bound, stride) = if asked().is_some() { (2, 1) } else { (1, 3) };
        let mut next_stride = 1 + nth % stride;
        let mut schedule = Some(Exhaustive::new(bound));
        let mut of_pair = 0;
        while let Some(next) = schedule.take() {
            let Schedule::Exhaustive(played) = table.play(commands, Schedule::Exhaustive(next), false) else {
                unreachable!("as it was given")
            };
            of_pair += 1;
            schedule = played.following(next_stride);
            next_stride = stride;
            if asked().is_some_and(|all| of_pair >= all.div_ceil(PAIRS.len() as u64)) {
                break;
            }
        }
        cases += of_pair;
        complete += usize::from(schedule.is_none());
    }
    println!("two at once: {cases} schedules; to the end for {complete} pairs of {}", PAIRS.len());
}

#[test]
fn two_and_three_at_once_by_chance_while_locks_grow_old() {
    let table = Table::new();
    let all: Vec<_> = PAIRS.iter().flatten().copied().collect();
    let cases = asked().unwrap_or(CASES);
    for seed in 0..cases {
        let time_passes = !seed.is_multiple_of(3);
        let mut random = Random::new(seed, u32::from(time_passes));
        let mut commands: Vec<Command> = Vec::new();
        while commands.len() < 2 + usize::from(seed.is_multiple_of(2)) {
            let command = all[random.below(all.len())];
            if !commands.contains(&command) {
                commands.push(command);
            }
        }
        let played = catch_unwind(AssertUnwindSafe(|| table.play(&commands, Schedule::Random(random), time_passes)));
        assert!(played.is_ok(), "seed {seed}");
    }
    println!("two and three at once: {cases} random schedules");
}

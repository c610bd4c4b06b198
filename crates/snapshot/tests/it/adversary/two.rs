//! Two runs at once, switched between at each operation.

use snapshot::Record;

use super::machine::{Fault, Machine, Run};
use super::schedule::Turns;
use super::{Command, Dice, Failed, cases, is_gone, machine, well};
use crate::model::record;

/// What two snapshots of a group have in common, beside the group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Shares {
    Nothing,
    /// The temporary file and the folder.
    Paths,
    /// Those and the name.
    Name,
}

/// The second one of two snapshots of a group.
fn other(one: &Record, shares: Shares) -> Record {
    let mut other = one.clone();
    other.id = "fedcba9876543210".to_owned();
    if shares != Shares::Name {
        other.snapshot = "vg0/second".parse().unwrap();
    }
    if let Some(file) = &mut other.file {
        file.pv = "aaaaaa-bbbb-cccc-dddd-eeee-ffff-iiiiii".parse().unwrap();
        if shares == Shares::Nothing {
            file.path = "/var/tmp/second.img".into();
        }
    }
    if let Some(at) = other.mount.as_mut().filter(|_| shares == Shares::Nothing) {
        at.path = "/mnt/second".into();
    }
    other
}

/// Runs both at once; each of them says what came of it.
fn both(
    machine: &Machine,
    jobs: [(Command, &Record); 2],
    turns: Vec<usize>,
    faults: [&[(u32, Fault)]; 2],
) -> [Result<(), Failed>; 2] {
    let turns = Turns::of_two(turns);
    std::thread::scope(|scope| {
        let started = [0, 1].map(|who| {
            let (turns, (command, wanted)) = (turns[who].clone(), jobs[who]);
            let run = Run::new(machine, faults[who], Some(turns.clone()));
            scope.spawn(move || {
                let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| command.run(&run, wanted)));
                turns.end();
                outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
        });
        started.map(|thread| thread.join().unwrap())
    })
}

/// How many turns each has, one after the other.
fn shown(turns: &[usize]) -> String {
    turns.chunk_by(|a, b| a == b).map(|chunk| format!("{}x{} ", chunk[0], chunk.len())).collect()
}

fn tried(
    commands: [Command; 2],
    shares: Shares,
    with_file: bool,
    turns: Vec<usize>,
    faults: [&[(u32, Fault)]; 2],
    reboots: bool,
) {
    let case = format!("{commands:?} {shares:?} file {with_file} {} {faults:?} reboot {reboots}", shown(&turns));
    let one = record(with_file, Some(true));
    let two = other(&one, shares);
    let machine = machine(&one);
    for (command, wanted) in [(commands[0], &one), (commands[1], &two)] {
        let is_there = machine.state().volumes.contains_key(wanted.snapshot.lv().as_str());
        if !matches!(command, Command::Create | Command::Dump) && !is_there {
            well(&machine, Command::Create, wanted);
        }
    }
    if reboots {
        machine.reboot();
    }
    let outcomes = both(&machine, [(commands[0], &one), (commands[1], &two)], turns, faults);
    let is_faulty = !faults[0].is_empty() || !faults[1].is_empty();
    // Only what both want can be refused to one of them.
    if shares == Shares::Nothing && !is_faulty && !reboots {
        assert!(outcomes.iter().all(Result::is_ok), "{case}: {outcomes:?}");
    }
    for (wanted, (command, outcome)) in [&one, &two].into_iter().zip(commands.into_iter().zip(&outcomes)) {
        let is_there = machine.state().volumes.contains_key(wanted.snapshot.lv().as_str());
        if outcome.is_ok() && shares != Shares::Name {
            let stays = matches!(command, Command::Create | Command::Mount | Command::Umount | Command::Recover);
            assert_eq!(is_there, stays, "{case}: {command:?} succeeded");
        }
    }
    // One may need what the other one does: two rounds are enough.
    for _ in 0..2 {
        for wanted in [&one, &two] {
            let _ = Command::Recover.run(&Run::new(&machine, &[], None), wanted);
        }
    }
    for wanted in [&one, &two] {
        well(&machine, Command::Recover, wanted);
        if machine.state().volumes.contains_key(wanted.snapshot.lv().as_str()) {
            well(&machine, Command::Remove, wanted);
        }
    }
    assert!(is_gone(&machine.state(), &one), "{case}: {:?}", machine.state());
    assert!(!machine.is_recorded(), "{case}: a record is left");
}

const COMMANDS: [Command; 4] = [Command::Create, Command::Remove, Command::Recover, Command::Dump];

/// One run stops at each of its operations, and the other one works from beginning to end.
#[test]
fn each_operation_of_one_meets_all_of_the_other() {
    let mut count = 0;
    for (first, second) in COMMANDS.into_iter().flat_map(|first| COMMANDS.map(|second| (first, second))) {
        for (shares, with_file) in
            [(Shares::Nothing, true), (Shares::Paths, true), (Shares::Nothing, false), (Shares::Name, true)]
        {
            if shares == Shares::Paths
                && ![first, second].iter().all(|one| matches!(one, Command::Create | Command::Dump))
            {
                continue;
            }
            for at in (0..120).step_by(5) {
                let turns = [vec![0; at], vec![1; 400]].concat();
                tried([first, second], shares, with_file, turns, [&[], &[]], false);
                count += 1;
            }
        }
    }
    println!("{count} cases of two runs at once");
}

#[test]
fn two_runs_take_turns_and_meet_faults() {
    let mut dice = Dice(0x2545_f491_4f6c_dd1d);
    let count = cases(1000);
    for _ in 0..count {
        let commands = [0, 1].map(|_| COMMANDS[dice.below(4)]);
        let makes = commands.iter().all(|one| matches!(one, Command::Create | Command::Dump));
        let shares = [Shares::Nothing, Shares::Name, Shares::Paths][dice.below(if makes { 3 } else { 2 })];
        let with_file = dice.below(3) > 0;
        let stretch = 1 + dice.below(12);
        let turns = (0..40).flat_map(|_| vec![dice.below(2); 1 + dice.below(stretch)]).collect();
        let fault = |dice: &mut Dice| vec![(dice.operation(90), Fault::ALL[dice.below(4)])];
        let faults = [0, 1].map(|_| if dice.below(2) == 0 { fault(&mut dice) } else { Vec::new() });
        let reboots = dice.below(4) == 0 && !makes;
        tried(commands, shares, with_file, turns, [&faults[0], &faults[1]], reboots);
    }
    println!("{count} cases of two runs that take turns");
}

//! Every operation of every command fails once, in every way.

use std::collections::BTreeMap;

use snapshot::Record;

use super::machine::{Fault, Machine, Run, State};
use super::{Command, Dice, cases, is_gone, machine, wanteds, well};

/// What is there before the command, and after it, where all is well.
fn prepared(command: Command, wanted: &Record) -> Machine {
    let machine = machine(wanted);
    let made = match command {
        Command::Mount => &Record { mount: None, ..wanted.clone() },
        _ => wanted,
    };
    if !matches!(command, Command::Create | Command::Dump) {
        well(&machine, Command::Create, made);
    }
    if command == Command::Recover {
        machine.reboot();
    }
    machine
}

/// Inodes are counted, so that two that are made alike differ.
fn shape(state: &State) -> String {
    let mut state = state.clone();
    let mut names = BTreeMap::new();
    for inodes in [
        &mut state.files,
        &mut state.folders,
        &mut state.labels.iter().map(|(pv, inode)| (pv.into(), *inode)).collect(),
    ] {
        for inode in inodes.values_mut() {
            let next = names.len() as u64;
            *inode = *names.entry(*inode).or_insert(next);
        }
    }
    state.labels.values_mut().for_each(|inode| *inode = names[inode]);
    state.loops = state.loops.iter().map(|inode| names[inode]).collect();
    format!("{state:?}")
}

fn expected(command: Command, wanted: &Record) -> (String, u32) {
    let machine = prepared(command, wanted);
    let run = Run::new(&machine, &[], None);
    command.run(&run, wanted).unwrap();
    (shape(&machine.state()), run.operations())
}

/// What happens after the command has ended, in whatever way.
#[derive(Clone, Copy, Debug)]
enum After {
    Nothing,
    Reboot,
    PowerCut,
}

fn tried(command: Command, wanted: &Record, faults: &[(u32, Fault)], after: After, expected: &str) {
    let case = || {
        format!("{command:?} {faults:?} {after:?} file {} mount {:?}", wanted.file.is_some(), wanted.mount.is_some())
    };
    let machine = prepared(command, wanted);
    let before = machine.state();
    let run = Run::new(&machine, faults, None);
    let outcome = command.run(&run, wanted);
    match &outcome {
        Ok(()) => assert_eq!(shape(&machine.state()), expected, "{}: success, and not all is done", case()),
        Err(failed) if !run.is_dead() && !failed.says_left => {
            assert_eq!(
                shape(&machine.state()),
                shape(&before),
                "{}: something is left and not named: {failed:?}",
                case()
            );
        }
        Err(_) => {}
    }
    let made = |state: &State| !is_gone(state, wanted);
    // What is left can be named only by a record.
    assert!(machine.is_recorded() || !made(&machine.state()), "{}: nothing knows of {:?}", case(), machine.state());
    match after {
        After::Nothing => {}
        After::Reboot => machine.reboot(),
        After::PowerCut => machine.power_cut(),
    }
    assert!(machine.is_recorded() || !made(&machine.state()), "{}: nothing knows of {:?}", case(), machine.state());
    // Then it goes on, and ends: by the same command again, or by `recover`.
    well(&machine, Command::Recover, wanted);
    let recovered = machine.state();
    let is_there = recovered.volumes.contains_key(wanted.snapshot.lv().as_str());
    assert_eq!(is_there, made(&recovered), "{}: half of it is there: {recovered:?}", case());
    if is_there {
        well(&machine, Command::Remove, wanted);
    }
    assert!(is_gone(&machine.state(), wanted), "{}: {:?}", case(), machine.state());
    assert!(!machine.is_recorded(), "{}: a record is left", case());
}

/// The commands that there are for a kind of snapshot.
fn jobs() -> Vec<(Command, Record)> {
    let all = wanteds().into_iter().flat_map(|wanted| Command::ALL.map(|command| (command, wanted.clone())));
    all.filter(|(command, wanted)| *command != Command::Mount || wanted.mount.is_some()).collect()
}

#[test]
fn every_operation_fails_once() {
    let mut count = 0;
    for (command, wanted) in jobs() {
        let (expected, operations) = expected(command, &wanted);
        for n in 1..=operations {
            for fault in Fault::ALL {
                // Each operation meets each fault, and what comes after in turn.
                let after = [After::Nothing, After::Reboot, After::PowerCut][count % 3];
                tried(command, &wanted, &[(n, fault)], after, &expected);
                count += 1;
            }
        }
    }
    println!("{count} cases, each with one fault");
    assert!(count > 5000, "{count}");
}

#[test]
fn several_operations_fail() {
    let jobs: Vec<_> =
        jobs().into_iter().map(|(command, wanted)| (expected(command, &wanted), command, wanted)).collect();
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let count = cases(1000);
    for _ in 0..count {
        let ((expected, operations), command, wanted) = &jobs[dice.below(jobs.len())];
        let faults: Vec<_> =
            (0..2 + dice.below(2)).map(|_| (dice.operation(2 * operations), Fault::ALL[dice.below(4)])).collect();
        let after = [After::Nothing, After::Reboot, After::PowerCut][dice.below(3)];
        tried(*command, wanted, &faults, after, expected);
    }
    println!("{count} cases, each with several faults");
}

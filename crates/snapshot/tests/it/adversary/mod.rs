//! Every operation fails once, and two runs work at once: what is promised holds, and the same command again finishes.

mod machine;
mod once;
mod schedule;
mod two;

use snapshot::{Journal, Phase, Record, make, mount, recover, remove, unmount};

use crate::model::record;
use machine::{Machine, Run, State, Trouble};

/// How many cases the long form tries; the short one tries a few thousand.
fn cases(short: u32) -> u32 {
    std::env::var("HYPERLAYER_ADVERSARY_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(short)
}

/// Numbers that look random, always the same ones.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        // xorshift64
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).unwrap()
    }

    /// Some operation, of so many.
    fn operation(&mut self, count: u32) -> u32 {
        1 + u32::try_from(self.below(usize::try_from(count).unwrap())).unwrap()
    }
}

/// A command of lvsnap, on one snapshot, as its binary does it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Command {
    Create,
    Mount,
    Umount,
    Remove,
    Recover,
    /// A snapshot that is recorded as going from the moment that it is made.
    Dump,
}

impl Command {
    const ALL: [Self; 6] = [Self::Create, Self::Mount, Self::Umount, Self::Remove, Self::Recover, Self::Dump];

    /// Whether all of it is done; if not, whether it says that something is left.
    fn run(self, run: &Run, wanted: &Record) -> Result<(), Failed> {
        let journal = &run.journal();
        let known = |run: &Run| match journal.read(&wanted.snapshot) {
            Ok(Some(record)) => Ok(record),
            Ok(None) => Err(Failed::nothing(run, Trouble::Refused("no such snapshot"))),
            Err(error) => Err(Failed::nothing(run, error.into())),
        };
        let left = |of: Result<(), Trouble>| of.map_err(|trouble| Failed { trouble, says_left: true });
        let _lock =
            run.lock(wanted.snapshot.lv().as_str()).ok_or_else(|| Failed::nothing(run, Trouble::Refused("locked")))?;
        match self {
            Self::Create => {
                // Who has a record of this name is refused before anything is made.
                match journal.read(&wanted.snapshot) {
                    Ok(None) => created(run, &mut wanted.clone(), journal),
                    Ok(Some(_)) => Err(Failed { trouble: Trouble::Refused("recorded"), says_left: true }),
                    Err(error) => Err(Failed::nothing(run, error.into())),
                }
            }
            Self::Mount => {
                let mut record = known(run)?;
                if record.mount.is_some() {
                    left(unmount(run, &mut record, journal))?;
                }
                let at = wanted.mount.clone().unwrap();
                mount(run, at, &mut record, journal)
                    .map_err(|(trouble, undoing)| Failed { trouble, says_left: undoing.is_some() })
            }
            Self::Umount => left(unmount(run, &mut known(run)?, journal)),
            Self::Remove => left(remove(run, &mut known(run)?, journal)),
            Self::Recover => {
                for half in journal.halves() {
                    // Who has the lock is writing it.
                    let name = half.lv().as_str();
                    let lock = run.lock(name);
                    if lock.is_none() && half != wanted.snapshot {
                        continue;
                    }
                    left(journal.remove_half(&half).map_err(Trouble::from))?;
                }
                match journal.read(&wanted.snapshot) {
                    Ok(Some(mut record)) => left(recover(run, &mut record, journal)),
                    Ok(None) => Ok(()),
                    Err(error) => Err(Failed::nothing(run, error.into())),
                }
            }
            Self::Dump => {
                match journal.read(&wanted.snapshot) {
                    Ok(None) => {}
                    Ok(Some(made)) if made.phase == Phase::Made => {
                        return Err(Failed::nothing(run, Trouble::Refused("recorded")));
                    }
                    // What a run that died has left.
                    Ok(Some(mut dead)) => left(remove(run, &mut dead, journal))?,
                    Err(error) => return Err(Failed::nothing(run, error.into())),
                }
                let mut record = wanted.clone();
                created(run, &mut record, journal)?;
                record.phase = Phase::Removing;
                let used = journal.keep(&record).map_err(Trouble::from);
                let removed = left(remove(run, &mut record, journal));
                match used {
                    Ok(()) => removed,
                    Err(trouble) => Err(Failed { trouble, says_left: removed.is_err() }),
                }
            }
        }
    }
}

fn created(run: &Run, record: &mut Record, journal: &Journal) -> Result<(), Failed> {
    make(run, record, journal).map_err(|trouble| {
        let says_left = remove(run, record, journal).is_err();
        Failed { trouble, says_left }
    })
}

/// What a command ends with.
#[derive(Debug)]
struct Failed {
    #[allow(dead_code, reason = "shown where a test fails")]
    trouble: Trouble,
    /// It names what is left, and what removes that.
    says_left: bool,
}

impl Failed {
    fn nothing(_: &Run, trouble: Trouble) -> Self {
        Self { trouble, says_left: false }
    }
}

/// A machine before anything is made: another's snapshot, file and folder are there.
fn machine(wanted: &Record) -> Machine {
    let machine = Machine::default();
    machine.change(|state| {
        state.files.insert("/var/tmp/other.img".into(), 1000);
        state.folders.insert("/mnt/other".into(), 1001);
        state.volumes.insert("other".to_owned(), ("f".repeat(16), None));
        if let Some(at) = wanted.mount.as_ref().filter(|at| !at.make) {
            state.folders.insert(at.path.clone(), 1002);
        }
    });
    machine
}

/// The same without what a run of ours has made.
fn well(machine: &Machine, run: Command, wanted: &Record) {
    let outcome = run.run(&Run::new(machine, &[], None), wanted);
    outcome.unwrap_or_else(|failed| panic!("{run:?} without a fault: {failed:?}\n{:?}", machine.state()));
}

/// All kinds of snapshots: `--tmp-file` or not, no mount, a folder that is made, one that is there.
fn wanteds() -> Vec<Record> {
    let mounts = [None, Some(true), Some(false)];
    mounts.into_iter().flat_map(|mount| [record(true, mount), record(false, mount)]).collect()
}

fn is_gone(state: &State, wanted: &Record) -> bool {
    *state == machine(wanted).state()
}

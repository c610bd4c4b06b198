//! Every operation of a dump and its rotation fails once, in every way; then the same command finishes.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::rc::Rc;

use cli::{Exit, Failure, OrFail, Outcome};
use lvm_cmd::LvRef;

use super::{Archived, Source, dump};
use crate::dump::files::{Files, HostFiles};
use crate::dump::folder::{Folder, Owner};
use crate::dump::name::DumpName;
use crate::dump::rotate::Maxima;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fault {
    /// It is not done, and fails.
    Fails,
    /// It is done, and reported as failed.
    DoneAndFails,
    /// The run is killed before it; also where it hung until then.
    Killed,
    /// The run is killed after it.
    KilledAfter,
}

const FAULTS: [Fault; 4] = [Fault::Fails, Fault::DoneAndFails, Fault::Killed, Fault::KilledAfter];
const WHOLE: &str = "a whole archive";

/// What one run meets, and what it did.
#[derive(Debug, Default)]
struct Fate {
    faults: RefCell<Vec<(u32, Fault)>>,
    count: Cell<u32>,
    is_dead: Cell<bool>,
    /// The number of this run.
    run: Cell<u8>,
    /// Whether there is a snapshot.
    snapshot: Cell<bool>,
    /// The content of all files when the directory was last synced.
    durable: RefCell<BTreeMap<String, String>>,
}

impl Fate {
    fn begin(&self, run: u8, faults: &[(u32, Fault)]) {
        self.run.set(run);
        self.faults.replace(faults.to_vec());
        self.count.set(0);
        self.is_dead.set(false);
    }

    /// One operation, with the fault of its number.
    fn act<T>(&self, act: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let failed = || io::Error::other("an operation that was to fail");
        if self.is_dead.get() {
            return Err(failed());
        }
        self.count.set(self.count.get() + 1);
        let count = self.count.get();
        let fault = self.faults.borrow().iter().find(|(n, _)| *n == count).map(|(_, fault)| *fault);
        self.is_dead.set(matches!(fault, Some(Fault::Killed | Fault::KilledAfter)));
        match fault {
            None => act(),
            Some(Fault::Fails | Fault::Killed) => Err(failed()),
            Some(Fault::DoneAndFails | Fault::KilledAfter) => act().and(Err(failed())),
        }
    }
}

/// Files of the host whose operations fail.
#[derive(Debug)]
struct Failing(Rc<Fate>);

impl Files for Failing {
    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        self.0.act(|| HostFiles.list(directory))
    }

    fn create_new(&self, file: &Path) -> io::Result<()> {
        self.0.act(|| HostFiles.create_new(file))
    }

    fn sync(&self, file: &Path) -> io::Result<u64> {
        self.0.act(|| Ok(fs::metadata(file)?.len()))
    }

    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.act(|| HostFiles.rename_new(from, to))
    }

    fn remove(&self, file: &Path) -> io::Result<()> {
        let name = file.file_name().unwrap().to_str().unwrap();
        let has_new =
            self.0.durable.borrow().get(&new(self.0.run.get()).file(&volume())).is_some_and(|content| content == WHOLE);
        assert!(has_new || name.starts_with(".unfinished-"), "`{name}` is removed before the new dump is durable");
        self.0.act(|| HostFiles.remove(file))
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        self.0.act(|| {
            self.0.durable.replace(content(directory));
            Ok(())
        })
    }
}

/// A snapshot that is there or not, and an archive that is written in two parts.
struct Model<'f>(&'f Fate);

impl Model<'_> {
    fn remove(&self) -> Outcome {
        let _ = self.0.act(|| {
            self.0.snapshot.set(false);
            Ok(())
        });
        match self.0.snapshot.get() {
            true => Err(Failure::msg(Exit::Unfinished, "something of the snapshot is left")),
            false => Ok(()),
        }
    }
}

impl Source for Model<'_> {
    fn archive(&self, archive: &Path, begin: &dyn Fn() -> Outcome) -> Outcome<Archived> {
        if self.0.snapshot.get() {
            self.remove()?;
        }
        let made = self.0.act(|| {
            self.0.snapshot.set(true);
            Ok(())
        });
        if let Err(cause) = made.or_fail(Exit::Failed) {
            return Err(self.remove().map_or_else(|left| left, |()| cause));
        }
        let write = |text: &str| self.0.act(|| fs::write(archive, text)).or_fail(Exit::Failed);
        let written = begin().and_then(|()| write("half")).and_then(|()| write(WHOLE));
        Ok(Archived { written, removed: self.remove() })
    }

    fn check(&self, archive: &Path) -> Outcome {
        let found = self.0.act(|| fs::read_to_string(archive)).or_fail(Exit::Failed)?;
        if found == WHOLE { Ok(()) } else { Err(Failure::msg(Exit::Failed, "the archive has no end")) }
    }
}

fn volume() -> LvRef {
    "vg0/root".parse().unwrap()
}

/// The name of the dump of each run: one minute later than the one before.
fn new(run: u8) -> DumpName {
    DumpName::new(format!("2026-11-21T03:0{run}:00").parse().unwrap())
}

fn content(directory: &Path) -> BTreeMap<String, String> {
    let names = HostFiles.list(directory).unwrap().into_iter();
    names.map(|name| (name.clone(), fs::read_to_string(directory.join(name)).unwrap())).collect()
}

/// Three dumps, what a dead run left, and a file of the user.
const BEFORE: [&str; 5] = [
    "vg0-root-dump-weekly-2026-11-15_03-00-00.fsa",
    "vg0-root-dump-daily-2026-11-19_03-00-00.fsa",
    "vg0-root-dump-daily-2026-11-20_03-00-00.fsa",
    ".unfinished-vg0-root-dump-daily-2026-11-20_04-00-00.fsa",
    "vg0-root-dump-daily-notes.txt",
];

/// Runs a dump with these faults, then one without any. Gives how many operations the first one did.
fn tried(faults: &[(u32, Fault)]) -> u32 {
    let dest = tempfile::tempdir().unwrap();
    let fate = Rc::new(Fate::default());
    let run = |number: u8, faults: &[(u32, Fault)]| {
        let folder = Folder::open(dest.path(), &volume(), &Owner::here(&volume()), false).unwrap();
        fate.begin(number, faults);
        let maxima = Maxima { daily_max: Some(1), weekly_max: Some(1) };
        dump(&Model(&fate), &folder.over(Box::new(Failing(fate.clone()))), new(number), maxima, &|_| {})
    };
    drop(Folder::open(dest.path(), &volume(), &Owner::here(&volume()), false).unwrap());
    let directory = dest.path().join("vg0-root-dumps");
    BEFORE.iter().for_each(|name| fs::write(directory.join(name), WHOLE).unwrap());
    let before = content(&directory);
    let made = new(0).file(&volume());

    let outcome = run(0, faults);
    let after = content(&directory);
    let is_whole = after.get(&made).is_some_and(|content| content == WHOLE);
    let removed: Vec<_> = BEFORE.iter().filter(|name| !after.contains_key(**name) && !name.starts_with('.')).collect();
    assert!(is_whole || !after.contains_key(&made), "{faults:?}: half a dump has its name");
    assert!(is_whole || removed.is_empty(), "{faults:?}: {removed:?} are gone without a new dump");
    let added = after.keys().filter(|name| !before.contains_key(*name));
    match &outcome {
        _ if fate.is_dead.get() => {}
        Ok(()) => {
            let stay = [BEFORE[0], BEFORE[4], &made, ".lvsnap-owner.json"];
            assert!(holds(&after, &stay) && !fate.snapshot.get(), "{faults:?}: success, and {after:?}");
            assert_eq!(*fate.durable.borrow(), after, "{faults:?}: success, and not durable");
        }
        Err(failure) if failure.exit() == Exit::Unfinished => {
            let text = failure.render("lvsnap");
            added.for_each(|name| assert!(text.contains(name), "{faults:?}: `{name}` is not named: {text}"));
            assert!(!fate.snapshot.get() || text.contains("snapshot"), "{faults:?}: a snapshot is left: {text}");
            let rest = format!("`lvsnap prune {} vg0/root --daily-max 1 --weekly-max 1`", dest.path().display());
            assert!(removed.is_empty() || text.contains(&rest), "{faults:?}: {removed:?} are gone: {text}");
        }
        Err(failure) => {
            assert_eq!(failure.exit(), Exit::Failed, "{faults:?}: {failure}");
            assert_eq!((added.count(), removed.len()), (0, 0), "{faults:?}: {failure}: {after:?}");
            assert!(!fate.snapshot.get(), "{faults:?}: a snapshot is left: {failure}");
        }
    }
    let operations = fate.count.get();

    run(1, &[]).unwrap_or_else(|failure| panic!("{faults:?}: the next dump: {failure}"));
    let stay = [BEFORE[0], BEFORE[4], &new(1).file(&volume()), ".lvsnap-owner.json"];
    assert!(holds(&content(&directory), &stay) && !fate.snapshot.get(), "{faults:?}");
    operations
}

/// Whether the files are these and no others.
fn holds(files: &BTreeMap<String, String>, names: &[&str]) -> bool {
    files.len() == names.len() && names.iter().all(|name| files.contains_key(*name))
}

#[test]
fn every_operation_of_a_dump_fails_once() {
    let operations = tried(&[]);
    assert!(operations >= 14, "{operations}");
    let mut count = 0;
    for n in 1..=operations {
        for fault in FAULTS {
            let more = tried(&[(n, fault)]);
            count += 1;
            // What undoes the first failure fails too.
            for m in n + 1..=more {
                for second in FAULTS {
                    tried(&[(n, fault), (m, second)]);
                    count += 1;
                }
            }
        }
    }
    println!("every operation of a dump failed once, and each two of them: {count} cases");
}

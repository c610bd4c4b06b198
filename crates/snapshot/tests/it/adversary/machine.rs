//! A machine with one volume group, on which several runs work, and whose operations fail.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use snapshot::{Action, Disk, Facts, FileId, Found, Journal, JournalError, Physical, PlanError, Record, Site, Step};

use super::schedule::Turns;

/// All that is there.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct State {
    /// Files by their names, with their inodes; folders as well.
    pub(crate) files: BTreeMap<PathBuf, u64>,
    pub(crate) folders: BTreeMap<PathBuf, u64>,
    /// The inodes that have a loop device.
    pub(crate) loops: BTreeSet<u64>,
    /// The inode that a physical volume is on.
    pub(crate) labels: BTreeMap<String, u64>,
    /// The physical volumes that the group has.
    pub(crate) group: BTreeSet<String>,
    /// The volumes by their names, with the id in the tag, and the physical volume that they lie on.
    pub(crate) volumes: BTreeMap<String, (String, Option<String>)>,
    pub(crate) active: BTreeSet<String>,
    /// Which volume is mounted where.
    pub(crate) mounts: BTreeMap<PathBuf, String>,
}

/// The journal's file system: what is seen, and what a power cut leaves.
#[derive(Clone, Debug, Default)]
struct Kept {
    seen: BTreeMap<PathBuf, Vec<u8>>,
    durable: BTreeMap<PathBuf, Vec<u8>>,
}

type Effect = Box<dyn FnOnce(&mut State, &mut Kept) -> Result<(), &'static str> + Send>;

#[derive(Default)]
struct Inner {
    state: State,
    kept: Kept,
    inodes: u64,
    locks: BTreeSet<String>,
}

/// The machine that all runs share.
#[derive(Clone, Default)]
pub(crate) struct Machine(Arc<Mutex<Inner>>);

impl Machine {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }

    pub(crate) fn state(&self) -> State {
        self.inner().state.clone()
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.inner().state);
    }

    /// The lock of a snapshot's name, as long as the guard lives; `None` where another run has it.
    pub(crate) fn lock(&self, name: &str) -> Option<Lock> {
        let is_free = self.inner().locks.insert(name.to_owned());
        is_free.then(|| Lock { machine: self.clone(), name: name.to_owned() })
    }

    /// The power is cut: what is not durable is lost.
    pub(crate) fn power_cut(&self) {
        let mut inner = self.inner();
        inner.kept.seen = inner.kept.durable.clone();
        inner.reboot();
    }

    pub(crate) fn reboot(&self) {
        self.inner().reboot();
    }

    /// Whether a record, or a part of one, is there.
    pub(crate) fn is_recorded(&self) -> bool {
        !self.inner().kept.seen.is_empty()
    }
}

impl Inner {
    fn reboot(&mut self) {
        self.state.loops.clear();
        self.state.active.clear();
        self.state.mounts.clear();
    }
}

/// The lock of a snapshot's name, as a run has it until it ends.
pub(crate) struct Lock {
    machine: Machine,
    name: String,
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.machine.inner().locks.remove(&self.name);
    }
}

/// What goes wrong with an operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    /// It is not done, and fails.
    Fails,
    /// It is done, and reported as failed.
    DoneAndFails,
    /// The run is killed before it; also where it hung until then.
    Killed,
    /// The run is killed after it.
    KilledAfter,
}

impl Fault {
    pub(crate) const ALL: [Self; 4] = [Self::Fails, Self::DoneAndFails, Self::Killed, Self::KilledAfter];
}

/// Why something was not done.
#[derive(Debug)]
pub(crate) enum Trouble {
    Refused(#[allow(dead_code, reason = "shown where a test fails")] &'static str),
    Plan(#[allow(dead_code, reason = "the same")] PlanError),
    Journal(#[allow(dead_code, reason = "the same")] JournalError),
}

impl From<PlanError> for Trouble {
    fn from(error: PlanError) -> Self {
        Self::Plan(error)
    }
}

impl From<JournalError> for Trouble {
    fn from(error: JournalError) -> Self {
        Self::Journal(error)
    }
}

/// What a run meets: a fault at the operation of each number.
#[derive(Debug, Default)]
struct Fate {
    faults: Vec<(u32, Fault)>,
    count: u32,
    dead: bool,
}

/// One run of a program on the machine.
pub(crate) struct Run {
    machine: Machine,
    fate: Arc<Mutex<Fate>>,
    turns: Option<Turns>,
}

impl Run {
    pub(crate) fn new(machine: &Machine, faults: &[(u32, Fault)], turns: Option<Turns>) -> Self {
        let fate = Fate { faults: faults.to_vec(), ..Fate::default() };
        let fate = Arc::new(Mutex::new(fate));
        Self { machine: machine.clone(), fate, turns }
    }

    pub(crate) fn journal(&self) -> Journal {
        let Self { machine, fate, turns, .. } = self;
        let disk = Gate { machine: machine.clone(), fate: fate.clone(), turns: turns.clone() };
        Journal::on(Arc::new(disk), "/journal")
    }

    /// Takes a snapshot's lock, in this run's turn.
    pub(crate) fn lock(&self, name: &str) -> Option<Lock> {
        if let Some(turns) = &self.turns {
            turns.wait();
        }
        self.machine.lock(name)
    }

    /// How many operations it has begun.
    pub(crate) fn operations(&self) -> u32 {
        self.fate.lock().unwrap().count
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.fate.lock().unwrap().dead
    }

    fn gate(&self) -> Gate {
        Gate { machine: self.machine.clone(), fate: self.fate.clone(), turns: self.turns.clone() }
    }

    fn act_on(
        &self,
        effect: impl FnOnce(&mut State) -> Result<(), &'static str> + Send + 'static,
    ) -> Result<(), Trouble> {
        self.gate().act(Box::new(move |state, _| effect(state))).map_err(Trouble::Refused)
    }

    fn inode(&self) -> u64 {
        let mut inner = self.machine.inner();
        inner.inodes += 1;
        inner.inodes
    }
}

/// Through which every operation of a run goes.
#[derive(Clone)]
struct Gate {
    machine: Machine,
    fate: Arc<Mutex<Fate>>,
    turns: Option<Turns>,
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Gate")
    }
}

const KILLED: &str = "killed";
const FAILED: &str = "input/output error";

impl Gate {
    /// Whether anything happens to the next operation.
    fn next(&self) -> Result<Option<Fault>, &'static str> {
        if let Some(turns) = &self.turns {
            turns.wait();
        }
        let mut fate = self.fate.lock().unwrap();
        if fate.dead {
            return Err(KILLED);
        }
        fate.count += 1;
        let count = fate.count;
        let fault = fate.faults.iter().find(|(n, _)| *n == count).map(|(_, fault)| *fault);
        fate.dead = matches!(fault, Some(Fault::Killed | Fault::KilledAfter));
        Ok(fault)
    }

    fn act(&self, effect: Effect) -> Result<(), &'static str> {
        let fault = self.next()?;
        let mut inner = self.machine.inner();
        let Inner { state, kept, .. } = &mut *inner;
        match fault {
            None => effect(state, kept),
            Some(Fault::Fails) => Err(FAILED),
            Some(Fault::Killed) => Err(KILLED),
            Some(Fault::DoneAndFails | Fault::KilledAfter) => effect(state, kept).and(Err(FAILED)),
        }
    }

    fn see<T>(&self, see: impl FnOnce(&State, &Kept) -> T) -> Result<T, &'static str> {
        match self.next()? {
            None => {
                let inner = self.machine.inner();
                Ok(see(&inner.state, &inner.kept))
            }
            Some(_) => Err(FAILED),
        }
    }

    fn act_on_disk(
        &self,
        effect: impl FnOnce(&mut Kept) -> Result<(), &'static str> + Send + 'static,
    ) -> io::Result<()> {
        self.act(Box::new(move |_, kept| effect(kept))).map_err(io::Error::other)
    }
}

impl Disk for Gate {
    fn make_folder(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn list(&self, _: &Path) -> io::Result<Vec<PathBuf>> {
        self.see(|_, kept| kept.seen.keys().cloned().collect()).map_err(io::Error::other)
    }

    fn read(&self, file: &Path) -> io::Result<Option<Vec<u8>>> {
        self.see(|_, kept| kept.seen.get(file).cloned()).map_err(io::Error::other)
    }

    fn write_new(&self, file: &Path, bytes: &[u8]) -> io::Result<()> {
        // Two operations: a part of it may be written, and what is written may not be durable.
        let (path, part) = (file.to_owned(), bytes[..bytes.len() / 2].to_vec());
        self.act_on_disk(move |kept| match kept.seen.insert(path, part) {
            None => Ok(()),
            Some(_) => Err("it is there"),
        })?;
        let (path, bytes) = (file.to_owned(), bytes.to_vec());
        self.act_on_disk(move |kept| {
            kept.seen.insert(path, bytes);
            Ok(())
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let (from, to) = (from.to_owned(), to.to_owned());
        self.act_on_disk(move |kept| {
            let bytes = kept.seen.remove(&from).ok_or("it is not there")?;
            kept.seen.insert(to, bytes);
            Ok(())
        })
    }

    fn remove(&self, file: &Path) -> io::Result<()> {
        if !self.see(|_, kept| kept.seen.contains_key(file)).map_err(io::Error::other)? {
            return Err(io::ErrorKind::NotFound.into());
        }
        let file = file.to_owned();
        self.act_on_disk(move |kept| {
            kept.seen.remove(&file);
            Ok(())
        })
    }

    fn sync_folder(&self, _: &Path) -> io::Result<()> {
        self.act_on_disk(|kept| {
            kept.durable = kept.seen.clone();
            Ok(())
        })
    }
}

fn unfinished(path: &Path, record: &Record) -> PathBuf {
    path.with_file_name(format!(".{}.hyperlayer-{}", path.file_name().unwrap().display(), record.id))
}

fn when(can: bool, refused: &'static str) -> Result<(), &'static str> {
    if can { Ok(()) } else { Err(refused) }
}

impl State {
    fn pv_is_there(&self, pv: &str) -> bool {
        self.labels.get(pv).is_some_and(|inode| self.loops.contains(inode))
    }

    /// LVM changes nothing in a group that misses a physical volume, but for what takes something away.
    fn is_whole(&self) -> bool {
        self.group.iter().all(|pv| self.pv_is_there(pv))
    }

    fn found(names: &BTreeMap<PathBuf, u64>, path: &Path, made: Option<FileId>) -> Found {
        match names.get(path) {
            None => Found::Absent,
            Some(inode) if made.is_some_and(|made| made.inode == *inode) => Found::Ours,
            Some(_) => Found::Other,
        }
    }

    fn facts(&self, record: &Record) -> Facts {
        let name = record.snapshot.lv().as_str();
        let mut facts = Facts {
            volume: match self.volumes.get(name) {
                None => Found::Absent,
                Some((id, _)) if *id == record.id => Found::Ours,
                Some(_) => Found::Other,
            },
            is_active: self.active.contains(name),
            ..Facts::default()
        };
        if let Some(file) = &record.file {
            facts.file = Self::found(&self.files, &file.path, file.made);
            facts.unfinished_file = self.files.contains_key(&unfinished(&file.path, record));
            let inode = file.made.map(|made| made.inode).filter(|inode| self.loops.contains(inode));
            facts.loops = inode.map(|_| PathBuf::from("/dev/loop7")).into_iter().collect();
            let pv = file.pv.as_str();
            facts.physical = match (self.group.contains(pv), self.pv_is_there(pv)) {
                (true, true) => Physical::InGroup,
                (true, false) => Physical::Missing { entangled: false },
                (false, true) => Physical::Alone,
                (false, false) => Physical::Absent,
            };
        }
        let mounts = self.mounts.iter().filter(|(_, of)| *of == name && facts.volume == Found::Ours);
        facts.mounts = mounts.map(|(at, _)| at.clone()).collect();
        if let Some(at) = record.mount.as_ref().filter(|at| at.make) {
            facts.folder = match facts.mounts.contains(&at.path) && at.made.is_some() {
                true => Found::Ours,
                false => Self::found(&self.folders, &at.path, at.made),
            };
            facts.unfinished_folder = self.folders.contains_key(&unfinished(&at.path, record));
        }
        facts
    }
}

impl Site for Run {
    type Error = Trouble;

    fn make(&self, step: Step, record: &mut Record, journal: &Journal) -> Result<(), Trouble> {
        let name = record.snapshot.lv().as_str().to_owned();
        let (pv, made) = record.file.as_ref().map(|file| (file.pv.to_string(), file.made)).unzip();
        let inode = made.flatten().map(|made| made.inode);
        match step {
            Step::File | Step::Folder => {
                let is_file = step == Step::File;
                let path = match is_file {
                    true => record.file.as_ref().unwrap().path.clone(),
                    false => record.mount.as_ref().unwrap().path.clone(),
                };
                let (beside, inode) = (unfinished(&path, record), self.inode());
                let from = beside.clone();
                self.act_on(move |state| {
                    let names = if is_file { &mut state.files } else { &mut state.folders };
                    when(!names.contains_key(&from), "it is there")?;
                    names.insert(from, inode);
                    Ok(())
                })?;
                let made = Some(FileId { inode, born_ns: None });
                match is_file {
                    true => record.file.as_mut().unwrap().made = made,
                    false => record.mount.as_mut().unwrap().made = made,
                }
                journal.keep(record)?;
                self.act_on(move |state| {
                    let names = if is_file { &mut state.files } else { &mut state.folders };
                    when(!names.contains_key(&path), "it is there")?;
                    let inode = names.remove(&beside).ok_or("it is not there")?;
                    names.insert(path, inode);
                    Ok(())
                })
            }
            Step::Loop => self.act(&Action::Attach, record),
            Step::PhysicalVolume => self.act_on(move |state| {
                let inode = inode.filter(|inode| state.loops.contains(inode)).ok_or("no loop device")?;
                when(!state.labels.values().any(|labelled| *labelled == inode), "it is one")?;
                state.labels.insert(pv.unwrap(), inode);
                Ok(())
            }),
            Step::Group => self.act_on(move |state| {
                let pv = pv.unwrap();
                when(state.pv_is_there(&pv) && state.is_whole(), "not there, or the group misses something")?;
                state.group.insert(pv);
                Ok(())
            }),
            Step::Volume => {
                let id = record.id.clone();
                self.act_on(move |state| {
                    when(state.is_whole() && !state.volumes.contains_key(&name), "taken, or something is missing")?;
                    when(pv.as_ref().is_none_or(|pv| state.group.contains(pv)), "no room")?;
                    state.volumes.insert(name.clone(), (id, pv));
                    state.active.insert(name);
                    Ok(())
                })
            }
            Step::Mount => self.act(&Action::Mount, record),
        }
    }

    fn look(&self, record: &Record) -> Result<Facts, Trouble> {
        self.gate().see(|state, _| state.facts(record)).map_err(Trouble::Refused)
    }

    fn act(&self, action: &Action, record: &Record) -> Result<(), Trouble> {
        let (action, record) = (action.clone(), record.clone());
        self.act_on(move |state| {
            let name = record.snapshot.lv().as_str();
            let file = record.file.as_ref();
            let pv = file.map(|file| file.pv.as_str()).unwrap_or_default();
            let inode = file.and_then(|file| file.made).map(|made| made.inode);
            let facts = state.facts(&record);
            match &action {
                Action::Unmount(at) => {
                    when(state.mounts.get(at).is_some_and(|of| of == name), "not mounted")?;
                    state.mounts.remove(at);
                }
                Action::RemoveFolder => {
                    let at = &record.mount.as_ref().unwrap().path;
                    when(facts.folder == Found::Ours && !state.mounts.contains_key(at), "busy, or not ours")?;
                    state.folders.remove(at);
                }
                Action::RemoveUnfinishedFolder => {
                    state.folders.remove(&unfinished(&record.mount.as_ref().unwrap().path, &record));
                }
                Action::RemoveVolume => {
                    let is_mounted = state.mounts.values().any(|of| of == name);
                    when(facts.volume == Found::Ours && !is_mounted, "in use, or not ours")?;
                    state.volumes.remove(name);
                    state.active.remove(name);
                }
                Action::DropMissing => {
                    let missing: Vec<_> = state.group.iter().filter(|pv| !state.pv_is_there(pv)).cloned().collect();
                    let in_use = |pv: &String| state.volumes.values().any(|(_, on)| on.as_ref() == Some(pv));
                    when(missing.iter().any(|missing| missing == pv), "not missing")?;
                    when(!missing.iter().any(in_use), "a volume has a part of it")?;
                    state.group.retain(|pv| !missing.contains(pv));
                }
                Action::ReduceGroup => {
                    when(
                        facts.physical == Physical::InGroup && state.is_whole(),
                        "not there, or something is missing",
                    )?;
                    when(!state.volumes.values().any(|(_, on)| on.as_deref() == Some(pv)), "in use")?;
                    state.group.remove(pv);
                }
                Action::RemovePhysical => {
                    when(facts.physical == Physical::Alone, "in a group, or not there")?;
                    state.labels.remove(pv);
                }
                Action::Detach => {
                    let inode = inode.filter(|inode| state.loops.contains(inode)).ok_or("no loop device")?;
                    when(!state.labels.values().any(|labelled| *labelled == inode), "LVM has it")?;
                    state.loops.remove(&inode);
                }
                Action::RemoveFile => {
                    when(facts.file == Found::Ours && facts.loops.is_empty(), "attached, or not ours")?;
                    state.files.remove(&file.unwrap().path);
                    state.labels.remove(pv);
                }
                Action::RemoveUnfinishedFile => {
                    state.files.remove(&unfinished(&file.unwrap().path, &record));
                }
                Action::Attach => {
                    when(facts.file == Found::Ours && facts.loops.is_empty(), "no file, or attached")?;
                    state.loops.extend(inode);
                }
                Action::Activate => {
                    let on = state.volumes.get(name).ok_or("no volume")?.1.clone();
                    when(on.is_none_or(|pv| state.pv_is_there(&pv)), "partial")?;
                    state.active.insert(name.to_owned());
                }
                Action::MakeFolder => panic!("a folder is made as a step"),
                Action::Mount => {
                    let at = &record.mount.as_ref().unwrap().path;
                    let can = state.active.contains(name) && state.folders.contains_key(at);
                    when(can && !state.mounts.contains_key(at), "not active, or no folder, or mounted")?;
                    state.mounts.insert(at.clone(), name.to_owned());
                }
            }
            Ok(())
        })
    }
}

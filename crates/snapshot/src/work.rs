//! Making and removing, each step recorded before and after it.

use std::fmt::Debug;

use crate::plan::{is_lost, may_change_group, recovery, removal, revival, unmounting};
use crate::{
    Action, Facts, Found, Journal, JournalError, MountPoint, Phase, Physical, PlanError, Progress, Record, Step,
};

/// The place where snapshots are made: the host, or a model of one.
pub trait Site {
    /// Why something was not done.
    type Error: From<JournalError> + From<PlanError> + Debug;

    /// Does a step. It may write into the record what it made, and keep that, before what it made can be seen by its
    /// name.
    ///
    /// # Errors
    /// It is not done, or nobody knows.
    fn make(&self, step: Step, record: &mut Record, journal: &Journal) -> Result<(), Self::Error>;

    /// What is there.
    ///
    /// # Errors
    /// It cannot be known.
    fn look(&self, record: &Record) -> Result<Facts, Self::Error>;

    /// Does what a plan says.
    ///
    /// # Errors
    /// It is not done, or nobody knows.
    fn act(&self, action: &Action, record: &Record) -> Result<(), Self::Error>;
}

/// Makes all that the record says. What goes wrong in the midst is undone by [`remove`], by whoever calls this.
///
/// # Errors
/// A step failed; what was begun is in the record.
pub fn make<S: Site>(site: &S, record: &mut Record, journal: &Journal) -> Result<(), S::Error> {
    begin(record, journal)?;
    for step in record.to_make() {
        make_step(site, step, record, journal)?;
    }
    Ok(finish(record, journal)?)
}

/// Records that a snapshot is about to be made, for who does the steps himself.
///
/// # Errors
/// It cannot be kept.
pub fn begin(record: &mut Record, journal: &Journal) -> Result<(), JournalError> {
    record.phase = Phase::Making;
    journal.keep(record)
}

/// Records that all steps are done.
///
/// # Errors
/// It cannot be kept.
pub fn finish(record: &mut Record, journal: &Journal) -> Result<(), JournalError> {
    record.phase = Phase::Made;
    journal.keep(record)
}

/// Does one step of a snapshot that is made.
///
/// # Errors
/// It failed; that it was begun is in the record.
pub fn make_step<S: Site>(site: &S, step: Step, record: &mut Record, journal: &Journal) -> Result<(), S::Error> {
    begin_step(step, record, journal)?;
    site.make(step, record, journal)?;
    Ok(finish_step(step, record, journal)?)
}

/// Records that a step is about to be done. Between this and [`finish_step`] the steps but those of a file and a folder write
/// nothing to the journal: its file system may be frozen then.
///
/// # Errors
/// It cannot be kept; the step must not be done.
pub fn begin_step(step: Step, record: &mut Record, journal: &Journal) -> Result<(), JournalError> {
    record.steps.insert(step, Progress::Begun);
    journal.keep(record)
}

/// Records that a step is done.
///
/// # Errors
/// It cannot be kept; the record says that the step was begun.
pub fn finish_step(step: Step, record: &mut Record, journal: &Journal) -> Result<(), JournalError> {
    record.steps.insert(step, Progress::Done);
    journal.keep(record)
}

/// Removes all that is there of it, and at last the record. Can be run again wherever it ended.
///
/// # Errors
/// Something is in use, or does not belong to us alone. The record says that it is being removed, unless nothing could be
/// planned: then nothing was changed, and the record is as it was.
pub fn remove<S: Site>(site: &S, record: &mut Record, journal: &Journal) -> Result<(), S::Error> {
    let before = std::mem::replace(&mut record.phase, Phase::Removing);
    journal.keep(record)?;
    let facts = site.look(record)?;
    let planned = removal(record, &facts).and_then(|actions| {
        may_change_group(record, &facts, &actions)?;
        Ok(actions)
    });
    let actions = match planned {
        Ok(actions) => actions,
        Err(error) => {
            // Otherwise `recover` would remove later what could not be removed now.
            record.phase = before;
            journal.keep(record)?;
            return Err(error.into());
        }
    };
    for action in actions {
        carry_out(site, &action, record, journal)?;
        if action == Action::Attach {
            // What is on it is seen only now. It is attached once: the next plan finds it so.
            return remove(site, record, journal);
        }
    }
    Ok(journal.forget(&record.snapshot)?)
}

/// Mounts a snapshot that was made, at `at`. Where that fails, what was made for it is undone.
///
/// # Errors
/// The first is why it is not mounted; the second why something of that is left.
pub fn mount<S: Site>(
    site: &S,
    at: MountPoint,
    record: &mut Record,
    journal: &Journal,
) -> Result<(), (S::Error, Option<S::Error>)> {
    record.mount = Some(at);
    for step in record.to_make().filter(|step| *step >= Step::Folder) {
        if let Err(cause) = make_step(site, step, record, journal) {
            return Err((cause, unmount(site, record, journal).err()));
        }
    }
    Ok(())
}

/// Unmounts a snapshot wherever it is mounted, and removes the folder that was made for that. Can be run again.
///
/// # Errors
/// It is in use; the record still has the mount.
pub fn unmount<S: Site>(site: &S, record: &mut Record, journal: &Journal) -> Result<(), S::Error> {
    for action in unmounting(record, &site.look(record)?)? {
        carry_out(site, &action, record, journal)?;
    }
    record.mount = None;
    record.steps.retain(|step, _| *step < Step::Folder);
    Ok(journal.keep(record)?)
}

/// What a run that died, or a boot, has left to do.
///
/// # Errors
/// It cannot be known, or not be done.
pub fn to_recover<S: Site>(site: &S, record: &Record) -> Result<Vec<Action>, S::Error> {
    Ok(recovery(record, &site.look(record)?)?)
}

/// Attaches the temporary file of a snapshot again, where it is there and is not attached, whatever becomes of the snapshot. Until
/// that is done for all snapshots in a group, none of them can be removed.
///
/// # Errors
/// It cannot be known, or not be done.
pub fn attach<S: Site>(site: &S, record: &Record) -> Result<(), S::Error> {
    let facts = site.look(record)?;
    match facts.file == Found::Ours && facts.loops.is_empty() && facts.physical != Physical::Absent {
        true => site.act(&Action::Attach, record),
        false => Ok(()),
    }
}

/// Does it.
///
/// # Errors
/// As [`remove`].
pub fn recover<S: Site>(site: &S, record: &mut Record, journal: &Journal) -> Result<(), S::Error> {
    let facts = site.look(record)?;
    if record.phase != Phase::Made || is_lost(record, &facts) {
        return remove(site, record, journal);
    }
    revival(record, &facts)?.iter().try_for_each(|action| match action {
        Action::MakeFolder => make_step(site, Step::Folder, record, journal),
        Action::Mount => make_step(site, Step::Mount, record, journal),
        other => site.act(other, record),
    })
}

/// Does one action, and records that its step is undone.
///
/// # Errors
/// It failed.
pub fn carry_out<S: Site>(site: &S, action: &Action, record: &mut Record, journal: &Journal) -> Result<(), S::Error> {
    site.act(action, record)?;
    match action.undoes() {
        Some(step) if record.steps.remove(&step).is_some() => Ok(journal.keep(record)?),
        _ => Ok(()),
    }
}

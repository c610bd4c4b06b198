//! What every command works with.

use std::path::Path;
use std::time::Duration;

use cli::{Exit, Failure, OrFail, Outcome, Stop};
use lvm_cmd::{
    DEFAULT_LOCKS_DIR, DEFAULT_STATE_DIR, Host, Kind, LockError, LvRef, MOUNTINFO, Patience, ProcessLock, StateDir,
    VgName,
};
use snapshot::{DEFAULT_JOURNAL_DIR, FileSystem, Journal, Phase, PlanError, Record, SiteError, Step};

/// The host's programs, and the directories that runs know each other by.
pub(crate) struct Context {
    pub(crate) exec: Host,
    pub(crate) state: StateDir,
    locks: StateDir,
    pub(crate) journal: Journal,
}

impl Context {
    /// As root only. Which command is waited for when `stop` is requested is reported.
    ///
    /// # Errors
    /// Not root, or `/proc` is not there.
    pub(crate) fn new(stop: &Stop) -> Outcome<Self> {
        if !is_root() {
            return Err(Failure::msg(Exit::Surroundings, "LVM needs root").hint("run it with `sudo`"));
        }
        let this = Self::for_anybody()?;
        Ok(Self { exec: this.exec.stopped_by(stop.shared()), ..this })
    }

    /// As whoever this is, only to look.
    ///
    /// # Errors
    /// `/proc` is not there.
    pub(crate) fn for_anybody() -> Outcome<Self> {
        let folder = |path| StateDir::new(path).map_err(transfer::Error::from);
        let (state, locks) = (folder(DEFAULT_STATE_DIR)?, folder(DEFAULT_LOCKS_DIR)?);
        Ok(Self { exec: Host::new(), state, locks, journal: Journal::new(DEFAULT_JOURNAL_DIR) })
    }

    /// Keeps other runs from making, changing or removing this snapshot.
    ///
    /// # Errors
    /// Another run has the lock, or the lock cannot be used.
    pub(crate) fn lock(&self, snapshot: &LvRef) -> Outcome<ProcessLock> {
        self.try_lock(snapshot).map_err(|error| not_locked(snapshot, error))
    }

    /// As [`lock`](Self::lock); `None` if another run has the lock.
    ///
    /// # Errors
    /// The lock cannot be used.
    pub(crate) fn lock_if_free(&self, snapshot: &LvRef) -> Outcome<Option<ProcessLock>> {
        match self.try_lock(snapshot) {
            Err(error) if error.kind() == Kind::Busy => Ok(None),
            locked => locked.map(Some).map_err(|error| not_locked(snapshot, error)),
        }
    }

    /// Locks a snapshot to look at it. `None` if no run has ever locked it, or each that did has ended: then no file is made.
    ///
    /// # Errors
    /// As [`lock`](Self::lock).
    pub(crate) fn lock_to_look(&self, snapshot: &LvRef) -> Result<Option<ProcessLock>, LockError> {
        match self.locks.path().join(lock_name(snapshot)).try_exists() {
            Ok(false) => Ok(None),
            _ => self.try_lock(snapshot).map(Some),
        }
    }

    fn try_lock(&self, snapshot: &LvRef) -> Result<ProcessLock, LockError> {
        ProcessLock::acquire(&self.locks, &lock_name(snapshot), Patience::new(Duration::ZERO))
    }

    /// What is recorded of a snapshot that was made.
    ///
    /// # Errors
    /// Nothing is.
    pub(crate) fn record(&self, snapshot: &LvRef) -> Outcome<Record> {
        if let Some(record) = self.journal.read(snapshot).map_err(|error| of_site(error.into()))? {
            return Ok(record);
        }
        if let Some(record) = crate::lost::find(self)?.into_iter().find(|record| record.snapshot == *snapshot) {
            cli::say(&format!(
                "lvsnap: warning: the record of `{snapshot}` is gone; what its tags say is gone by, a mount point is not removed"
            ));
            return Ok(record);
        }
        Err(Failure::msg(Exit::Failed, format!("`{snapshot}` is no snapshot that lvsnap made"))
            .hint("`lvsnap list` shows those; `lvs` all others, which only `lvremove` removes"))
    }
}

fn lock_name(snapshot: &LvRef) -> String {
    format!("snapshot-{}", snapshot.dm_name())
}

/// Why a snapshot could not be locked: only a held lock means another run.
fn not_locked(snapshot: &LvRef, error: LockError) -> Failure {
    let text = match error.kind() {
        Kind::Busy => format!("another run works on `{snapshot}`"),
        _ => format!("cannot lock `{snapshot}`"),
    };
    Failure::from(transfer::Error::from(error)).context(text)
}

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// `VG/LV` or a path of it.
///
/// # Errors
/// Neither.
pub(crate) fn volume(text: &str, group: Option<&VgName>) -> Outcome<LvRef> {
    LvRef::parse(text, group).or_fail(Exit::Usage)
}

/// What the steps failed with.
pub(crate) fn of_site(error: SiteError) -> Failure {
    match error {
        SiteError::Volume(error) => transfer::Error::from(error).into(),
        SiteError::Report(error) => transfer::Error::from(error).into(),
        SiteError::Stopped => Failure::msg(Exit::Failed, "stopped"),
        SiteError::Plan(error) => {
            let hints = hints(&error);
            let failure = Failure::new(if hints.is_empty() { Exit::Failed } else { Exit::Surroundings }, error);
            hints.into_iter().fold(failure, Failure::hint)
        }
        other => {
            let exit = match other.kind() {
                Kind::Environment => Exit::Surroundings,
                _ => Exit::Failed,
            };
            Failure::new(exit, other)
        }
    }
}

/// How it can be planned all the same.
fn hints(error: &PlanError) -> Vec<String> {
    match error {
        PlanError::Unreachable { snapshot, step, path, .. } => {
            let path = path.display();
            let without = match step {
                Step::Folder => format!(
                    "or leave `{path}` there: `lvsnap umount {snapshot} --keep-folder` keeps the snapshot, \
                     `lvsnap remove {snapshot} --keep-folder` removes it"
                ),
                _ => format!(
                    "or give up `{path}`: `lvsnap recover {snapshot} --remove --yes` removes the snapshot without it"
                ),
            };
            vec!["mount that file system, and run the same command again".to_owned(), without]
        }
        PlanError::Unattached { .. } => vec!["run `lvsnap recover --yes` first: it attaches that space".to_owned()],
        _ => Vec::new(),
    }
}

/// The file system in which something with this path is about to be made.
///
/// # Errors
/// The kernel does not say what is mounted.
pub(crate) fn lies_on(context: &Context, path: &Path) -> Outcome<Option<FileSystem>> {
    FileSystem::of(&context.exec, Path::new(MOUNTINFO), path).map_err(|error| of_site(error.into()))
}

/// What is left of a snapshot because of `cause`, and how it goes. Nothing was removed where its removal is not recorded.
pub(crate) fn left(record: &Record, cause: Failure) -> Failure {
    if record.phase == Phase::Made {
        return cause;
    }
    let name = &record.snapshot;
    cause
        .leaving(format!("something of the snapshot `{name}` is left"))
        .hint(format!("`lvsnap recover {name}` shows what, and with `--yes` removes it"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_run_is_named_only_where_there_is_one() {
        let snapshot = "vg0/snap".parse().unwrap();
        let held = LockError::Held { path: "lock".into(), holder: None, waited: Duration::ZERO };
        let full = LockError::Io { path: "lock".into(), source: std::io::ErrorKind::StorageFull.into() };
        let open = LockError::Unsafe { path: "locks".into() };
        for (error, is_held) in [(held, true), (full, false), (open, false)] {
            let failure = not_locked(&snapshot, error);
            assert_eq!(failure.exit(), Exit::Surroundings);
            let begins = if is_held { "another run works on `vg0/snap`: " } else { "cannot lock `vg0/snap`: " };
            assert!(failure.to_string().starts_with(begins), "{failure}");
        }
    }
}

//! What every command works with.

use std::path::Path;
use std::time::Duration;

use cli::{Exit, Failure, OrFail, Outcome, Stop};
use lvm_cmd::{
    DEFAULT_LOCKS_DIR, DEFAULT_STATE_DIR, Host, LockError, LvRef, MOUNTINFO, Patience, ProcessLock, StateDir, VgName,
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

    /// Nobody else makes, changes or removes this snapshot meanwhile.
    ///
    /// # Errors
    /// Somebody does.
    pub(crate) fn lock(&self, snapshot: &LvRef) -> Outcome<ProcessLock> {
        self.try_lock(snapshot).map_err(|error| {
            Failure::from(transfer::Error::from(error)).context(format!("another run works on `{snapshot}`"))
        })
    }

    /// The same, for who wants to know who does.
    ///
    /// # Errors
    /// Somebody does.
    pub(crate) fn try_lock(&self, snapshot: &LvRef) -> Result<ProcessLock, LockError> {
        let name = format!("snapshot-{}", snapshot.dm_name());
        ProcessLock::acquire(&self.locks, &name, Patience::new(Duration::ZERO))
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
                lvm_cmd::Kind::Environment => Exit::Surroundings,
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

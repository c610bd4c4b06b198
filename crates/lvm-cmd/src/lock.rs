//! Locks between processes, and the folder that they lie in.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::{Kind, Patience};

/// The directory of what one run of Hyperlayer's tools must know of another. All of them must use the same one, or they do not
/// see each other. `/run` is empty after a reboot. Locks on what survives a reboot lie in [`DEFAULT_LOCKS_DIR`].
pub const DEFAULT_STATE_DIR: &str = "/run/hyperlayer";

/// The directory of locks on what records in `/var/lib/hyperlayer` describe, beside these: a container that has the records, and a
/// `/run` of its own, sees the locks too.
pub const DEFAULT_LOCKS_DIR: &str = "/var/lib/hyperlayer/locks";

const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
const PID_NAMESPACE: &str = "/proc/self/ns/pid";

/// The folder that holds locks and records of reservations, and the boot that they belong to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StateDir {
    path: PathBuf,
    boot_id: String,
    booted_seconds: i64,
    /// `None` for that of the folder itself.
    folder_id: Option<String>,
}

impl StateDir {
    /// The folder `path`, made with mode 0700 when it is first needed, in the present boot.
    ///
    /// # Errors
    /// `/proc` does not tell the boot's id.
    pub fn new(path: impl Into<PathBuf>) -> Result<Self, LockError> {
        let boot_id = fs::read_to_string(BOOT_ID).map_err(|source| LockError::io(BOOT_ID, source))?;
        // Not from /proc/uptime: lxcfs shows a container's own there.
        let booted_seconds = clock_gettime(ClockId::Realtime).tv_sec - clock_gettime(ClockId::Boottime).tv_sec;
        Ok(Self { path: path.into(), boot_id: boot_id.trim().to_owned(), booted_seconds, folder_id: None })
    }

    /// The same in a boot of another name, which began in 2027 ([`TEST_BOOTED_SECONDS`](Self::TEST_BOOTED_SECONDS)), and as a
    /// folder that is always called the same, for tests.
    #[must_use]
    pub fn with_boot_id(path: impl Into<PathBuf>, boot_id: impl Into<String>) -> Self {
        let (boot_id, booted_seconds) = (boot_id.into(), Self::TEST_BOOTED_SECONDS);
        Self { path: path.into(), boot_id, booted_seconds, folder_id: Some("folder".to_owned()) }
    }

    /// When the boot of [`with_boot_id`](Self::with_boot_id) began, in seconds since 1970.
    pub const TEST_BOOTED_SECONDS: i64 = 1_800_000_000;

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the kernel calls the boot.
    #[must_use]
    pub fn boot_id(&self) -> &str {
        &self.boot_id
    }

    /// When the kernel was booted, in seconds since 1970, as far as its clock is right. Of a container too, it is the host's,
    /// whereas container managers such as LXC and systemd-nspawn give each container a boot id of its own.
    #[must_use]
    pub const fn booted_seconds(&self) -> i64 {
        self.booted_seconds
    }

    /// The id of the folder among all folders of the boot, of letters, digits and dots: its device and inode. A process that has
    /// another folder under this path, as in a container, cannot see the locks in this one. Makes the folder if needed.
    ///
    /// # Errors
    /// The folder cannot be used.
    pub fn folder_id(&self) -> Result<String, LockError> {
        if let Some(id) = &self.folder_id {
            return Ok(id.clone());
        }
        let found = fs::metadata(self.file("")?).map_err(|source| LockError::io(&self.path, source))?;
        Ok(format!("{:x}.{:x}", found.dev(), found.ino()))
    }

    /// The path of a file in the folder, which is made if needed.
    pub(crate) fn file(&self, name: &str) -> Result<PathBuf, LockError> {
        let refused = |source| LockError::io(&self.path, source);
        DirBuilder::new().recursive(true).mode(0o700).create(&self.path).map_err(refused)?;
        let found = fs::symlink_metadata(&self.path).map_err(refused)?;
        // Whoever can write here can make us release another's reservation.
        if !found.is_dir() || found.mode() & 0o022 != 0 {
            return Err(LockError::Unsafe { path: self.path.clone() });
        }
        Ok(self.path.join(name))
    }
}

/// A lock that one process has at a time, also against another lock in the same process. Released by dropping it, which removes
/// its file, and by the end of the process, however it ends.
#[derive(Debug)]
#[must_use = "the lock is released as soon as this is dropped"]
pub struct ProcessLock {
    path: PathBuf,
    file: File,
}

impl ProcessLock {
    /// Takes the lock `name`, a file name, waiting for another holder as long as `patience` allows. Runs no command.
    ///
    /// # Errors
    /// [`LockError::Held`] when it is still held then; or the file cannot be had.
    pub fn acquire(state: &StateDir, name: &str, patience: Patience<'_>) -> Result<Self, LockError> {
        let path = state.file(name)?;
        let refused = |source| LockError::io(&path, source);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut tries = patience.tries();
        loop {
            // Opened for each try: the holder removes its file.
            let file = options.open(&path).map_err(refused)?;
            match file.try_lock() {
                // A file that was removed since it was opened is no lock: another process may have made and locked a new one.
                Ok(()) if !is_at(&path, &file).map_err(refused)? => {}
                Ok(()) => return Ok(Self::held(path, file)),
                Err(TryLockError::Error(source)) => return Err(refused(source)),
                Err(TryLockError::WouldBlock) if tries.pause() => {}
                Err(TryLockError::WouldBlock) => {
                    return Err(LockError::Held { path, holder: holder(file), waited: patience.limit() });
                }
            }
        }
    }

    fn held(path: PathBuf, mut file: File) -> Self {
        // For the message of another process that waits. The lock holds without it.
        let text = format!("{} {}\n", std::process::id(), pid_namespace().unwrap_or_default());
        let _ = file.set_len(0).and_then(|()| file.write_all(text.as_bytes()));
        Self { path, file }
    }
}

impl Drop for ProcessLock {
    fn drop(&mut self) {
        // While it is locked, so that no other process has locked a file of this path.
        if is_at(&self.path, &self.file).unwrap_or(false)
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::debug!(path = %self.path.display(), %error, "the file of a lock stays");
        }
    }
}

/// Whether the file at this path is the one that is open.
fn is_at(path: &Path, file: &File) -> io::Result<bool> {
    let open = file.metadata()?;
    match fs::metadata(path) {
        Ok(found) => Ok((found.dev(), found.ino()) == (open.dev(), open.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// The process that has locked the file. `None` if its id is one of another PID namespace, as that of a container is, where it
/// means another process.
fn holder(file: File) -> Option<u32> {
    let mut text = String::new();
    file.take(64).read_to_string(&mut text).ok()?;
    let (pid, namespace) = text.trim_end().split_once(' ')?;
    if namespace == pid_namespace()? { pid.parse().ok() } else { None }
}

/// The PID namespace as the kernel names it, such as `pid:[4026531836]`.
fn pid_namespace() -> Option<String> {
    fs::read_link(PID_NAMESPACE).ok()?.into_os_string().into_string().ok()
}

/// Why a lock could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LockError {
    /// Somebody else has it.
    #[error("`{}` is locked by {}{}", path.display(), by(*holder), for_longer_than(*waited))]
    Held {
        /// The lock's file.
        path: PathBuf,
        /// The process that has it, if its id means the same process here.
        holder: Option<u32>,
        /// How long it was waited for.
        waited: Duration,
    },
    /// The folder is not ours alone.
    #[error("`{}` must be a folder that only its owner can write", path.display())]
    Unsafe {
        /// The folder.
        path: PathBuf,
    },
    /// The file cannot be used.
    #[error("cannot use `{}`", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

fn by(holder: Option<u32>) -> String {
    holder.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
}

fn for_longer_than(waited: Duration) -> String {
    if waited.is_zero() { String::new() } else { format!(" for longer than {} s", waited.as_secs_f32()) }
}

impl LockError {
    pub(crate) fn io(path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::Io { path: path.into(), source }
    }

    /// What kind of failure this is.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Held { .. } => Kind::Busy,
            Self::Unsafe { .. } | Self::Io { .. } => Kind::Environment,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::LockError;
    use std::time::Duration;

    #[test]
    fn folders_of_one_path_differ() {
        let at = tempfile::tempdir().unwrap();
        let state = super::StateDir::new(at.path().join("state")).unwrap();
        let first = state.folder_id().unwrap();
        assert_eq!(state.folder_id().unwrap(), first);
        std::fs::rename(state.path(), at.path().join("other")).unwrap();
        assert_ne!(state.folder_id().unwrap(), first);
        assert!(first.chars().all(|c| c.is_ascii_alphanumeric() || c == '.'), "{first}");
    }

    fn held(state: &super::StateDir) -> Result<super::ProcessLock, LockError> {
        super::ProcessLock::acquire(state, "lock", super::Patience::new(Duration::ZERO))
    }

    #[test]
    fn no_file_stays_of_a_lock_that_is_released() {
        let at = tempfile::tempdir().unwrap();
        let state = super::StateDir::with_boot_id(at.path().join("state"), "boot");
        let names = || std::fs::read_dir(state.path()).unwrap().count();
        let lock = held(&state).unwrap();
        held(&state).unwrap_err();
        assert_eq!(names(), 1);
        drop(lock);
        assert_eq!(names(), 0);
        // One that another program has replaced belongs to its next holder.
        let lock = held(&state).unwrap();
        std::fs::remove_file(state.path().join("lock")).unwrap();
        let next = held(&state).unwrap();
        drop(lock);
        assert_eq!(names(), 1);
        drop(next);
    }

    /// Removed files and new ones of the same name in every order.
    #[test]
    fn one_has_it_at_a_time_while_files_come_and_go() {
        let at = tempfile::tempdir().unwrap();
        let state = super::StateDir::with_boot_id(at.path().join("state"), "boot");
        let (inside, times) = (std::sync::atomic::AtomicU32::new(0), std::sync::atomic::AtomicU32::new(0));
        let order = std::sync::atomic::Ordering::SeqCst;
        let work = || {
            for _ in 0..2000 {
                let Ok(lock) = held(&state) else { continue };
                assert_eq!(inside.fetch_add(1, order), 0, "two have the lock");
                std::thread::yield_now();
                inside.fetch_sub(1, order);
                times.fetch_add(1, order);
                drop(lock);
            }
        };
        std::thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(work))));
        assert!(times.into_inner() > 0);
        assert_eq!(std::fs::read_dir(state.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_holder_is_named_where_its_id_means_the_same_process() {
        let at = tempfile::tempdir().unwrap();
        let state = super::StateDir::with_boot_id(at.path().join("state"), "boot");
        let _lock = held(&state).unwrap();
        let text = || held(&state).unwrap_err().to_string();
        assert!(text().ends_with(&format!("is locked by process {}", std::process::id())), "{}", text());
        for other in ["7 pid:[1]\n", "7\n", "7 \n", ""] {
            std::fs::write(state.path().join("lock"), other).unwrap();
            assert!(text().ends_with("is locked by another process"), "{other:?}: {}", text());
        }
    }

    #[test]
    fn who_did_not_wait_is_not_told_for_how_long() {
        let held = |holder, waited| LockError::Held { path: "lock".into(), holder, waited }.to_string();
        assert_eq!(held(Some(7), Duration::ZERO), "`lock` is locked by process 7");
        assert_eq!(held(None, Duration::from_millis(500)), "`lock` is locked by another process for longer than 0.5 s");
    }
}

//! fsarchiver(8): file systems as archives, and archives as file systems.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::num::NonZeroUsize;
use std::path::Path;

use extents::Bytes;

use crate::{Command, ExecError, Executor, Kind, Program, Running};

/// `FSA_MAX_COMPJOBS` in fsarchiver's sources.
const MAX_JOBS: usize = 32;
/// `FSA_MIN_PASSLEN` and `FSA_MAX_PASSLEN` there, in bytes.
const PASSWORD_BYTES: std::ops::RangeInclusive<usize> = 6..=64;
/// `FSA_MAGIC_DATF` and the like mark parts of an archive; this one, of its last part, is 50 bytes before the end (0.8.7).
const LAST_PART: &[u8] = b"FsAE";
/// Where that is looked for: a later version may write more there.
const TAIL_BYTES: u64 = 256;
/// An archive's extension. fsarchiver puts it behind any other.
pub const ARCHIVE_EXTENSION: &str = "fsa";

/// What an archive is encrypted with. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Vec<u8>);

impl Password {
    /// Six to 64 bytes without a control character, as fsarchiver takes them.
    ///
    /// # Errors
    /// Others.
    pub fn new(bytes: &[u8]) -> Result<Self, PasswordError> {
        if !PASSWORD_BYTES.contains(&bytes.len()) {
            return Err(PasswordError::Length { found: bytes.len() });
        }
        if bytes.iter().any(u8::is_ascii_control) || bytes == b"-" {
            return Err(PasswordError::Control);
        }
        Ok(Self(bytes.to_vec()))
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(..)")
    }
}

/// Why a password is none for fsarchiver.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PasswordError {
    /// Its length.
    #[error("the password has {found} bytes, fsarchiver takes {} to {}", PASSWORD_BYTES.start(), PASSWORD_BYTES.end())]
    Length {
        /// In bytes.
        found: usize,
    },
    /// It cannot be typed as one line.
    #[error("the password has a control character in it")]
    Control,
}

/// What is to be archived, and how.
#[derive(Clone, Copy, Debug)]
pub struct Save<'a> {
    /// The device with the file system. It is mounted read-only, which writes to it where its journal is replayed.
    pub device: &'a Path,
    /// The archive's file; its extension must be [`ARCHIVE_EXTENSION`]. One that is there is overwritten.
    pub archive: &'a Path,
    /// How many threads compress.
    pub jobs: NonZeroUsize,
    /// Of the compression, 0 to 9; fsarchiver's own default without.
    pub level: Option<u8>,
    /// What it is encrypted with.
    pub password: Option<&'a Password>,
}

/// Whether fsarchiver is there. Runs one command.
///
/// # Errors
/// [`ExecError::Missing`], or it does not run.
pub fn fsarchiver_is_there(exec: &dyn Executor) -> Result<(), ExecError> {
    exec.run(&Command::new(Program::Fsarchiver).arg("--version")).map(drop)
}

/// Starts to archive a file system. It ends with failure where a file could not be read; its end with success is no proof
/// that all was written, see [`ends_whole`].
///
/// # Errors
/// It cannot be started.
pub fn spawn_save(exec: &dyn Executor, save: &Save<'_>) -> Result<Box<dyn Running>, ExecError> {
    let jobs = save.jobs.get().min(MAX_JOBS);
    let mut command = alone("savefs").arg(format!("-j{jobs}"));
    if let Some(level) = save.level {
        command = command.arg(format!("-z{level}"));
    }
    // It asks twice.
    let command = with_password(command, save.password, 2).arg("-o").arg(save.archive).arg(save.device);
    exec.spawn(&command)
}

/// Starts to restore the only file system of an archive to a device, whatever is on that.
///
/// # Errors
/// It cannot be started.
pub fn spawn_restore(
    exec: &dyn Executor,
    archive: &Path,
    device: &Path,
    password: Option<&Password>,
) -> Result<Box<dyn Running>, ExecError> {
    let mut destination = std::ffi::OsString::from("id=0,dest=");
    destination.push(device);
    exec.spawn(&with_password(alone("restfs"), password, 1).arg(archive).arg(destination))
}

/// fsarchiver in a mount namespace of its own, so that nobody else sees what it mounts, and that goes with it; killed as
/// soon as this process, or whoever kills what is started here, ends in any way; and in a session without a terminal, so
/// that it reads the password that it asks for from its standard input (getpass(3)) and no command line shows it. What is
/// left of one that was killed is an empty folder in `/tmp/fsa`.
fn alone(action: &str) -> Command {
    Command::new(Program::Setpriv)
        .args(["--pdeathsig", "KILL", "unshare", "--mount", "--propagation", "slave", "--kill-child", "setsid"])
        .args(["fsarchiver", action])
}

fn with_password(command: Command, password: Option<&Password>, times: usize) -> Command {
    let Some(Password(password)) = password else { return command };
    command.args(["-c", "-"]).input(&[password, &b"\n"[..]].concat().repeat(times))
}

/// What an archive says of itself.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct ArchiveInfo {
    /// When it was made, by the clock of the machine that made it: `2026-11-21_15-06-52`.
    pub created: String,
    /// The file systems in it.
    pub file_systems: Vec<ArchivedFileSystem>,
}

/// One of them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct ArchivedFileSystem {
    /// Its kind, as blkid(8) calls it too.
    pub format: String,
    /// Its label; empty without one.
    pub label: String,
    /// The device that it was on.
    pub device: String,
    /// Its size.
    pub size: Bytes,
    /// How much of that is used.
    pub used: Bytes,
}

/// Reads the head of an archive; that its end is there, [`ends_whole`] says. Runs one command.
///
/// # Errors
/// It is no archive, is damaged, or encrypted otherwise.
pub fn archive_info(
    exec: &dyn Executor,
    archive: &Path,
    password: Option<&Password>,
) -> Result<ArchiveInfo, ArchiveError> {
    let output = exec.run(&with_password(alone("archinfo"), password, 1).arg(archive))?;
    // It says everything on standard error; errors there do not change its exit status.
    let text = format!("{}\n{}", output.text(), output.stderr);
    let info = ArchiveInfo::parse(&text);
    match info.file_systems.iter().all(|found| !found.format.is_empty()) && !info.created.is_empty() {
        true => Ok(info),
        false => Err(ArchiveError::Malformed { text: text.trim().to_owned() }),
    }
}

impl ArchiveInfo {
    fn parse(text: &str) -> Self {
        let mut info = Self::default();
        for line in text.lines() {
            let Some((key, value)) = line.split_once(':') else { continue };
            let (key, value) = (key.trim(), value.trim());
            if key == "Archive creation date" {
                value.clone_into(&mut info.created);
            }
            if key == "Filesystem id in archive" {
                info.file_systems.push(ArchivedFileSystem::default());
            }
            let Some(last) = info.file_systems.last_mut() else { continue };
            match key {
                "Filesystem format" => value.clone_into(&mut last.format),
                "Filesystem label" => value.clone_into(&mut last.label),
                "Original device" => value.clone_into(&mut last.device),
                "Original filesystem size" => last.size = in_parentheses(value),
                "Space used in filesystem" => last.used = in_parentheses(value),
                _ => {}
            }
        }
        info
    }
}

/// `39.98 MB (41921536 bytes)`.
fn in_parentheses(text: &str) -> Bytes {
    let number = text.split_once('(').and_then(|(_, rest)| rest.split_whitespace().next());
    Bytes::new(number.and_then(|number| number.parse().ok()).unwrap_or(0))
}

/// Whether an archive has its last part: one that was cut, also by a full disk, has not, and fsarchiver's own look at it does
/// not notice. Runs no command.
///
/// # Errors
/// The file cannot be read.
pub fn ends_whole(archive: &Path) -> io::Result<bool> {
    let mut file = File::open(archive)?;
    let len = file.metadata()?.len();
    file.seek(SeekFrom::Start(len.saturating_sub(TAIL_BYTES)))?;
    let mut tail = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut tail)?;
    Ok(tail.windows(LAST_PART.len()).any(|part| part == LAST_PART))
}

/// Why nothing is known of an archive.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveError {
    /// fsarchiver does not take it.
    #[error(transparent)]
    Exec(#[from] ExecError),
    /// What it says is not understood.
    #[error("cannot understand what fsarchiver says of the archive: {text}")]
    Malformed {
        /// What it says.
        text: String,
    },
}

impl ArchiveError {
    /// What kind of failure this is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Exec(error) => error.kind(),
            Self::Malformed { .. } => Kind::Failed,
        }
    }
}

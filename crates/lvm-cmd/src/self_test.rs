//! Testing `thin_delta` before it is trusted.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rustix::fs::{Mode, OFlags};

use crate::selftest_image::{ARGUMENTS, RUNS, is_right, write_image};
use crate::{Command, ExecError, Executor, Kind, Program};

/// A folder for [`self_test`], which is on a disk nearly everywhere.
pub const DEFAULT_SCRATCH_DIR: &str = "/var/tmp";

/// The file's name in the scratch folder.
const IMAGE: &str = "thin_delta-self-test.img";

/// Runs the host's `thin_delta` on a built-in metadata image and looks whether it finds the one changed chunk.
///
/// Versions 1.0.0 to 1.0.4 do not: they merge runs of chunks without looking at where the data lies, and so leave
/// changes out without a word (mended by commit 2c2093b9 in 1.0.6). 1.0.5 does not understand `--snap2`. What a binary
/// does says more than what it calls itself, since distributions mend old versions.
///
/// `scratch` is a folder for the image, some dozen KiB that stay there; several processes may use the same. It must lie
/// on a file system with direct I/O, which tmpfs has not before Linux 6.6. Runs one command, and another to learn the
/// version of one that fails; none where this process has seen this very file answer right before.
///
/// # Errors
/// The program is missing, fails, or gives a wrong answer; or the image cannot be written, or not be read.
pub fn self_test(exec: &dyn Executor, scratch: &Path) -> Result<(), SelfTestError> {
    // Known before it is run: what replaces it meanwhile was not tested.
    let binary = Binary::found(exec);
    let mut passed = PASSED.lock().unwrap_or_else(PoisonError::into_inner);
    if binary.is_some() && *passed == binary {
        return Ok(());
    }
    run_test(exec, scratch)?;
    *passed = binary;
    Ok(())
}

/// The `thin_delta` that answered right.
static PASSED: Mutex<Option<Binary>> = Mutex::new(None);

/// A file as it is now; an upgrade makes another one of it.
#[derive(PartialEq, Eq, Debug)]
struct Binary {
    path: PathBuf,
    device: u64,
    inode: u64,
    changed: (i64, i64),
}

impl Binary {
    fn found(exec: &dyn Executor) -> Option<Self> {
        let path = exec.location(Program::ThinDelta)?;
        let file = fs::metadata(&path).ok()?;
        Some(Self { device: file.dev(), inode: file.ino(), changed: (file.ctime(), file.ctime_nsec()), path })
    }
}

fn run_test(exec: &dyn Executor, scratch: &Path) -> Result<(), SelfTestError> {
    let image = scratch.join(IMAGE);
    put_image(&image).map_err(|source| SelfTestError::Image { path: image.clone(), source })?;
    let command = Command::new(Program::ThinDelta).args(ARGUMENTS).arg(&image);
    match exec.run(&command) {
        Ok(output) if is_right(&output.text()) => Ok(()),
        Ok(output) => Err(SelfTestError::Wrong { binary: binary(exec), found: runs(&output.text()) }),
        Err(source @ ExecError::Failed { .. }) => Err(match open_directly(&image) {
            Ok(()) => SelfTestError::Unusable { binary: binary(exec), source },
            // The folder's fault.
            Err(source) => SelfTestError::Scratch { path: image, source },
        }),
        Err(source) => Err(SelfTestError::Run { source }),
    }
}

/// Opens a file as `thin_delta` does.
fn open_directly(path: &Path) -> io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECT | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty()).map(drop)?)
}

/// Whole or not at all, so that another process never reads half of it.
fn put_image(path: &Path) -> io::Result<()> {
    let beside = path.with_extension(format!("{}.new", std::process::id()));
    // The folder may be everybody's: what lies there under our name, a symlink for instance, is not written through.
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => write_image(&File::create_new(&beside)?)?,
    }
    fs::rename(&beside, path)
}

/// Where it lies and what version it says it is, as far as that can be known.
fn binary(exec: &dyn Executor) -> String {
    let path = exec.location(Program::ThinDelta).unwrap_or_else(|| Program::ThinDelta.name().into());
    let path = path.display();
    match exec.run(&Command::new(Program::ThinDelta).arg("-V")) {
        Ok(output) => {
            let text = output.text();
            let version = text.lines().next().unwrap_or_default().trim();
            let version = version.strip_prefix("thin_delta ").unwrap_or(version);
            format!("`{path}` (version `{}`)", version.escape_debug())
        }
        Err(_) => format!("`{path}`"),
    }
}

/// What a wrong answer says of the chunks, on one line.
fn runs(answer: &str) -> String {
    let runs: Vec<_> = answer.lines().map(str::trim).filter(|line| line.contains("begin=")).collect();
    if runs.is_empty() { "nothing".to_owned() } else { runs.join(" ") }
}

const ADVICE: &str = "versions 1.0.0 to 1.0.5 are known to be faulty; install thin-provisioning-tools 1.0.6 or newer \
                      (0.9.0 is right too)";

/// Why `thin_delta` cannot be trusted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SelfTestError {
    /// The image could not be written.
    #[error("cannot write the test image `{}`", path.display())]
    Image {
        /// The image.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It cannot read the image where that lies.
    #[error(
        "`thin_delta` cannot read the test image `{}`; it must lie on a file system with direct I/O, not on tmpfs",
        path.display()
    )]
    Scratch {
        /// The image.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It was not run.
    #[error("cannot test `thin_delta`")]
    Run {
        /// Why not.
        source: ExecError,
    },
    /// It does not do what it is for.
    #[error("{binary} cannot compare two volumes; {ADVICE}")]
    Unusable {
        /// Where it lies and the version that it says it is.
        binary: String,
        /// What it said.
        source: ExecError,
    },
    /// It says what is not so: with its answers, changes would be lost.
    #[error("{binary} is faulty: of the built-in test image it says `{found}` instead of `{}`; {ADVICE}", RUNS.join(" "))]
    Wrong {
        /// Where it lies and the version that it says it is.
        binary: String,
        /// What it said.
        found: String,
    },
}

impl SelfTestError {
    /// What kind of failure this is: always [`Kind::Environment`].
    #[must_use]
    pub const fn kind(&self) -> Kind {
        Kind::Environment
    }
}

//! Testing `thin_delta` and `thin_dump` before they are trusted.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rustix::fs::{Mode, OFlags};

use crate::selftest_image::{MetadataTool, write_image};
use crate::{Command, ExecError, Executor, Kind};

/// A folder for [`self_test`], which is on a disk nearly everywhere.
pub const DEFAULT_SCRATCH_DIR: &str = "/var/tmp";

/// The file's name in the scratch folder.
const IMAGE: &str = "thin_delta-self-test.img";

/// Runs the host's `thin_delta` or `thin_dump` on a built-in metadata image: whether the one finds the one changed chunk, and the
/// other all mapped chunks of one device, and no others.
///
/// Versions 1.0.0 to 1.0.4 of `thin_delta` do not: they merge runs of chunks without looking at where the data lies, and so leave
/// changes out without a word (mended by commit 2c2093b9 in 1.0.6). 1.0.5 does not understand `--snap2`. What a binary
/// does says more than what it calls itself, since distributions mend old versions.
///
/// `scratch` is a folder for the image, some dozen KiB that stay there; several processes may use the same. It must lie
/// on a file system with direct I/O, which tmpfs has not before Linux 6.6. Runs one command, and another to learn the
/// version of one that fails; none where this process has seen this very file answer right before.
///
/// # Errors
/// The program is missing, fails, or gives a wrong answer; or the image cannot be written, or not be read.
pub fn self_test(exec: &dyn Executor, scratch: &Path, tool: MetadataTool) -> Result<(), SelfTestError> {
    // Known before it is run: what replaces it meanwhile was not tested.
    let binary = Binary::found(exec, tool);
    let mut passed = PASSED.lock().unwrap_or_else(PoisonError::into_inner);
    if binary.as_ref().is_some_and(|binary| passed.contains(binary)) {
        return Ok(());
    }
    run_test(exec, scratch, tool)?;
    passed.retain(|passed| passed.tool != tool);
    passed.extend(binary);
    Ok(())
}

/// The programs that answered right, one of each at most.
static PASSED: Mutex<Vec<Binary>> = Mutex::new(Vec::new());

/// A file as it is now; an upgrade makes another one of it.
#[derive(PartialEq, Eq, Debug)]
struct Binary {
    tool: MetadataTool,
    path: PathBuf,
    device: u64,
    inode: u64,
    changed: (i64, i64),
}

impl Binary {
    fn found(exec: &dyn Executor, tool: MetadataTool) -> Option<Self> {
        let path = exec.location(tool.program())?;
        let file = fs::metadata(&path).ok()?;
        Some(Self { tool, device: file.dev(), inode: file.ino(), changed: (file.ctime(), file.ctime_nsec()), path })
    }
}

fn run_test(exec: &dyn Executor, scratch: &Path, tool: MetadataTool) -> Result<(), SelfTestError> {
    let image = scratch.join(IMAGE);
    put_image(&image).map_err(|source| SelfTestError::Image { path: image.clone(), source })?;
    let command = Command::new(tool.program()).args(tool.arguments()).arg(&image);
    match exec.run(&command) {
        Ok(output) if tool.is_right(&output.text()) => Ok(()),
        Ok(output) => {
            let found = tool.runs(&output.text()).collect::<Vec<_>>().join(" ");
            let found = if found.is_empty() { "nothing".to_owned() } else { found };
            Err(SelfTestError::Wrong { binary: binary(exec, tool), found, tool })
        }
        Err(source @ ExecError::Failed { .. }) => Err(match open_directly(&image) {
            Ok(()) => SelfTestError::Unusable { binary: binary(exec, tool), tool, source },
            // The folder's fault.
            Err(source) => SelfTestError::Scratch { path: image, tool, source },
        }),
        Err(source) => Err(SelfTestError::Run { tool, source }),
    }
}

/// Opens a file as the programs do.
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
        _ => {}
    }
    let made = File::create_new(&beside).and_then(|file| write_image(&file)).and_then(|()| fs::rename(&beside, path));
    if made.is_err() {
        let _ = fs::remove_file(&beside);
    }
    made
}

/// Where it lies and what version it says it is, as far as that can be known.
fn binary(exec: &dyn Executor, tool: MetadataTool) -> String {
    let name = tool.program().name();
    let path = exec.location(tool.program()).unwrap_or_else(|| name.into());
    let path = path.display();
    match exec.run(&Command::new(tool.program()).arg("-V")) {
        Ok(output) => {
            let text = output.text();
            let version = text.lines().next().unwrap_or_default().trim();
            let version = version.strip_prefix(name).map_or(version, str::trim_start);
            format!("`{path}` (version `{}`)", version.escape_debug())
        }
        Err(_) => format!("`{path}`"),
    }
}

const fn does(tool: MetadataTool) -> &'static str {
    match tool {
        MetadataTool::ThinDelta => "compare two volumes",
        MetadataTool::ThinDump => "list the chunks of a volume",
    }
}

const fn advice(tool: MetadataTool) -> &'static str {
    match tool {
        MetadataTool::ThinDelta => {
            "versions 1.0.0 to 1.0.4 omit changed blocks, and 1.0.5 does not know `--snap2`; install \
             thin-provisioning-tools 1.0.6 or newer (0.9.0 is right too)"
        }
        MetadataTool::ThinDump => "install another version of thin-provisioning-tools",
    }
}

/// Why `thin_delta` or `thin_dump` cannot be trusted.
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
        "`{}` cannot read the test image `{}`; it must lie on a file system with direct I/O, not on tmpfs",
        tool.program(), path.display()
    )]
    Scratch {
        /// The program.
        tool: MetadataTool,
        /// The image.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It was not run.
    #[error("cannot test `{}`", tool.program())]
    Run {
        /// The program.
        tool: MetadataTool,
        /// Why not.
        source: ExecError,
    },
    /// It does not do what it is for.
    #[error("{binary} cannot {}; {}", does(*tool), advice(*tool))]
    Unusable {
        /// The program.
        tool: MetadataTool,
        /// Where it lies and the version that it says it is.
        binary: String,
        /// What it said.
        source: ExecError,
    },
    /// It says what is not so: with its answers, changes would be lost.
    #[error(
        "{binary} is faulty: of the built-in test image it says `{found}` instead of `{}`; {}",
        tool.expected().join(" "), advice(*tool)
    )]
    Wrong {
        /// The program.
        tool: MetadataTool,
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

//! The host's programs.

use std::io::{self, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::JoinHandle;
use std::time::Duration;

use super::settings::SETTINGS;
use super::watch::{SILENCE, Watch};
use super::{Command, ExecError, Executor, Exit, Output, Program, Running};

/// How many bytes of standard output [`Executor::run`] collects before it gives up. A report of 100 000 volumes is
/// about 60 MB.
pub const MAX_OUTPUT: u64 = 256 << 20;
/// How many bytes of standard error are kept; more is read and forgotten.
pub const MAX_STDERR: usize = 64 << 10;

const DIRECTORIES: [&str; 5] = ["/usr/sbin", "/sbin", "/usr/bin", "/bin", "/usr/local/sbin"];

/// Runs the host's programs, from a fixed list of folders: `/usr/sbin`, `/sbin`, `/usr/bin`, `/bin`,
/// `/usr/local/sbin`, the first that has the program.
///
/// A child runs with an empty environment but for what its invariants need, with no standard input but what its command
/// has for it, and in a process group of its own. Every LVM command also gets a `--config` with the settings that this crate
/// relies on, which no error or transcript shows.
#[derive(Clone, Debug)]
pub struct Host {
    directories: Vec<PathBuf>,
    silence: Duration,
    stop: Arc<AtomicBool>,
}

impl Host {
    /// With the fixed list of folders.
    #[must_use]
    pub fn new() -> Self {
        Self::with_directories(DIRECTORIES)
    }

    /// With these folders instead, as tests with programs of their own need.
    #[must_use]
    pub fn with_directories<P: Into<PathBuf>>(directories: impl IntoIterator<Item = P>) -> Self {
        let directories = directories.into_iter().map(Into::into).collect();
        Self { directories, silence: SILENCE, stop: Arc::default() }
    }

    /// With a request to stop, as a signal makes it. It ends no command, but where one is waited for then, a warning names it.
    #[must_use]
    pub fn stopped_by(self, stop: Arc<AtomicBool>) -> Self {
        Self { stop, ..self }
    }

    /// With this time, at least 1 ms, instead of 30 s after which a warning names a command that does not end.
    #[must_use]
    pub fn silent_for(self, silence: Duration) -> Self {
        Self { silence, ..self }
    }

    /// Where the program lies.
    ///
    /// # Errors
    /// [`ExecError::Missing`] where no folder has it.
    pub fn locate(&self, program: Program) -> Result<PathBuf, ExecError> {
        self.file(program.name()).ok_or_else(|| {
            let searched = self.directories.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", ");
            ExecError::Missing { program, searched }
        })
    }

    fn file(&self, name: &str) -> Option<PathBuf> {
        self.directories.iter().map(|folder| folder.join(name)).find(|path| path.is_file())
    }

    /// What is started for a program, and its first argument. All of LVM's commands are in one program, `lvm`; a package may
    /// lack the link of one of them, as that of Debian 12 lacks `lvmdevices`.
    fn executable(&self, program: Program) -> Result<(PathBuf, Option<&'static str>), ExecError> {
        match (self.locate(program), self.file("lvm")) {
            (Err(_), Some(lvm)) if program.is_lvm() => Ok((lvm, Some(program.name()))),
            (found, _) => Ok((found?, None)),
        }
    }

    /// Starts a child. Everything that must hold for every child is said here and nowhere else.
    fn start(&self, command: &Command) -> Result<HostChild, ExecError> {
        let (path, first) = self.executable(command.program())?;
        tracing::debug!(%command, "run");
        let input = command.input_bytes();
        let mut child = std::process::Command::new(path)
            .args(first)
            .args(command.program().is_lvm().then_some(["--config", SETTINGS]).into_iter().flatten())
            .args(command.arguments())
            // Variables such as LVM_SYSTEM_DIR or DM_DEV_DIR would have our tools and the user's see different worlds.
            .env_clear()
            .env("PATH", DIRECTORIES.join(":"))
            // Numbers have a decimal point, whatever the user's language.
            .env("LC_ALL", "C")
            // lvm complains about every descriptor that it inherits, for instance from a shell's redirections.
            .env("LVM_SUPPRESS_FD_WARNINGS", "1")
            // A question is answered by end of file, which LVM takes for no, instead of waiting for ever.
            .stdin(if input.is_empty() { Stdio::null() } else { Stdio::piped() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C in a terminal goes to the whole foreground group; it must not hit lvcreate between writing the
            // metadata and telling the kernel. We get it, and we decide.
            .process_group(0)
            .spawn()
            .map_err(|source| ExecError::Start { command: command.to_string(), source })?;
        if let Some(mut pipe) = child.stdin.take() {
            // It fits into the pipe. A child that does not want it is no error.
            let _ = pipe.write_all(input);
        }
        // A child that fills the pipe of its standard error while we read the other would wait for ever.
        let stderr = child.stderr.take().map(|pipe| std::thread::spawn(move || collect_stderr(pipe)));
        let stdout = child.stdout.take();
        Ok(HostChild { program: command.program(), command: command.to_string(), child: Some(child), stdout, stderr })
    }
}

impl Default for Host {
    fn default() -> Self {
        Self::new()
    }
}

impl Executor for Host {
    fn run(&self, command: &Command) -> Result<Output, ExecError> {
        let mut running = self.start(command)?;
        let _watch = Watch::new(command, self.silence, &self.stop);
        let mut stdout = Vec::new();
        let read = running.stdout.take().map_or(Ok(0), |pipe| {
            // On to the end whatever comes: a program that changes volumes is not to die of a closed pipe, or be killed.
            let mut limited = pipe.take(MAX_OUTPUT);
            limited.read_to_end(&mut stdout).and_then(|_| io::copy(limited.get_mut(), &mut io::sink()))
        });
        let stderr = running.finish()?;
        match read {
            Ok(0) => {}
            Ok(_) => return Err(ExecError::TooMuch { command: command.to_string() }),
            Err(source) => return Err(ExecError::Read { command: command.to_string(), source }),
        }
        if !stderr.is_empty() {
            tracing::debug!(%command, stderr = stderr.trim(), "succeeded with words");
        }
        Ok(Output { stdout, stderr })
    }

    fn spawn(&self, command: &Command) -> Result<Box<dyn Running>, ExecError> {
        Ok(Box::new(self.start(command)?))
    }

    fn location(&self, program: Program) -> Option<PathBuf> {
        self.locate(program).ok()
    }
}

#[derive(Debug)]
struct HostChild {
    program: Program,
    command: String,
    /// `None` once reaped: from then on its number may be another process's.
    child: Option<Child>,
    stdout: Option<ChildStdout>,
    stderr: Option<JoinHandle<String>>,
}

impl HostChild {
    /// Nobody reads on: what may be killed may die of the closed pipe. Anything else writes to its end.
    fn leave_output(&mut self) {
        if let Some(mut pipe) = self.stdout.take()
            && !self.program.may_be_killed()
        {
            let _ = io::copy(&mut pipe, &mut io::sink());
        }
    }

    /// Waits for the end; what came on standard error, or the failure.
    fn finish(&mut self) -> Result<String, ExecError> {
        self.leave_output();
        let status = match self.child.as_mut().map(Child::wait) {
            Some(Ok(status)) => status,
            Some(Err(source)) => return Err(ExecError::Read { command: self.command.clone(), source }),
            None => ExitStatus::default(),
        };
        self.child = None;
        let stderr = self.stderr.take().and_then(|thread| thread.join().ok()).unwrap_or_default();
        match exit(status) {
            Exit::Code(0) => Ok(stderr),
            exit => Err(ExecError::Failed { command: self.command.clone(), exit, stderr }),
        }
    }
}

impl Running for HostChild {
    fn stdout(&mut self) -> Option<Box<dyn Read + Send>> {
        self.stdout.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>)
    }

    fn wait(mut self: Box<Self>) -> Result<(), ExecError> {
        self.finish().map(drop)
    }
}

impl Drop for HostChild {
    fn drop(&mut self) {
        if !self.program.may_be_killed() {
            let _ = self.finish();
        }
        let Some(mut child) = self.child.take() else { return };
        // The group, not the child alone: what a wrapper started would else keep our pipes open.
        if let Some(group) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        let _ = child.kill();
        let _ = child.wait();
        tracing::debug!(command = self.command, "killed");
    }
}

fn exit(status: ExitStatus) -> Exit {
    match (status.code(), status.signal()) {
        (Some(code), _) => Exit::Code(code),
        (None, signal) => Exit::Signal(signal.unwrap_or(0)),
    }
}

/// The first [`MAX_STDERR`] bytes as text; the rest is read so that the writer does not stop.
fn collect_stderr(mut pipe: impl Read) -> String {
    let mut kept = Vec::new();
    let _ = pipe.by_ref().take(MAX_STDERR as u64).read_to_end(&mut kept);
    let _ = io::copy(&mut pipe, &mut io::sink());
    String::from_utf8_lossy(&kept).into_owned()
}

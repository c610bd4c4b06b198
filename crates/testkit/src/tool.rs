//! Running the workspace's binaries as a user would, but always in the same environment.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;

use rustix::process::{Pid, Signal, kill_process};

use crate::patience::eventually;

/// A binary of the workspace and how it is to be run: with no environment but a fixed locale, width and time zone, and
/// temporary files in the folder that it runs in.
#[derive(Debug)]
pub struct Tool {
    command: Command,
    stdin: Vec<u8>,
}

impl Tool {
    /// The binary `name`, to be run in `folder`.
    #[must_use]
    pub fn new(name: &str, folder: &Path) -> Self {
        Self::of(&binary(name), folder).env_path("/usr/bin:/bin")
    }

    /// A command line for the shell, in whose path the workspace's binaries are; `tools` are those that it needs.
    #[must_use]
    pub fn shell(line: &str, tools: &[&str], folder: &Path) -> Self {
        let folders = tools.iter().map(|tool| binary(tool).parent().unwrap().display().to_string());
        let path = folders.chain(["/usr/bin:/bin".to_owned()]).collect::<Vec<_>>().join(":");
        Self::of(Path::new("/bin/sh"), folder).env_path(&path).args(["-c", line])
    }

    fn env_path(mut self, path: &str) -> Self {
        self.command.env("PATH", path);
        self
    }

    fn of(program: &Path, folder: &Path) -> Self {
        // A test that runs in the background of a script has signals ignored, and what it starts too.
        let mut command = Command::new("/usr/bin/env");
        command.arg("--default-signal=HUP,INT,QUIT").arg(program);
        command.current_dir(folder).env_clear();
        command.envs([("LC_ALL", "C.UTF-8"), ("COLUMNS", "100"), ("TZ", "UTC")]);
        command.env("TMPDIR", folder).env("HOME", folder);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self { command, stdin: Vec::new() }
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.command.args(args);
        self
    }

    /// Adds to its environment.
    #[must_use]
    pub fn envs(mut self, pairs: &[(String, String)]) -> Self {
        self.command.envs(pairs.iter().map(|(name, value)| (name, value)));
        self
    }

    /// Gives it this to read. Without it, there is nothing to read.
    #[must_use]
    pub fn stdin(mut self, bytes: &[u8]) -> Self {
        self.stdin = bytes.to_vec();
        self
    }

    /// Lets it write to something else than a pipe.
    #[must_use]
    pub fn stdout(mut self, to: impl Into<Stdio>) -> Self {
        self.command.stdout(to);
        self
    }

    /// Runs it to its end.
    ///
    /// # Panics
    /// It does not end.
    #[must_use]
    pub fn run(mut self) -> Finished {
        let input = std::mem::take(&mut self.stdin);
        let mut running = self.spawn();
        let mut stdin = running.stdin.take().unwrap();
        // Whether it reads all of it is its own business.
        let feeding = std::thread::spawn(move || drop(stdin.write_all(&input)));
        let finished = running.finish();
        feeding.join().unwrap();
        finished
    }

    /// Starts it, with both ends of its pipe left to the test.
    #[must_use]
    pub fn spawn(mut self) -> Spawned {
        let mut child = self.command.spawn().unwrap_or_else(|error| panic!("{:?}: {error}", self.command));
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let stderr = child.stderr.take().map(collect);
        Spawned { child, stdin, stdout, stderr }
    }
}

/// A binary that runs; killed when dropped.
#[derive(Debug)]
pub struct Spawned {
    child: Child,
    /// What it reads, until taken or dropped.
    pub stdin: Option<ChildStdin>,
    /// What it writes, until taken or dropped.
    pub stdout: Option<ChildStdout>,
    stderr: Option<JoinHandle<Vec<u8>>>,
}

impl Spawned {
    /// Waits until it takes care of SIGINT, SIGTERM and SIGHUP itself, so that a signal does what a user sees it do.
    pub fn until_it_catches_signals(&self) {
        let status = format!("/proc/{}/status", self.child.id());
        eventually("signal handlers", || {
            let text = std::fs::read_to_string(&status).unwrap();
            let caught = text.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
            let caught = u64::from_str_radix(caught.trim(), 16).unwrap();
            let all = [Signal::INT, Signal::TERM, Signal::HUP].map(|signal| 1 << (signal.as_raw() - 1));
            all.iter().all(|bit| caught & bit != 0).then_some(())
        });
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Reads the rest of its output, if that was not taken, and waits for its end. What it reads, it is left.
    ///
    /// # Panics
    /// It does not end.
    #[must_use]
    pub fn finish(mut self) -> Finished {
        let stdout = self.stdout.take().map(collect);
        let child = &mut self.child;
        let status = eventually("the end of a program", || child.try_wait().unwrap());
        let text = |bytes: Option<JoinHandle<Vec<u8>>>| bytes.map_or_else(Vec::new, |thread| thread.join().unwrap());
        Finished { status, stdout: text(stdout), stderr: String::from_utf8(text(self.stderr.take())).unwrap() }
    }
}

impl Drop for Spawned {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn collect(mut from: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).unwrap();
        bytes
    })
}

/// How a binary ended and what it wrote.
#[derive(Clone, Debug)]
pub struct Finished {
    /// How it ended.
    pub status: ExitStatus,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: String,
}

impl Finished {
    /// The exit code.
    ///
    /// # Panics
    /// A signal ended it.
    #[must_use]
    #[track_caller]
    pub fn code(&self) -> i32 {
        self.status.code().unwrap_or_else(|| panic!("{}: {}", self.status, self.stderr))
    }

    /// Standard output as text.
    ///
    /// # Panics
    /// It is none.
    #[must_use]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).unwrap()
    }

    /// Asserts the exit code and that standard error says each of `texts`.
    ///
    /// # Panics
    /// It is not so.
    #[track_caller]
    #[expect(clippy::must_use_candidate, reason = "the assertion is the use")]
    pub fn says(self, code: i32, texts: &[&str]) -> Self {
        assert_eq!(self.code(), code, "{}", self.stderr);
        for text in texts {
            assert!(self.stderr.contains(text), "{text:?} is not in:\n{}", self.stderr);
        }
        self
    }

    /// Asserts that the whole job was done.
    ///
    /// # Panics
    /// It was not.
    #[track_caller]
    #[expect(clippy::must_use_candidate, reason = "the assertion is the use")]
    pub fn done(self) -> Self {
        self.says(0, &[])
    }
}

/// Where a binary lies. Cargo builds those of the package under test and, for a run of the whole workspace, all others;
/// one that is missing is built here.
fn binary(name: &str) -> PathBuf {
    // target/PROFILE/deps/TEST
    let test = std::env::current_exe().unwrap();
    let profile = test.ancestors().nth(2).unwrap();
    let binary = profile.join(name);
    if !binary.exists() {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
        cargo.args(["build", "--quiet", "--package", name]).current_dir(env!("CARGO_MANIFEST_DIR"));
        assert!(cargo.status().unwrap().success(), "{cargo:?}");
    }
    binary
}

//! One run of a job: a child process, from its start to its end.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use daemon::{Line, MAX_LINE_BYTES, MAX_REPORT_BYTES, Outcome, Report, Said};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::commands::Commands;
use super::notify;

/// How soon a request to stop is followed.
const TICK: Timespec = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };
/// So long what a run wrote last is waited for after its end: what it had started may keep its standard error open for
/// ever, as the master of a shared ssh connection does.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// A request to stop, which may come at any time.
#[derive(Clone, Debug, Default)]
pub(super) struct Ask {
    kill_at: Arc<Mutex<Option<Instant>>>,
    /// When an LVM command was last the reason not to kill the run.
    lvm_at: Arc<Mutex<Option<Instant>>>,
}

impl Ask {
    /// By SIGTERM now, by SIGKILL when it is still there after `grace`, and no LVM command of its works. Asked again, the shorter
    /// time holds.
    pub(super) fn stop(&self, grace: Duration) {
        let kill_at = Instant::now() + grace;
        let mut asked = self.kill_at.lock().unwrap_or_else(PoisonError::into_inner);
        *asked = Some(asked.map_or(kill_at, |before| before.min(kill_at)));
    }

    fn kill_at(&self) -> Option<Instant> {
        *self.kill_at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether within this time an LVM command was the reason not to kill the run.
    pub(super) fn waited_for_lvm(&self, within: Duration) -> bool {
        let last = *self.lvm_at.lock().unwrap_or_else(PoisonError::into_inner);
        last.is_some_and(|at| at.elapsed() < within)
    }
}

/// How a run ended.
#[derive(Debug)]
pub(super) struct Ended {
    /// How its process did; `None` where it was asked to stop before there was one.
    pub status: io::Result<Option<ExitStatus>>,
    /// Whether it was asked to stop.
    asked: bool,
    /// What it said of a failure.
    why: Option<String>,
    /// What it said of a success.
    pub report: Option<Report>,
}

impl Ended {
    /// It never began.
    pub(super) fn refused(why: String) -> Self {
        Self { status: Err(io::Error::other(why)), asked: false, why: None, report: None }
    }

    /// What that means for its job.
    pub(super) fn outcome(&self) -> Outcome {
        match &self.status {
            Err(error) => Outcome::Failed(format!("it could not be started: {error}")),
            Ok(Some(status)) if status.success() => Outcome::Good,
            // Whatever it said of it: somebody asked for its end.
            Ok(_) if self.asked => Outcome::Stopped,
            Ok(status) => {
                let how = match status.map(|status| (status.code(), status.signal())) {
                    Some((Some(code), _)) => format!("it ended with exit status {code}"),
                    Some((_, Some(signal))) => format!("signal {signal} killed it"),
                    _ => "nobody knows how it ended".to_owned(),
                };
                Outcome::Failed(self.why.as_ref().map_or_else(|| how.clone(), |why| format!("{why} ({how})")))
            }
        }
    }
}

/// Runs `program` to its end; `heard` is told of each line on its standard error.
pub(super) fn run(program: &Path, arguments: &[String], ask: &Ask, mut heard: impl FnMut(&Line)) -> Ended {
    let mut said = Said::default();
    let mut output = Vec::new();
    let mut hear = |line: &[u8]| heard(&said.line(&String::from_utf8_lossy(line)));
    let status = follow(program, arguments, ask, &mut output, &mut hear);
    let report = std::str::from_utf8(&output).ok().and_then(Report::parse);
    Ended { status, asked: ask.kill_at().is_some(), why: said.why(), report }
}

fn follow(
    program: &Path,
    arguments: &[String],
    ask: &Ask,
    output: &mut Vec<u8>,
    hear: &mut dyn FnMut(&[u8]),
) -> io::Result<Option<ExitStatus>> {
    if ask.kill_at().is_some() {
        return Ok(None);
    }
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    notify::silence(&mut command);
    // Of its own, so that what it started can be killed with it, and a Ctrl-C is the daemon's to hear.
    let mut child = command.process_group(0).spawn()?;
    let (mut out, mut err) = (child.stdout.take(), child.stderr.take());
    let mut lines = Lines::default();
    let mut signals = Signals::default();
    let mut end: Option<(ExitStatus, Instant)> = None;
    loop {
        let [out_ready, err_ready] = wait([out.as_ref().map(AsFd::as_fd), err.as_ref().map(AsFd::as_fd)])?;
        if out_ready {
            take(&mut out, |bytes| {
                let room = (MAX_REPORT_BYTES + 1).saturating_sub(output.len());
                output.extend_from_slice(&bytes[..room.min(bytes.len())]);
            });
        }
        if err_ready {
            take(&mut err, |bytes| lines.feed(bytes, hear));
        }
        match end {
            Some((status, at)) if (out.is_none() && err.is_none()) || at.elapsed() > LAST_WORDS => {
                lines.end(hear);
                return Ok(Some(status));
            }
            Some(_) => {}
            None => {
                end = child.try_wait()?.map(|status| (status, Instant::now()));
                if end.is_none() {
                    signals.send(&child, ask);
                }
            }
        }
    }
}

/// Which of them have something to say, or have ended, after a while at most.
fn wait(pipes: [Option<BorrowedFd<'_>>; 2]) -> io::Result<[bool; 2]> {
    let mut fds: Vec<_> = pipes.iter().flatten().map(|fd| PollFd::new(fd, PollFlags::IN)).collect();
    match poll(&mut fds, Some(&TICK)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    let mut found = fds.iter().map(|fd| !fd.revents().is_empty());
    Ok(pipes.map(|pipe| pipe.is_some() && found.next().unwrap_or(false)))
}

/// Reads once, which does not block after [`wait`].
fn take<R: Read>(pipe: &mut Option<R>, mut with: impl FnMut(&[u8])) {
    let mut buffer = [0; 8192];
    match pipe.as_mut().map(|pipe| pipe.read(&mut buffer)) {
        Some(Ok(len)) if len > 0 => with(&buffer[..len]),
        Some(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
        _ => *pipe = None,
    }
}

/// Makes lines of bytes; of one that is too long, only its beginning.
#[derive(Debug, Default)]
struct Lines {
    begun: Vec<u8>,
}

impl Lines {
    fn feed(&mut self, bytes: &[u8], hear: &mut dyn FnMut(&[u8])) {
        let mut parts = bytes.split(|byte| *byte == b'\n').peekable();
        while let Some(part) = parts.next() {
            let room = MAX_LINE_BYTES.saturating_sub(self.begun.len());
            self.begun.extend_from_slice(&part[..room.min(part.len())]);
            if parts.peek().is_some() {
                hear(&self.begun);
                self.begun.clear();
            }
        }
    }

    fn end(&mut self, hear: &mut dyn FnMut(&[u8])) {
        if !self.begun.is_empty() {
            hear(&self.begun);
        }
    }
}

/// Kills a run with what it started, unless LVM commands of its work. Says whether it did.
fn killed(run: Pid) -> bool {
    if Commands::of(run).must_end() {
        return false;
    }
    // Stopped, it starts no other one before it is killed.
    let _ = kill_process_group(run, Signal::STOP);
    let commands = Commands::of(run);
    if commands.must_end() {
        let _ = kill_process_group(run, Signal::CONT);
        return false;
    }
    commands.kill();
    let _ = kill_process_group(run, Signal::KILL);
    true
}

#[derive(Debug, Default)]
struct Signals {
    termed: bool,
    killed: bool,
}

impl Signals {
    /// What is asked for, each once. The child is not reaped yet, so the number is still its own.
    fn send(&mut self, child: &Child, ask: &Ask) {
        let Some(kill_at) = ask.kill_at() else { return };
        let pid = Pid::from_child(child);
        if !std::mem::replace(&mut self.termed, true) {
            // To it alone: it knows in which order to end what it started.
            let _ = kill_process(pid, Signal::TERM);
        }
        if Instant::now() >= kill_at && !self.killed {
            self.killed = killed(pid);
            if !self.killed {
                *ask.lvm_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use testkit::eventually;

    use super::*;

    fn sh(script: &str, ask: &Ask) -> (Ended, Vec<Line>) {
        let mut lines = Vec::new();
        let ended =
            run(Path::new("/bin/sh"), &["-c".to_owned(), script.to_owned()], ask, |line| lines.push(line.clone()));
        (ended, lines)
    }

    #[test]
    fn how_runs_end() {
        let report = r#"{"pair":"p","layer":"l","data_bytes":1,"wire_bytes":2,"seconds":0.5}"#;
        for (script, outcome) in [
            (format!("echo '{report}'"), Outcome::Good),
            (
                "echo 'lvbackup: no room' >&2; exit 4".to_owned(),
                Outcome::Failed("no room (it ended with exit status 4)".to_owned()),
            ),
            ("printf 'no end' >&2; kill -9 $$".to_owned(), Outcome::Failed("no end (signal 9 killed it)".to_owned())),
            ("exit 5".to_owned(), Outcome::Failed("it ended with exit status 5".to_owned())),
        ] {
            let (ended, _) = sh(&script, &Ask::default());
            assert_eq!(ended.outcome(), outcome, "{script}");
            assert_eq!(ended.report.is_some(), outcome == Outcome::Good);
        }
        let ended = run(Path::new("/nowhere"), &[], &Ask::default(), |_| {});
        assert!(matches!(ended.outcome(), Outcome::Failed(why) if why.starts_with("it could not be started: No such")));
    }

    #[test]
    fn what_it_started_and_left_is_not_waited_for() {
        let begun = Instant::now();
        let (ended, lines) = sh("echo text >&2; sleep 20 & echo $! >&2; exit 0", &Ask::default());
        assert_eq!(ended.outcome(), Outcome::Good);
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
        let Line::Text(pid) = &lines[1] else { panic!("{lines:?}") };
        kill_process(Pid::from_raw(pid.parse().unwrap()).unwrap(), Signal::KILL).unwrap();
    }

    #[test]
    fn one_that_does_not_stop_is_killed_with_what_it_started() {
        let ask = Ask::default();
        let asks = ask.clone();
        let begun = Instant::now();
        let mut lines = Vec::new();
        let script = "trap 'echo stopping >&2' TERM; sleep 30 & echo $! >&2; while :; do wait; done".to_owned();
        let ended = run(Path::new("/bin/sh"), &["-c".to_owned(), script], &ask, |line| {
            asks.stop(Duration::from_millis(500));
            lines.push(line.clone());
        });
        assert_eq!(ended.outcome(), Outcome::Stopped);
        assert_eq!(ended.status.unwrap().unwrap().signal(), Some(9));
        assert_eq!(lines[1], Line::Text("stopping".to_owned()));
        assert!(begun.elapsed() < Duration::from_secs(10));
        let Line::Text(pid) = &lines[0] else { panic!("{lines:?}") };
        let gone = || std::fs::read_to_string(format!("/proc/{pid}/stat")).map_or(true, |stat| stat.contains(") Z "));
        assert!(
            (0..100).any(|_| gone() || {
                std::thread::sleep(Duration::from_millis(50));
                false
            }),
            "{pid} still runs"
        );
        // Asked before it starts, it does not.
        let (ended, lines) = sh("echo started >&2", &ask);
        assert_eq!((ended.outcome(), lines.len()), (Outcome::Stopped, 0));
    }

    /// As `lvm_cmd::Host` starts LVM's commands, in a process group of its own.
    #[test]
    fn a_command_of_lvm_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let ask = Ask::default();
        let asks = ask.clone();
        let command = "trap '' TERM; sleep 2; echo whole >result";
        let script = format!(
            "cd {}; trap '' TERM; setsid sh -c \"{command}\" & echo begun >&2; while :; do wait; done",
            folder.path().display()
        );
        let ended = run(Path::new("/bin/sh"), &["-c".to_owned(), script], &ask, |_| {
            asks.stop(Duration::from_millis(300));
        });
        assert_eq!(std::fs::read_to_string(folder.path().join("result")).unwrap(), "whole\n");
        assert!(ask.waited_for_lvm(Duration::from_secs(60)));
        assert_eq!(ended.status.unwrap().unwrap().signal(), Some(9));
    }

    /// Runs a script of this name in a group of its own, as a run's command, and kills the run.
    fn killed_with(name: &str, script: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let (text, program) = (folder.path().join("text"), folder.path().join(name));
        std::fs::write(&text, format!("#!/bin/sh\ncd {}\n{script}\n", folder.path().display())).unwrap();
        std::fs::set_permissions(&text, std::fs::Permissions::from_mode(0o755)).unwrap();
        // By another process: a child that another test forks meanwhile would have a file of ours open, "Text file busy".
        assert!(Command::new("cp").arg("-p").args([&text, &program]).status().unwrap().success());
        let ask = Ask::default();
        let asks = ask.clone();
        let script = format!("trap '' TERM; setsid {} & echo $! >&2; while :; do wait; done", program.display());
        let ended = run(Path::new("/bin/sh"), &["-c".to_owned(), script], &ask, |line| {
            let Line::Text(pid) = line else { panic!("{line:?}") };
            std::fs::write(folder.path().join("pid"), pid).unwrap();
            // By then it has its name, and a group of its own.
            eventually("its name", || stat(&folder)?.contains(&format!("({name})")).then_some(()));
            asks.stop(Duration::from_millis(300));
        });
        assert_eq!(ended.status.unwrap().unwrap().signal(), Some(9));
        assert!(!ask.waited_for_lvm(Duration::from_secs(60)));
        folder
    }

    fn stat(folder: &tempfile::TempDir) -> Option<String> {
        let pid = std::fs::read_to_string(folder.path().join("pid")).unwrap();
        std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()
    }

    /// Only LVM's commands are waited for: `thin_delta` may work for hours, and is killed with its run.
    #[test]
    fn a_command_that_only_reads_is_killed_with_its_run() {
        let folder = killed_with("thin_delta", "sleep 300; echo whole >result");
        eventually("its end", || stat(&folder).is_none_or(|stat| stat.contains(") Z ")).then_some(()));
        assert!(!folder.path().join("result").exists());
    }

    /// What thaws a file system when the run is gone that froze it.
    #[test]
    fn a_thawer_outlives_its_run() {
        let folder = killed_with("flock", "while [ -e /proc/$PPID ]; do sleep 0.05; done; echo thawed >result");
        let result = || std::fs::read_to_string(folder.path().join("result")).ok();
        eventually("the thawing", || result().filter(|result| result == "thawed\n"));
    }

    #[test]
    fn lines_of_any_length() {
        let (_, lines) =
            sh("head -c 100000 /dev/zero | tr '\\0' x >&2; echo >&2; echo short >&2; seq 1 70000", &Ask::default());
        let Line::Text(long) = &lines[0] else { panic!() };
        assert_eq!((long.len(), &lines[1]), (MAX_LINE_BYTES, &Line::Text("short".to_owned())));
    }
}

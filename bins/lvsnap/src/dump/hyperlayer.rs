//! A layer in a store rather than an archive: what `lvbackup` is there for, run as a person would.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

use cli::{Exit, Failure, OrFail, Outcome, Stop};
use rustix::process::{Pid, Signal, kill_process};

use super::archive::stopped;
use super::rotate::Maxima;

const POLL: Duration = Duration::from_millis(50);

/// The program beside this one, or whichever the shell would find.
pub(crate) fn program() -> PathBuf {
    let beside = std::env::current_exe().ok().map(|this| this.with_file_name("lvbackup"));
    beside.filter(|path| path.is_file()).unwrap_or_else(|| PathBuf::from("lvbackup"))
}

/// What is asked of it: the backup, and what is to go after it where maxima are given.
pub(crate) fn commands(
    volume: &str,
    store: &Path,
    options: &[OsString],
    maxima: Maxima,
    zone: &str,
) -> Vec<Vec<OsString>> {
    let words = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
    let mut backup = words(&["backup"]);
    backup.extend_from_slice(options);
    backup.extend([OsString::from(volume), store.into()]);
    let mut commands = vec![backup];
    if let Some((daily_max, weekly_max)) = maxima.both() {
        let mut prune = words(&["prune", "--policy", "original", "--zone", zone, "--series", volume]);
        prune.extend(words(&["--daily-max", &daily_max.to_string(), "--weekly-max", &weekly_max.to_string()]));
        prune.push(store.into());
        commands.push(prune);
    }
    commands
}

/// Runs them one after the other, with this process's environment, input and outputs; the next one only where the one
/// before succeeded.
///
/// # Errors
/// One failed, with its own exit status; it has said why.
pub(crate) fn run(program: &Path, commands: &[Vec<OsString>], stop: &Stop) -> Outcome {
    commands.iter().try_for_each(|args| {
        if stop.requested() {
            return Err(stopped());
        }
        let child = Command::new(program).args(args).spawn().or_fail(Exit::Surroundings);
        let child = child.map_err(|failure| {
            failure
                .context(format!("cannot run `{}`", program.display()))
                .hint("`--with hyperlayer` needs lvbackup, beside lvsnap or in PATH")
        })?;
        let status = wait(child, stop)?;
        if status.success() {
            return Ok(());
        }
        let what = args.first().map(|word| word.to_string_lossy().into_owned()).unwrap_or_default();
        Err(Failure::msg(exit(status), format!("`lvbackup {what}` failed ({status})")))
    })
}

/// A signal to this process alone is passed on; lvbackup then cleans up by itself.
fn wait(mut child: Child, stop: &Stop) -> Outcome<ExitStatus> {
    let mut is_told = false;
    loop {
        if let Some(status) = child.try_wait().or_fail(Exit::Failed)? {
            return Ok(status);
        }
        if stop.requested() && !is_told {
            is_told = true;
            if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
                // One that has just ended needs no telling.
                let _ = kill_process(pid, Signal::TERM);
            }
        }
        std::thread::sleep(POLL);
    }
}

/// Its exit status means what ours does.
fn exit(status: ExitStatus) -> Exit {
    let of_signal = || std::os::unix::process::ExitStatusExt::signal(&status).map(|number| 128 + number);
    match status.code().or_else(of_signal).and_then(|code| u8::try_from(code).ok()) {
        Some(2) => Exit::Usage,
        Some(3) => Exit::Refused,
        Some(4) => Exit::Surroundings,
        Some(5) => Exit::Unfinished,
        Some(code @ 129..) => Exit::Signal(code - 128),
        _ => Exit::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    const MAXIMA: Maxima = Maxima { daily_max: Some(5), weekly_max: Some(3) };

    fn fake(folder: &Path, text: &str) -> PathBuf {
        let program = folder.join("lvbackup");
        std::fs::write(&program, format!("#!/bin/sh\necho \"$*\" >>{}/log\n{text}\n", folder.display())).unwrap();
        std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
        program
    }

    #[test]
    fn it_backs_up_and_then_prunes() {
        let folder = tempfile::tempdir().unwrap();
        let program = fake(folder.path(), "");
        let store = Path::new("/backup/my store");
        let commands = commands("vg0/data", store, &["--freeze".into()], MAXIMA, "Europe/Berlin");
        run(&program, &commands, &Stop::default()).unwrap();
        assert_eq!(
            std::fs::read_to_string(folder.path().join("log")).unwrap(),
            "backup --freeze vg0/data /backup/my store\n\
             prune --policy original --zone Europe/Berlin --series vg0/data --daily-max 5 --weekly-max 3 /backup/my store\n"
        );
    }

    #[test]
    fn nothing_goes_where_the_backup_failed() {
        for (status, expected) in
            [(1, Exit::Failed), (4, Exit::Surroundings), (5, Exit::Unfinished), (143, Exit::Signal(15))]
        {
            let folder = tempfile::tempdir().unwrap();
            let program = fake(folder.path(), &format!("exit {status}"));
            let commands = commands("vg0/data", Path::new("/s"), &[], MAXIMA, "UTC");
            assert_eq!(run(&program, &commands, &Stop::default()).unwrap_err().exit(), expected);
            assert_eq!(std::fs::read_to_string(folder.path().join("log")).unwrap().lines().count(), 1);
        }
        let none = run(
            Path::new("/nowhere/lvbackup"),
            &commands("a/b", Path::new("/s"), &[], MAXIMA, "UTC"),
            &Stop::default(),
        );
        assert_eq!(none.unwrap_err().exit(), Exit::Surroundings);
        // Without maxima there is nothing to prune.
        let nothing = Maxima { daily_max: None, weekly_max: None };
        assert_eq!(commands("a/b", Path::new("/s"), &[], nothing, "UTC").len(), 1);
    }

    #[test]
    fn a_stop_is_passed_on_and_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let program = fake(folder.path(), "trap 'touch $0.cleaned; exit 143' TERM; while :; do sleep 0.1; done");
        let stop = Stop::default();
        let flag = stop.clone();
        let log = folder.path().join("log");
        let telling = std::thread::spawn(move || {
            while !log.exists() {
                std::thread::sleep(POLL);
            }
            std::thread::sleep(POLL * 4);
            flag.flag().store(true, std::sync::atomic::Ordering::Relaxed);
        });
        let commands = commands("a/b", Path::new("/s"), &[], MAXIMA, "UTC");
        assert_eq!(run(&program, &commands, &stop).unwrap_err().exit(), Exit::Signal(15));
        telling.join().unwrap();
        assert!(folder.path().join("lvbackup.cleaned").exists());
    }
}

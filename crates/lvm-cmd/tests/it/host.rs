//! The host's executor, with shell scripts in the place of LVM.

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lvm_cmd::{Command, ExecError, Executor, Exit, Host, Kind, MAX_STDERR, Program};
use tempfile::TempDir;

/// A folder in which `lvs` and `thin_delta` are this shell script, and an executor that looks nowhere else.
fn host(script: &str) -> (TempDir, Host) {
    let (folder, host) = host_with(Program::Lvs, script);
    fs::hard_link(folder.path().join("lvs"), folder.path().join("thin_delta")).unwrap();
    (folder, host)
}

fn host_with(program: Program, script: &str) -> (TempDir, Host) {
    let folder = tempfile::tempdir().unwrap();
    let (text, path) = (folder.path().join("text"), folder.path().join(program.name()));
    fs::write(&text, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&text, fs::Permissions::from_mode(0o755)).unwrap();
    // By another process: a child that another test forks meanwhile would have a file of ours open, "Text file busy".
    let copied = std::process::Command::new("cp").arg("-p").args([&text, &path]).status().unwrap();
    assert!(copied.success());
    let host = Host::with_directories([folder.path()]);
    (folder, host)
}

fn lvs() -> Command {
    Command::new(Program::Lvs)
}

/// A program that gets no arguments but its command's, and may be killed.
fn thin_delta() -> Command {
    Command::new(Program::ThinDelta)
}

#[test]
fn both_outputs_are_collected() {
    let (_folder, host) = host("echo out; echo err >&2; printf '%s|' \"$@\"");
    let output = host.run(&thin_delta().args(["a b", "$HOME", ""])).unwrap();
    assert_eq!((output.text().as_ref(), output.stderr.as_str()), ("out\na b|$HOME||", "err\n"));
}

/// Debian 12 has no link `lvmdevices`.
#[test]
fn an_lvm_command_without_a_link_is_one_of_lvm() {
    let (folder, host) = host("printf '%s|' \"$@\"");
    fs::rename(folder.path().join("lvs"), folder.path().join("lvm")).unwrap();
    let output = host.run(&Command::new(Program::Lvmdevices).arg("--deldev")).unwrap();
    let text = output.text();
    assert!(text.starts_with("lvmdevices|--config|") && text.ends_with("|--deldev|"), "{text}");
    assert_eq!(host.run(&Command::new(Program::Losetup)).unwrap_err().kind(), Kind::Environment);
}

#[test]
fn a_missing_program_names_its_package() {
    let (folder, host) = host("");
    let error = host.run(&Command::new(Program::ThinDump)).unwrap_err();
    assert_eq!(error.kind(), Kind::Environment);
    let expected = format!(
        "program `thin_dump` not found in {}; it is in the Debian package `thin-provisioning-tools`",
        folder.path().display()
    );
    assert_eq!(error.to_string(), expected);
    assert_eq!(host.location(Program::ThinDump), None);
    assert_eq!(host.location(Program::Lvs), Some(folder.path().join("lvs")));
}

#[test]
fn a_program_that_cannot_be_started() {
    let (folder, host) = host("");
    fs::set_permissions(folder.path().join("lvs"), fs::Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(host.run(&lvs()), Err(ExecError::Start { .. })));
}

#[test]
fn failures_carry_status_and_words() {
    let (_folder, host) = host("echo lost; echo '  Logical volume vg0/x in use.' >&2; exit ${1:-5}");
    let error = host.run(&thin_delta()).unwrap_err();
    assert_eq!(error.to_string(), "`thin_delta` exited with status 5: Logical volume vg0/x in use.");
    let mut running = host.spawn(&thin_delta().arg("3")).unwrap();
    let mut text = String::new();
    running.stdout().unwrap().read_to_string(&mut text).unwrap();
    let error = running.wait().unwrap_err();
    assert_eq!(text, "lost\n");
    assert!(matches!(error, ExecError::Failed { exit: Exit::Code(3), .. }), "{error}");
}

/// What a program says decides nothing: the same words come with other causes, and other words with this one.
#[test]
fn words_are_no_kinds() {
    let (_folder, host) = host("echo \"$1\" >&2; exit 5");
    for text in [
        "  Logical volume vg0/x in use.",
        "device-mapper: message ioctl on p-tpool  failed: Device or resource busy",
        "  Failed to find logical volume \"vg0/x\"",
        "  Device for PV abc not found.",
        "  /run/lock/lvm/P_global:aux: open failed: Permission denied",
    ] {
        assert_eq!(host.run(&thin_delta().arg(text)).unwrap_err().kind(), Kind::Failed, "{text}");
    }
}

/// Each of LVM's commands is told what this crate relies on, before its own arguments; no other program is, and no message shows it.
#[test]
fn every_lvm_command_gets_the_settings() {
    for program in Program::ALL {
        let (_folder, host) = host_with(*program, "printf '%s\\n' \"$@\"; exit 7");
        let mut running = host.spawn(&Command::new(*program).arg("own")).unwrap();
        let mut text = String::new();
        running.stdout().unwrap().read_to_string(&mut text).unwrap();
        let error = running.wait().unwrap_err();
        assert!(error.to_string().starts_with(&format!("`{program} own` exited with status 7")), "{error}");
        let is_lvm = program.package() == "lvm2";
        assert_eq!(program.is_lvm(), is_lvm, "{program}");
        if !is_lvm {
            assert_eq!(text, "own\n", "{program}");
            continue;
        }
        let settings = text.strip_prefix("--config\n").and_then(|text| text.strip_suffix("\nown\n")).unwrap();
        for part in ["log{", "report{", "prefix=\"\"", "report_command_log=0", "time_format=\"%s\""] {
            assert!(settings.contains(part), "{program}: {settings}");
        }
        // The user's filters, locking and activation stay in force.
        assert!(!["devices{", "global{", "activation{"].iter().any(|section| settings.contains(section)), "{settings}");
    }
}

#[test]
fn death_by_signal_is_told() {
    let (_folder, host) = host("kill -TERM $$");
    let error = host.run(&lvs()).unwrap_err();
    assert!(matches!(error, ExecError::Failed { exit: Exit::Signal(15), .. }), "{error}");
}

#[test]
fn the_environment_is_ours() {
    let (_folder, host) = host("/usr/bin/env; read -r line && echo \"got $line\"; exit 0");
    let output = host.run(&lvs()).unwrap();
    let text = output.text();
    let mut found: Vec<_> = text
        .lines()
        .filter(|line| !["PWD=", "_=", "SHLVL=", "OLDPWD="].iter().any(|own| line.starts_with(own)))
        .collect();
    found.sort_unstable();
    let path = "PATH=/usr/sbin:/sbin:/usr/bin:/bin:/usr/local/sbin";
    assert_eq!(found, ["LC_ALL=C", "LVM_SUPPRESS_FD_WARNINGS=1", path]);
}

#[test]
fn the_child_has_a_process_group_of_its_own() {
    // Field 5 of stat is the group; the name in field 2 has no blanks here.
    let (_folder, host) = host("read -r _ _ _ _ group _ < /proc/$$/stat; echo $$ $group");
    let output = host.run(&lvs()).unwrap();
    let text = output.text();
    let (pid, group) = text.trim().split_once(' ').unwrap();
    assert_eq!(pid, group);
}

#[test]
fn much_of_both_outputs_streams_through() {
    let script = "head -c 20000000 /dev/zero & head -c 3000000 /dev/zero | tr '\\0' e >&2; wait";
    let (_folder, host) = host(script);
    let mut running = host.spawn(&lvs()).unwrap();
    let mut total = 0;
    let mut stdout = running.stdout().unwrap();
    let mut buffer = vec![0; 65536];
    loop {
        match stdout.read(&mut buffer).unwrap() {
            0 => break,
            read => total += read,
        }
    }
    assert_eq!(total, 20_000_000);
    running.wait().unwrap();
    let output = host.run(&lvs()).unwrap();
    assert_eq!((output.stdout.len(), output.stderr.len()), (20_000_000, MAX_STDERR));
}

#[test]
fn untaken_output_does_not_block_the_end() {
    let (_folder, host) = host("exec cat /dev/zero");
    let error = host.spawn(&thin_delta()).unwrap().wait().unwrap_err();
    // SIGPIPE: the child has the default for it, whatever this process has.
    assert!(matches!(error, ExecError::Failed { exit: Exit::Signal(13), .. }), "{error}");
}

#[test]
fn dropping_kills_the_child_and_what_it_started() {
    let folder = tempfile::tempdir().unwrap();
    let pids = folder.path().join("pids");
    let (_scripts, host) = host(&format!("sleep 300 & echo $$ $! > {0}.new; mv {0}.new {0}; wait", pids.display()));
    let running = host.spawn(&thin_delta()).unwrap();
    wait_until(|| pids.exists());
    let text = fs::read_to_string(&pids).unwrap();
    drop(running);
    for pid in text.split_whitespace() {
        wait_until(|| is_gone(pid));
    }
}

/// One that is killed may leave a device suspended.
#[test]
fn lvm_commands_end_by_themselves() {
    let folder = tempfile::tempdir().unwrap();
    let done = folder.path().join("done");
    let script = format!("sleep 0.02; head -c 1000000 /dev/zero; echo > {}", done.display());
    for program in Program::ALL.iter().filter(|program| !program.may_be_killed()) {
        let (_scripts, host) = host_with(*program, &script);
        drop(host.spawn(&Command::new(*program)).unwrap());
        assert!(done.exists(), "{program}");
        fs::remove_file(&done).unwrap();
    }
    assert!(Program::ALL.iter().filter(|program| program.is_lvm()).all(|program| !program.may_be_killed()));
}

/// A command that hangs, behind a suspended device say, is named, and again when the run is asked to stop; it is not ended.
#[test]
fn a_command_that_hangs_is_named() {
    let go = tempfile::tempdir().unwrap();
    let go = go.path().join("go");
    let (_folder, host) = host(&format!("while [ ! -e {} ]; do sleep 0.05; done; echo whole", go.display()));
    let stop = Arc::new(AtomicBool::new(false));
    let host = host.silent_for(Duration::from_millis(50)).stopped_by(Arc::clone(&stop));
    let said = tempfile::NamedTempFile::new().unwrap();
    let log = tracing_subscriber::fmt().with_ansi(false).with_writer(Arc::new(said.reopen().unwrap())).finish();
    let has = |text: &str| fs::read_to_string(said.path()).unwrap().contains(text);
    std::thread::scope(|scope| {
        let command = lvs().arg("vg0");
        let running = scope.spawn(move || tracing::subscriber::with_default(log, || host.run(&command)));
        wait_until(|| has("still waiting for `lvs vg0`") && has("dmsetup info"));
        assert!(!has("stopping"));
        stop.store(true, Ordering::Relaxed);
        wait_until(|| has("stopping; waiting for `lvs vg0` to end"));
        assert!(!running.is_finished());
        fs::write(&go, "").unwrap();
        assert_eq!(running.join().unwrap().unwrap().text(), "whole\n");
    });
}

/// Gone, or dead and waiting for its adopter to notice.
fn is_gone(pid: &str) -> bool {
    let stat = fs::read_to_string(Path::new("/proc").join(pid).join("stat"));
    stat.map_or(true, |stat| stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('Z')))
}

#[track_caller]
fn wait_until(condition: impl Fn() -> bool) {
    for _ in 0..500 {
        if condition() {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("not within ten seconds");
}

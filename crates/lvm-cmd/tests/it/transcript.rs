use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};

use lvm_cmd::{Command, ExecError, Executor, Exit, Program, Recording, Scripted};

fn lvs(arg: &str) -> Command {
    Command::new(Program::Lvs).arg(arg)
}

#[test]
fn command_lines_are_quoted_for_a_shell() {
    for (arg, shown) in [
        ("vg0/lv-1_a+b.c", "lvs vg0/lv-1_a+b.c"),
        ("", "lvs ''"),
        ("a b", "lvs 'a b'"),
        ("it's", r"lvs 'it'\''s'"),
        ("$(reboot)", "lvs '$(reboot)'"),
        ("*", "lvs '*'"),
    ] {
        assert_eq!(lvs(arg).to_string(), shown);
    }
}

const TRANSCRIPT: &str = "\
$ lvs a
| one
|
|  three, indented
|~no newline
! a warning
= 0

$ lvs b
! refused
= 5

$ lvs c
= signal 9

$ lvs d
= missing

$ thin_delta -V
| 0.9.0
= 0

";

/// Asks for everything in `TRANSCRIPT` and checks the answers.
fn ask(exec: &dyn Executor) {
    let a = exec.run(&lvs("a")).unwrap();
    assert_eq!((a.text().as_ref(), a.stderr.as_str()), ("one\n\n three, indented\nno newline", "a warning\n"));
    let b = exec.run(&lvs("b")).unwrap_err();
    assert!(matches!(&b, ExecError::Failed { exit: Exit::Code(5), stderr, .. } if stderr == "refused\n"), "{b}");
    assert_eq!(b.to_string(), "`lvs b` exited with status 5: refused");
    let c = exec.run(&lvs("c")).unwrap_err();
    assert_eq!(c.to_string(), "`lvs c` was killed by signal 9");
    let d = exec.run(&lvs("d")).unwrap_err();
    assert!(matches!(d, ExecError::Missing { program: Program::Lvs, .. }), "{d}");
    let mut running = exec.spawn(&Command::new(Program::ThinDelta).arg("-V")).unwrap();
    let mut text = String::new();
    running.stdout().unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, "0.9.0\n");
    assert!(running.stdout().is_none());
    running.wait().unwrap();
}

#[test]
fn what_is_recorded_replays() {
    let recording = Recording::new(Scripted::from_transcript(TRANSCRIPT).unwrap());
    ask(&recording);
    assert_eq!(recording.transcript(), TRANSCRIPT);
    ask(&Scripted::from_transcript(&recording.transcript()).unwrap());
}

#[test]
fn leaving_the_script_fails_the_test() {
    let script = "$ lvs a\n= 0\n$ lvs b\n= 0\n";
    let left = catch_unwind(|| drop(Scripted::from_transcript(script).unwrap())).unwrap_err();
    assert_eq!(*left.downcast::<String>().unwrap(), "the script has steps that nobody asked for: lvs a, lvs b");

    let exec = Scripted::from_transcript(script).unwrap();
    let error = exec.run(&lvs("b")).unwrap_err();
    assert_eq!(error.to_string(), "the script has no `lvs b` here; its next step is `lvs a`");
    exec.run(&lvs("a")).unwrap();
    exec.run(&lvs("b")).unwrap();
    let off = catch_unwind(AssertUnwindSafe(|| drop(exec))).unwrap_err();
    assert_eq!(*off.downcast::<String>().unwrap(), "asked off the script: `lvs b` instead of `lvs a`");
}

#[test]
fn refused_transcripts_say_where() {
    for (text, expected) in [
        ("| x\n", "transcript line 1: expected `$ COMMAND`, found `| x`"),
        ("$ a\n$ b\n", "transcript line 2: expected `= STATUS` before the next command, found `$ b`"),
        ("# c\n$ a\n= x\n", "transcript line 3: expected `= NUMBER`, `= signal NUMBER` or `= missing`, found `= x`"),
        ("$ a\nb\n", "transcript line 2: expected a line that starts with one of `$ | ! = #`, found `b`"),
        ("$ a\n", "transcript line 1: expected `= STATUS` at the end, found `a`"),
    ] {
        assert_eq!(Scripted::from_transcript(text).unwrap_err().to_string(), expected);
    }
}

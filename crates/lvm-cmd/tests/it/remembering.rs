use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};

use lvm_cmd::{
    Command, ExecError, Executor, LvRef, Output, Program, Remembering, Running, Scripted, activate, pool_status,
    volumes,
};

use crate::{lvs, row};

/// What is asked twice in a row is asked once; a change, or somebody who forgets, makes it be asked again, of every group,
/// since nobody knows what else a command changes.
#[test]
fn asked_again_when_it_may_be_another_answer() {
    let report = |name: &str| lvs(&[row(&[("lv_name", name)])]);
    let status = "$ dmsetup status --target thin-pool vg0-pool-tpool\n\
                  | 0 204800 thin-pool 3 114/1024 18/1600 - rw discard_passdown queue_if_no_space - 256\n= 0\n";
    let script = [
        report("one"),
        status.to_owned(),
        "$ lvchange --activate y --ignoreactivationskip vg0/one\n! busy\n= 5\n".to_owned(),
        report("two"),
        report("three"),
    ];
    let exec = Remembering::new(Scripted::from_transcript(&script.concat()).unwrap());
    let first = || volumes(&exec, &"vg0".parse().unwrap()).unwrap().remove(0).name.lv().to_string();
    assert_eq!([first(), first()], ["one", "one"]);
    let _ = pool_status(&exec, &"vg0/pool".parse().unwrap()).unwrap();
    assert_eq!(first(), "one", "what only looks changes nothing");
    assert!(activate(&exec, &"vg0/one".parse::<LvRef>().unwrap()).is_err());
    assert_eq!([first(), first()], ["two", "two"], "what failed may have changed something all the same");
    exec.forget();
    assert_eq!([first(), first()], ["three", "three"]);
}

/// Answers a report only when it is told to, and counts them.
#[derive(Debug)]
struct Slow {
    asked: Sender<()>,
    go_on: Mutex<Receiver<()>>,
}

impl Executor for Slow {
    fn run(&self, command: &Command) -> Result<Output, ExecError> {
        if command.program() == Program::Lvs {
            self.asked.send(()).unwrap();
            self.go_on.lock().unwrap().recv().unwrap();
        }
        Ok(Output::default())
    }

    fn spawn(&self, command: &Command) -> Result<Box<dyn Running>, ExecError> {
        Err(ExecError::OffScript { command: command.to_string(), expected: String::new() })
    }
}

/// Another thread changes something while a report is made.
#[test]
fn a_report_that_a_change_overtook_is_not_kept() {
    let (asked, reports) = channel();
    let (go_on, wait) = channel();
    let exec = Remembering::new(Slow { asked, go_on: Mutex::new(wait) });
    let report = || exec.run(&Command::new(Program::Lvs).arg("vg0")).map(drop);
    std::thread::scope(|threads| {
        let early = threads.spawn(report);
        reports.recv().unwrap();
        exec.run(&Command::new(Program::Lvremove).arg("vg0/one")).unwrap();
        go_on.send(()).unwrap();
        early.join().unwrap().unwrap();
        go_on.send(()).unwrap();
        report().unwrap();
        report().unwrap();
    });
    assert_eq!(reports.try_iter().count(), 1, "once more, and then it is known");
}

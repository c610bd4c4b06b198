use std::fs::{self, File};
use std::io::{Read, Write};
use std::time::{Duration, SystemTime};

use testkit::{Signal, Spawned, Tool, eventually};

use crate::Folder;

/// Reads the start of the stream: from then on the command is at work.
fn started(running: &mut Spawned) -> Vec<u8> {
    let mut start = vec![0; 100];
    running.stdout.as_mut().unwrap().read_exact(&mut start).unwrap();
    assert!(start.starts_with(b"HYPERLAYER/1.1\n"));
    start
}

/// Nobody reads on, so that the command is, or will be, blocked on its pipe.
#[test]
fn while_the_pipe_is_full() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)] {
        let folder = Folder::large();
        let mut running = folder.lvdiff("--full ./large.img").spawn();
        started(&mut running);
        running.signal(signal);
        let unread = running.stdout.take();
        running.finish().says(code, &[&format!("lvdiff: stopped by signal {}", code - 128)]);
        drop(unread);
    }
}

/// A file that is being written is not there, and the one that it was to replace is.
#[test]
fn while_a_file_is_written() {
    let folder = Folder::large();
    folder.write("out.hl", b"the old one");
    let running = folder.lvdiff("--full ./large.img --bwlimit 64k -o out.hl").spawn();
    eventually("the temporary file", || folder.names().iter().any(|name| name.ends_with(".partial")).then_some(()));
    running.signal(Signal::INT);
    running.finish().says(130, &[]);
    assert_eq!(folder.names(), ["large.img", "out.hl"]);
    assert_eq!(folder.read("out.hl"), b"the old one");
}

/// The next run for that file names the temporary file of the one that was killed, and not that of a living one.
#[test]
fn killed_while_a_file_is_written() {
    let folder = Folder::large();
    let temporary = || folder.names().into_iter().find(|name| name.ends_with(".partial"));
    let running = folder.lvdiff("--full ./large.img --bwlimit 64k -o out.hl").spawn();
    let left = eventually("the temporary file", temporary);
    let old = || {
        let file = File::options().write(true).open(folder.path(&left)).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(3600)).unwrap();
    };
    old();
    let said = folder.lvdiff("--full ./large.img -o out.hl").run().says(0, &["SHA1"]);
    assert!(!said.stderr.contains(&left), "{}", said.stderr);
    running.signal(Signal::KILL);
    drop(running);
    old();
    let name = format!("remove it: `rm -- '{}'`", folder.path(&left).canonicalize().unwrap().display());
    folder.lvdiff("--full ./large.img -o out.hl").run().says(0, &["a killed process left", &name]);
    assert_eq!(temporary(), Some(left));
}

/// nohup(1) and the background of a script ignore signals for what they start.
#[test]
fn what_was_ignored_at_the_start_stays_ignored() {
    let folder = Folder::large();
    let line = "trap '' HUP INT QUIT; exec lvdiff --full ./large.img";
    let mut running = Tool::shell(line, &["lvdiff"], folder.root()).spawn();
    let start = started(&mut running);
    for signal in [Signal::HUP, Signal::INT, Signal::QUIT] {
        running.signal(signal);
    }
    let said = running.finish().done();
    assert!([start, said.stdout].concat() == folder.lvdiff("--full ./large.img").run().done().stdout);

    let mut running = Tool::shell(line, &["lvdiff"], folder.root()).spawn();
    started(&mut running);
    running.signal(Signal::TERM);
    let unread = running.stdout.take();
    running.finish().says(143, &["lvdiff: stopped by signal 15"]);
    drop(unread);
}

fn touch(folder: &Folder, name: &str) {
    let mut file = File::options().write(true).open(folder.path(name)).unwrap();
    file.write_all(b"changed").unwrap();
    file.set_modified(SystemTime::now() + Duration::from_secs(10)).unwrap();
}

/// Then the stream is of no one moment: it gets no end.
#[test]
fn an_image_that_changes_meanwhile() {
    let folder = Folder::large();
    let mut running = folder.lvdiff("--full ./large.img").spawn();
    let mut stream = started(&mut running);
    touch(&folder, "large.img");
    let said = running.finish().says(3, &["`./large.img` changed while it was read"]);
    stream.extend(&said.stdout);
    let whole = folder.lvdiff("--full ./large.img").run().done().stdout;
    assert!(stream.len() < whole.len());
}

/// And a file does not take its name.
#[test]
fn an_image_that_changes_while_a_file_is_written() {
    let folder = Folder::large();
    let limited = folder.lvdiff("--full ./large.img --bwlimit 16m -o out.hl").spawn();
    eventually("the temporary file", || folder.names().iter().any(|name| name.ends_with(".partial")).then_some(()));
    touch(&folder, "large.img");
    limited.finish().says(3, &["changed while it was read"]);
    assert_eq!(folder.names(), ["large.img"]);
    fs::metadata(folder.path("out.hl")).unwrap_err();
}

/// SIGUSR1 asks how far it is, even of a command that waits for its reader; `--progress json` tells it unasked.
#[test]
fn how_far_it_is() {
    let folder = Folder::large();
    let mut running = folder.lvdiff("--full ./large.img --progress json").spawn();
    started(&mut running);
    running.signal(Signal::USR1);
    std::thread::sleep(Duration::from_millis(1500));
    let mut rest = Vec::new();
    running.stdout.as_mut().unwrap().read_to_end(&mut rest).unwrap();
    let said = running.finish().done().stderr;
    assert!(said.lines().any(|line| line.starts_with("sending: ") && line.contains(" of 32.0 MiB, ")), "{said}");
    let objects: Vec<_> = said.lines().filter(|line| line.starts_with('{')).collect();
    assert!(objects.len() >= 2, "{said}");
    let last: serde_json::Value = serde_json::from_str(objects[objects.len() - 1]).unwrap();
    assert_eq!((&last["doing"], &last["total_bytes"]), (&"sending".into(), &(32 << 20).into()));
    assert_eq!(last["done_bytes"], last["total_bytes"]);
}

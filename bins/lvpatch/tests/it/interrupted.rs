use std::io::Write;

use testkit::{Signal, Spawned, eventually};

use crate::{APPLY, Folder, SCAN};

const SIGNALS: [(Signal, i32); 3] = [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)];

/// Stops it; its input stays open and silent all the while.
fn stop(mut running: Spawned, signal: Signal, code: i32, folder: &Folder) {
    running.signal(signal);
    let silent = running.stdin.take();
    running.finish().says(code, &[&format!("lvpatch: stopped by signal {}", code - 128)]);
    drop(silent);
    assert_eq!(folder.names(), ["new.img", "old.img"]);
}

#[test]
fn while_nothing_comes() {
    for (signal, code) in SIGNALS {
        let folder = Folder::new();
        let running = folder.lvpatch(APPLY).spawn();
        running.until_it_catches_signals();
        stop(running, signal, code, &folder);
    }
}

#[test]
fn while_the_rest_does_not_come() {
    for options in ["", "--compress zstd"] {
        for (signal, code) in SIGNALS {
            let folder = Folder::new();
            let stream = folder.stream(&format!("{SCAN} {options}"));
            let mut running = folder.lvpatch(APPLY).spawn();
            // Compressed, all but the last byte is needed to decode anything.
            let sent = if options.is_empty() { stream.len() / 2 } else { stream.len() - 1 };
            running.stdin.as_mut().unwrap().write_all(&stream[..sent]).unwrap();
            if options.is_empty() {
                eventually("the temporary file", || {
                    folder.names().iter().any(|name| name.ends_with(".partial")).then_some(())
                });
            } else {
                running.until_it_catches_signals();
            }
            stop(running, signal, code, &folder);
        }
    }
}

/// The sender died: what came is no stream.
#[test]
fn when_the_sender_goes_away() {
    let folder = Folder::new();
    let stream = folder.stream(SCAN);
    let mut running = folder.lvpatch(APPLY).spawn();
    running.stdin.as_mut().unwrap().write_all(&stream[..stream.len() / 2]).unwrap();
    drop(running.stdin.take());
    running.finish().says(3, &["the stream is cut", "look at the sender's exit status"]);
    assert_eq!(folder.names(), ["new.img", "old.img"]);
}

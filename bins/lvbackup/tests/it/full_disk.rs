//! What each writer does when the disk is full, for which a limit on the size of files stands.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use testkit::{Folder, Tool};

use crate::images;
use crate::stores::Filled;

/// No byte; less than any image or stream, but more than a lock or a ledger.
const LIMITS_KIB: [u32; 2] = [0, 1];

/// A command, and the name that its error must give.
pub(crate) type Writer = (&'static str, &'static str);

/// These find `old` under the name that they are to give, and replace it.
pub(crate) const REPLACING: [Writer; 5] = [
    ("lvdiff --full ./mon.img -o old", "`old`"),
    ("lvdiff --scan tue.img mon.img --format 1.0 -o old", "`old`"),
    ("lvdiff --full ./mon.img --compress zstd -o old", "`old`"),
    ("lvbackup merge mon.hl tue.hl -o old", "`old`"),
    ("lvbackup merge mon.hl tue.hl --compress zstd:1 -o old", "`old`"),
];

pub(crate) const NEW: [Writer; 5] = [
    ("lvbackup recv -i mon.hl --to-file new", "`.new.partial"),
    ("lvbackup recv -i mon.hl -i tue.hl --to-file new", "`.new.partial"),
    ("lvbackup recv -i tue.hl --base mon.img --to-file new", "`.new.partial"),
    ("lvpatch --output new -i mon.hl", "`new`"),
    ("lvpatch --output new --base mon.img -i tue.hl", "`new`"),
];

pub(crate) const FROM_A_STORE: [Writer; 3] = [
    ("lvbackup restore store --to-file new", "`new`"),
    ("lvbackup export store --to raw -o new", "`new`"),
    ("lvbackup export store --to qcow2 -o new", "`new`"),
];

#[test]
fn a_stream_or_an_image_is_complete_or_not_there() {
    let folder = images::folder();
    folder.write("old", b"the old one");
    for limit in LIMITS_KIB {
        for (line, names) in REPLACING.into_iter().chain(NEW) {
            changes_nothing(&folder, line, limit, &[names, "File too large"]);
        }
    }
    let filled = Filled::days(3);
    for limit in LIMITS_KIB {
        for (line, names) in FROM_A_STORE {
            changes_nothing(&filled.folder, line, limit, &[names, "File too large"]);
        }
    }
}

#[test]
fn a_store_stays_as_it_was() {
    let filled = Filled::days(3);
    for line in [
        "lvbackup init other",
        "lvbackup hold store day-1",
        "lvbackup tag store day-1 kept",
        "lvbackup prune store --keep-last 1",
        "lvbackup check store --repair",
    ] {
        changes_nothing(&filled.folder, line, 0, &["cannot write `", "File too large"]);
    }
    let merge = "lvbackup prune store --keep-last 1 --merge";
    changes_nothing(&filled.folder, merge, 1, &["cannot write `layers/", "File too large"]);
    let _ = filled.run("prune store --keep-last 1 --merge", 0, &[]);
    filled.gives("2", "");
}

/// Runs a command that can make no file longer than so much. It must fail, say `says`, and leave all files and directories
/// as they were.
#[track_caller]
fn changes_nothing(folder: &Folder, line: &str, limit_kib: u32, says: &[&str]) {
    let before = files(folder.root());
    // In blocks of 512 bytes. Ignored, the signal does not end the process, and the write fails.
    let limited = format!("trap '' XFSZ; ulimit -f {}; exec {line}", limit_kib * 2);
    let said = Tool::shell(&limited, &["lvbackup", "lvdiff", "lvpatch"], folder.root()).run();
    assert!([1, 4].contains(&said.code()), "{line}: {}: {}", said.code(), said.stderr);
    for text in says {
        assert!(said.stderr.contains(text), "{line}: {text:?} is not in: {}", said.stderr);
    }
    let after = files(folder.root());
    let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&after), names(&before), "{line}: {}", said.stderr);
    assert!(after == before, "{line} changed a file: {}", said.stderr);
}

/// All files and directories below a directory by their paths; a directory's path ends with `/`.
fn files(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut directories = vec![root.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
            let path = entry.path().strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            if entry.file_type().unwrap().is_dir() {
                directories.push(entry.path());
                found.insert(path + "/", Vec::new());
            } else {
                found.insert(path, fs::read(entry.path()).unwrap());
            }
        }
    }
    found
}

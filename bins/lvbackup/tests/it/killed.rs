//! What a process that was killed leaves beside the file that it was to make.

use std::fs;
use std::time::{Duration, SystemTime};

use testkit::{Folder, Tool};

use crate::full_disk::{FROM_A_STORE, NEW, REPLACING};
use crate::images;
use crate::stores::Filled;

/// The next run names it with the command that removes it, and leaves it.
#[test]
fn each_writer_names_the_temporary_file_of_a_killed_run() {
    let folder = images::folder();
    for (line, _) in REPLACING {
        names(&folder, line, ".old.abcDEF.partial");
    }
    // That of `recv` can be resumed.
    for (line, _) in NEW.into_iter().filter(|(line, _)| !line.contains(" recv ")) {
        names(&folder, line, ".new.abcDEF.partial");
    }
    let filled = Filled::days(2);
    for (line, _) in FROM_A_STORE {
        names(&filled.folder, line, ".new.abcDEF.partial");
    }
}

/// What `recv` can say nothing of, it names too.
#[test]
fn a_partial_file_without_a_ledger_is_named() {
    let folder = images::folder();
    folder.write(".new.partial", b"half");
    for line in ["recv -i mon.hl --to-file new", "recv --to-file new --discard-partial"] {
        let said = folder.tool("lvbackup", line).run().says(1, &["`rm .new.partial`"]);
        assert!(!said.stderr.contains("removed"), "{}", said.stderr);
    }
    assert_eq!(folder.read(".new.partial"), b"half");
}

#[track_caller]
fn names(folder: &Folder, line: &str, temporary: &str) {
    folder.write(temporary, b"half");
    let file = fs::File::options().write(true).open(folder.path(temporary)).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(3600)).unwrap();
    let said = Tool::shell(line, &["lvbackup", "lvdiff", "lvpatch"], folder.root()).run();
    let names = said.stderr.contains(": `rm -- '") && said.stderr.contains(&format!("/{temporary}'`"));
    assert!(said.code() == 0 && names, "{line}: {}: {}", said.code(), said.stderr);
    assert_eq!(folder.read(temporary), b"half");
    for made in ["old", "new", temporary] {
        let _ = fs::remove_file(folder.path(made));
    }
}

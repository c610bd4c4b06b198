use std::fs;

use super::{Folder, TO};

#[test]
fn concatenated_and_from_files() {
    let folder = Folder::new();
    let said = folder.recv(TO).stdin(&folder.chain(0)).run().done();
    assert!(said.stderr.contains("`got.img` is whole: 4 layers"), "{}", said.stderr);
    folder.is_received();
    fs::remove_file(folder.path("got.img")).unwrap();
    let files = "-i 0.hl -i 1.hl -i 2.hl -i 3.hl";
    let _ = folder.recv(&format!("{TO} {files}")).run().done();
    folder.is_received();
    fs::remove_file(folder.path("got.img")).unwrap();
    folder.write("two.hl", &[folder.read("1.hl"), folder.read("2.hl")].concat());
    let _ = folder.recv(&format!("{TO} -i 0.hl -i two.hl -i 3.hl --bwlimit 1g")).run().done();
    folder.is_received();
}

#[test]
fn on_a_base() {
    let folder = Folder::new();
    let before = folder.read("1.img");
    let _ = folder.recv(&format!("{TO} --base 1.img")).stdin(&folder.chain(2)).run().done();
    folder.is_received();
    assert!(folder.read("1.img") == before, "the base was written");
    // Another state of it.
    fs::remove_file(folder.path("got.img")).unwrap();
    let says = &["`", "0.img` is not the stream's base"];
    let _ = folder.recv(&format!("{TO} --base 0.img")).stdin(&folder.chain(2)).run().says(3, says);
    assert!(folder.of_target().is_empty(), "{:?}", folder.of_target());
}

#[test]
fn compressed() {
    let folder = Folder::new();
    let line = "--scan 1.img 0.img --chunk-size 64k --compress zstd";
    let delta = testkit::Tool::new("lvdiff", folder.0.path()).args(line.split_whitespace()).run().done().stdout;
    folder.write("1.hl", &delta);
    let _ = folder.recv(&format!("{TO} -i 0.hl -i 1.hl -i 2.hl -i 3.hl")).run().done();
    folder.is_received();
}

#[test]
fn a_dry_run_writes_nothing() {
    let folder = Folder::new();
    let said = folder.recv(&format!("{TO} --dry-run")).stdin(&folder.chain(0)).run().done();
    assert!(said.stderr.contains("whole and unaltered; nothing was written: 4 layers"), "{}", said.stderr);
    let _ = folder.recv(&format!("{TO} --dry-run --base 0.img")).stdin(&folder.chain(1)).run().done();
    let broken = [folder.read("0.hl"), folder.read("2.hl")].concat();
    let _ = folder.recv(&format!("{TO} --dry-run")).stdin(&broken).run().says(3, &["the chain is broken"]);
    let mut other = folder.read("0.img");
    other[5000] ^= 1;
    folder.write("other.img", &other);
    let forced = format!("{TO} --dry-run --base other.img --force-base");
    let _ = folder.recv(&forced).stdin(&folder.chain(1)).run().says(3, &["the base differs"]);
    assert!(folder.of_target().is_empty(), "{:?}", folder.of_target());
}

#[test]
fn quiet_is_quiet() {
    let folder = Folder::new();
    let said = folder.recv(&format!("{TO} --quiet")).stdin(&folder.chain(0)).run().done();
    assert_eq!((said.stderr.as_str(), said.text()), ("", ""));
}

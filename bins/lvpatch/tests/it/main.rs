//! `lvpatch` as a user runs it, in image mode, on streams of the real `lvdiff`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod documented;
mod identity;
mod interrupted;
mod refused;
mod sessions;

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;
use testkit::{Finished, Tool, stamped};

testkit::contract!(
    "lvpatch",
    missing: [[], ["--base"], ["--base", "old.img"], ["--base-id", "x", "--output", "x.img"]],
    unreadable: ["--input", "missing.hl", "--output", "x.img"]
);

/// A folder with two images: the newer one is larger, and has new data, zeros, and most of the older one.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        let old = stamped(1, 0, 600 * 512);
        let new = [&old[..100_000], &stamped(2, 0, 3000), &old[103_000..150_000], &vec![0; 100_000], &old[250_000..]];
        folder.write("old.img", &old);
        folder.write("new.img", &[&new.concat()[..], &stamped(3, 600, 100 * 512)].concat());
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).unwrap();
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    /// What is there, the temporary files included.
    fn names(&self) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(self.0.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn lvpatch(&self, line: &str) -> Tool {
        Tool::new("lvpatch", self.0.path()).args(line.split_whitespace())
    }

    /// What `lvdiff` writes.
    fn stream(&self, line: &str) -> Vec<u8> {
        Tool::new("lvdiff", self.0.path()).args(line.split_whitespace()).run().done().stdout
    }

    /// Applies a stream that must be refused: nothing is there afterwards that was not before, and nothing has changed.
    #[track_caller]
    fn refuses(&self, line: &str, stream: &[u8], code: i32, says: &[&str]) -> Finished {
        let state = || self.names().into_iter().map(|name| (self.read(&name), name)).collect::<Vec<_>>();
        let before = state();
        let said = self.lvpatch(line).stdin(stream).run().says(code, says);
        assert!(state() == before, "{line}: something changed: {:?}", self.names());
        assert!(said.stdout.is_empty());
        said
    }
}

const SCAN: &str = "--scan new.img old.img";
const APPLY: &str = "--base old.img --output got.img";

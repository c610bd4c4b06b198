//! `lvdiff` as a user runs it, in image mode.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod dry_run;
mod interrupted;
mod output;
mod refused;

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;
use testkit::{Tool, stamped};

testkit::contract!("lvdiff", missing: [[], ["a"], ["--delta", "x"]], unreadable: ["--scan", "new.img", "old.img"]);

/// A folder with two images that differ in two places.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        let old = stamped(1, 0, 1 << 20);
        let new = [&old[..200_000], &stamped(2, 0, 3000), &old[203_000..700_000], &vec![0; 100_000], &old[800_000..]];
        folder.write("old.img", &old);
        folder.write("new.img", &new.concat());
        folder
    }

    /// One with an image of which no pipe and no queue can hold the stream.
    fn large() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        folder.write("large.img", &stamped(1, 0, 32 << 20));
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

    fn lvdiff(&self, line: &str) -> Tool {
        Tool::new("lvdiff", self.0.path()).args(line.split_whitespace())
    }
}

const SCAN: &str = "--scan new.img old.img";

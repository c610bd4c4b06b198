//! `lvdiff` as a user runs it, in image mode.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod dry_run;
mod interrupted;
mod output;
mod refused;

use testkit::{Tool, stamped};

testkit::contract!("lvdiff", missing: [[], ["a"], ["--delta", "x"]], unreadable: ["--scan", "new.img", "old.img"]);

/// A folder with two images that differ in two places.
struct Folder(testkit::Folder);

impl std::ops::Deref for Folder {
    type Target = testkit::Folder;

    fn deref(&self) -> &testkit::Folder {
        &self.0
    }
}

impl Folder {
    fn new() -> Self {
        let folder = Self(testkit::Folder::default());
        let old = stamped(1, 0, 1 << 20);
        let new = [&old[..200_000], &stamped(2, 0, 3000), &old[203_000..700_000], &vec![0; 100_000], &old[800_000..]];
        folder.write("old.img", &old);
        folder.write("new.img", &new.concat());
        folder
    }

    /// One with an image of which no pipe and no queue can hold the stream.
    fn large() -> Self {
        let folder = Self(testkit::Folder::default());
        folder.write("large.img", &stamped(1, 0, 32 << 20));
        folder
    }

    fn lvdiff(&self, line: &str) -> Tool {
        self.tool("lvdiff", line)
    }
}

const SCAN: &str = "--scan new.img old.img";

//! `lvpatch` as a user runs it, in image mode, on streams of the real `lvdiff`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod documented;
mod identity;
mod interrupted;
mod refused;
mod sessions;

use testkit::{Finished, Tool, stamped};

testkit::contract!(
    "lvpatch",
    missing: [[], ["--base"], ["--base", "old.img"], ["--base-id", "x", "--output", "x.img"]],
    unreadable: ["--input", "missing.hl", "--output", "x.img"]
);

/// A folder with two images: the newer one is larger, and has new data, zeros, and most of the older one.
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
        let old = stamped(1, 0, 600 * 512);
        let new = [&old[..100_000], &stamped(2, 0, 3000), &old[103_000..150_000], &vec![0; 100_000], &old[250_000..]];
        folder.write("old.img", &old);
        folder.write("new.img", &[&new.concat()[..], &stamped(3, 600, 100 * 512)].concat());
        folder
    }

    fn lvpatch(&self, line: &str) -> Tool {
        self.tool("lvpatch", line)
    }

    /// What `lvdiff` writes.
    fn stream(&self, line: &str) -> Vec<u8> {
        self.tool("lvdiff", line).run().done().stdout
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

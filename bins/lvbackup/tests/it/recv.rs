//! `lvbackup recv` into images.

mod chain;
mod interrupted;
mod refused;

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;
use testkit::{Tool, stamped};

/// A folder with four states of an image, `0.img` to `3.img`, a full layer of the first, `0.hl`, and a delta of each
/// later one, `1.hl` to `3.hl`. The image shrinks and grows again.
struct Folder(TempDir);

const STATES: usize = 4;

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        let first = stamped(1, 0, 8000 * 512);
        let small = [&first[..1_000_448], &stamped(2, 0, 1_000_448), &vec![0; 400_384]].concat();
        let grown = [&small[..], &vec![0; 300 * 512], &stamped(3, 0, 4000 * 512)].concat();
        let last = [&grown[..300 * 512], &stamped(4, 0, 1000 * 512), &grown[1300 * 512..]].concat();
        for (number, state) in [first, small, grown, last].into_iter().enumerate() {
            folder.write(&format!("{number}.img"), &state);
            let line = match number {
                0 => "--full ./0.img --chunk-size 64k -o 0.hl".to_owned(),
                _ => format!("--scan {number}.img {}.img -d 3 --chunk-size 64k -o {number}.hl", number - 1),
            };
            let _ = Tool::new("lvdiff", folder.0.path()).args(line.split_whitespace()).run().done();
        }
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

    /// All layers from `first` on, one behind the other.
    fn chain(&self, first: usize) -> Vec<u8> {
        (first..STATES).flat_map(|number| self.read(&format!("{number}.hl"))).collect()
    }

    fn recv(&self, line: &str) -> Tool {
        Tool::new("lvbackup", self.0.path()).args(std::iter::once("recv").chain(line.split_whitespace()))
    }

    /// What is there of the target, its partial file and ledger included.
    fn of_target(&self) -> Vec<String> {
        let names = fs::read_dir(self.0.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.filter(|name| name.contains("got.img")).collect();
        names.sort();
        names
    }

    /// The result is the last state, and nothing else is left.
    #[track_caller]
    fn is_received(&self) {
        assert_eq!(self.of_target(), ["got.img"]);
        assert!(self.read("got.img") == self.read("3.img"));
    }
}

const TO: &str = "--to-file got.img";

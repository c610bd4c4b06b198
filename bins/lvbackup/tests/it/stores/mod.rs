//! Stores in a folder, filled with what the real `lvdiff` made of images.

mod check;
mod export;
mod kill;
mod list;
mod marks;
mod merge;
mod network;
mod prune;
mod s3;
mod secrets;
mod unlock;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, SystemTime};

use age::secrecy::ExposeSecret;
use extents::Bytes;
use hyperlayer::{Event, Reader};
use serde_json::Value;
use store::{Draft, Encoding, Holder, Location, Options, ReadBack, Series, Store};
use testkit::{Finished, Folder, stamped};

/// What the volume is called.
const SERIES: &str = "vg0/data";

/// A store in the folder `store`, and beside it the images `N.img` whose layers it holds.
pub(crate) struct Filled {
    pub(crate) folder: Folder,
    store: Store,
}

/// 2026-10-01 03:00 UTC and so many days.
fn day(number: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_823_600 + number * 86_400)
}

impl Filled {
    /// An empty one.
    fn empty() -> Self {
        let folder = Folder::default();
        let _ = folder.tool("lvbackup", "init store").run().says(0, &["store"]);
        let store = open(&folder.path("store"));
        Self { folder, store }
    }

    /// A chain of `count` daily layers `day-0`, `day-1` ... of an image that grows and shrinks, gets data and zeros.
    pub(crate) fn days(count: u64) -> Self {
        let filled = Self::empty();
        for number in 0..count {
            filled.write_image(number);
            filled.add(number, number.checked_sub(1), &Encoding { zstd_level: Some(1), ..Encoding::default() });
        }
        filled
    }

    fn write_image(&self, number: u64) {
        let seed = u32::try_from(number).unwrap();
        let mut image = match number.checked_sub(1) {
            None => stamped(1, 0, 512 * 1024),
            Some(before) => self.folder.read(&format!("{before}.img")),
        };
        match number % 4 {
            1 => image.resize(image.len() + 96 * 1024, 0),
            2 => image[100_000..150_000].fill(0),
            3 => image.truncate(image.len() - 64 * 1024),
            _ => {}
        }
        let at = 70_000 * (usize::try_from(number).unwrap() % 5);
        image[at..at + 9000].copy_from_slice(&stamped(seed + 2, 0, 9000));
        self.folder.write(&format!("{number}.img"), &image);
    }

    /// Adds the layer `day-NUMBER` of `NUMBER.img`, on that of another day or in full.
    fn add(&self, number: u64, on: Option<u64>, encoding: &Encoding) {
        self.add_at(number, on, encoding, number);
    }

    /// The same, by a clock that says another day.
    fn add_at(&self, number: u64, on: Option<u64>, encoding: &Encoding, created: u64) {
        let line = match on {
            None => format!("--full ./{number}.img --layer-id day-{number} -o {number}.hl"),
            Some(on) => {
                format!("--scan {number}.img {on}.img --layer-id day-{number} --parent-id day-{on} -d 3 -o {number}.hl")
            }
        };
        let _ = self.folder.tool("lvdiff", &line).run().done();
        self.put(SERIES, &self.folder.read(&format!("{number}.hl")), day(created), encoding);
    }

    fn put(&self, series: &str, stream: &[u8], created: SystemTime, encoding: &Encoding) {
        let mut reader = Reader::new(stream);
        let header = match reader.next_event().unwrap() {
            Some(Event::Header(header)) => *header,
            other => panic!("{other:?}"),
        };
        let layer = header.layer.unwrap();
        let lock = self.store.lock_shared().unwrap();
        let len = Bytes::from(stream.len());
        let mut writer = self.store.begin(&lock, &Series::new(series).unwrap(), &layer, encoding, len).unwrap();
        writer.write_all(stream).unwrap();
        let (size, chunk) = (header.volume_size.unwrap(), header.chunk_size.unwrap());
        let draft = Draft::full(created, size, chunk, header.totals.unwrap());
        writer.finish(Draft { parent: header.parent, ..draft }, ReadBack::Length).unwrap();
    }

    /// Runs `lvbackup`, which must end with `code` and say `says`.
    #[track_caller]
    pub(crate) fn run(&self, line: &str, code: i32, says: &[&str]) -> Finished {
        self.folder.tool("lvbackup", line).run().says(code, says)
    }

    /// The layers that `lvbackup list` shows, without their `day-`.
    #[track_caller]
    fn layers(&self) -> Vec<String> {
        let said = self.run("list store --json", 0, &[]);
        json_lines(&said).iter().map(|layer| text(&layer["layer"]).trim_start_matches("day-").to_owned()).collect()
    }

    /// Asserts that the layer gives the image of its day.
    #[track_caller]
    pub(crate) fn gives(&self, number: &str, more: &str) {
        let _ = self.run(&format!("restore store --layer day-{number} --to-file got.img {more}"), 0, &[]);
        assert!(self.folder.read("got.img") == self.folder.read(&format!("{number}.img")), "day {number}");
        fs::remove_file(self.folder.path("got.img")).unwrap();
    }

    /// The one file of a layer under one of the store's folders.
    pub(crate) fn file(&self, under: &str, layer: &str) -> std::path::PathBuf {
        let folder = self.folder.path("store").join(under).join("vg0=2Fdata");
        let starts = |path: &std::path::PathBuf| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            name.starts_with(&format!("{layer}."))
        };
        let found = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).filter(starts);
        let found: Vec<_> = found.collect();
        assert_eq!(found.len(), 1, "{layer} under {under}: {found:?}");
        found[0].clone()
    }
}

/// A recipient, and the name of the file with the key.
fn age_key(folder: &Folder) -> (String, &'static str) {
    let identity = age::x25519::Identity::generate();
    folder.write("key.txt", format!("# a key\n{}\n", identity.to_string().expose_secret()).as_bytes());
    (identity.to_public().to_string(), "key.txt")
}

fn open(path: &Path) -> Store {
    let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap().trim().to_owned();
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap().trim().to_owned();
    let pid_namespace = fs::read_link("/proc/self/ns/pid").unwrap().to_str().unwrap().to_owned();
    let holder = Holder { host, boot_id, pid_namespace, pid: std::process::id(), command: "a test".into() };
    Store::open(&Location::folder(path), &Options::new(holder, SystemTime::now, |_| true)).unwrap()
}

/// Copies a folder and what is in it.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// Changes a byte in the middle of a file.
fn alter(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
}

use crate::images::json_lines;

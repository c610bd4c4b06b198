//! Whether a volume was written to since it was opened.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;

use rustix::fs::{major, minor};

/// What a later look is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Watch {
    /// A regular file: each write changes its time.
    File { len_bytes: u64, modified: (i64, i64) },
    /// A block device: the kernel counts what is written.
    Device(Writes),
}

/// What the kernel says of the writes to a block device, by whatever path they come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Writes {
    /// Sectors written, sectors discarded, and the writes under way. A device that is open keeps its counts. Requests do not
    /// count: a flush, which the umount of a read-only file system sends too, is one that writes nothing.
    Counted([u64; 3]),
    /// The kernel does not count, and refuses writes.
    ReadOnly,
    /// The kernel does not count.
    Uncounted,
}

impl Watch {
    /// `read` reads something of the device itself, past the page cache.
    ///
    /// # Errors
    /// What the system said, or `read`.
    pub(crate) fn of(file: &File, read: impl FnOnce() -> io::Result<()>) -> io::Result<Self> {
        let found: Metadata = file.metadata()?;
        if found.is_file() {
            return Ok(Self::File { len_bytes: found.len(), modified: (found.mtime(), found.mtime_nsec()) });
        }
        Writes::of(found.rdev(), read).map(Self::Device)
    }
}

/// The counts of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Counts {
    /// Sectors read: the kernel counts them before it reports a read as done, and requests after it.
    reads: u64,
    writes: [u64; 3],
}

impl Writes {
    /// Whether the kernel counts, `queue/iostats` does not say: the device mapper of Linux 6.1 counts although it is 0. So
    /// `read` must be counted.
    fn of(device: u64, read: impl FnOnce() -> io::Result<()>) -> io::Result<Self> {
        let folder = format!("/sys/dev/block/{}:{}", major(device), minor(device));
        let file = |name: &str| std::fs::read_to_string(format!("{folder}/{name}")).unwrap_or_default();
        let counts = || Counts::parse(&file("stat"), &file("inflight"));
        let before = counts();
        read()?;
        Ok(match (before, counts()) {
            (Some(before), Some(after)) if before.reads != after.reads => Self::Counted(after.writes),
            _ if file("ro").trim() == "1" => Self::ReadOnly,
            _ => Self::Uncounted,
        })
    }
}

impl Counts {
    /// From the files `stat` and `inflight` (Documentation/block/stat.rst of the kernel).
    fn parse(stat: &str, in_flight: &str) -> Option<Self> {
        let stat: Vec<u64> = numbers(stat)?;
        let in_flight: Vec<u64> = numbers(in_flight)?;
        let writes = [*stat.get(6)?, *stat.get(13)?, *in_flight.get(1)?];
        Some(Self { reads: *stat.get(2)?, writes })
    }
}

fn numbers(text: &str) -> Option<Vec<u64>> {
    text.split_whitespace().map(|number| number.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_and_discards_count_and_reads_do_not() {
        let before = "  100 2 3000 4  50 6 7000 8 9 10 11  12 13 14000 15 16 17";
        let counts = |stat: &str, in_flight: &str| Counts::parse(stat, in_flight).map(|counts| counts.writes);
        let found = counts(before, "  0   0").unwrap();
        assert_eq!(found, [7000, 14_000, 0]);
        assert_eq!(counts("  900 2 9000 4  50 6 7000 8 9 10 11  12 13 14000 15 16 17", " 5 0"), Some(found), "reads");
        assert_eq!(counts("  100 2 3000 4  51 6 7000 8 9 10 11  12 13 14000 15 16 17", "0 0"), Some(found), "a flush");
        for (stat, in_flight) in [
            ("  100 2 3000 4  51 6 7008 8 9 10 11  12 13 14000 15 16 17", "0 0"),
            ("  100 2 3000 4  50 6 7000 8 9 10 11  13 13 14128 15 16 17", "0 0"),
            (before, "0 1"),
        ] {
            assert_ne!(counts(stat, in_flight), Some(found), "{stat}; {in_flight}");
        }
        for (stat, in_flight) in [("", "0 0"), (before, ""), ("1 2 3", "0 0"), ("a b", "0 0")] {
            assert_eq!(counts(stat, in_flight), None);
        }
    }
}

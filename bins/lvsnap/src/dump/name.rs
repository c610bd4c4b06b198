//! What dumps are called: `VG-LV-dump-daily-2026-11-21_03-00-00.fsa`, as in the original.

use jiff::civil::{DateTime, Weekday};
use lvm_cmd::{ARCHIVE_EXTENSION, LvRef};
use retention::Class;

const TIME: &str = "%Y-%m-%d_%H-%M-%S";
/// What is not whole yet begins so. Its extension must stay: fsarchiver puts its own behind any other.
const UNFINISHED: &str = ".unfinished-";
const CLASSES: [Class; 2] = [Class::Weekly, Class::Daily];

/// A dump of a volume.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct DumpName {
    /// When it was made, by the clock on the wall. First, so that the greater one is the later one.
    pub(crate) at: DateTime,
    /// Whether it is a weekly one.
    is_weekly: bool,
}

impl DumpName {
    /// That of a dump made at this moment: a weekly one on a Sunday, a daily one on any other day.
    pub(crate) fn new(at: DateTime) -> Self {
        let at = at.date().at(at.hour(), at.minute(), at.second(), 0);
        Self { at, is_weekly: at.weekday() == Weekday::Sunday }
    }

    /// Its class, which its name says: that of another day, where somebody renamed it or a midnight came in between.
    pub(crate) fn class(self) -> Class {
        if self.is_weekly { Class::Weekly } else { Class::Daily }
    }

    /// The file's name.
    pub(crate) fn file(self, volume: &LvRef) -> String {
        format!("{}{}-{}.{ARCHIVE_EXTENSION}", prefix(volume), self.class(), self.at.strftime(TIME))
    }

    /// The file's name before it is whole.
    pub(crate) fn unfinished(self, volume: &LvRef) -> String {
        format!("{UNFINISHED}{}", self.file(volume))
    }

    /// What a file's name says; `None` where it is no dump's, or that of a volume which is called otherwise.
    pub(crate) fn parse(file: &str, volume: &LvRef) -> Option<Self> {
        let rest = file.strip_prefix(&prefix(volume))?;
        CLASSES.into_iter().find_map(|class| {
            let time = rest.strip_prefix(&format!("{class}-"))?.strip_suffix(&format!(".{ARCHIVE_EXTENSION}"))?;
            let name = Self { at: DateTime::strptime(TIME, time).ok()?, is_weekly: class == Class::Weekly };
            // Nothing else counts than what would be written.
            (name.file(volume) == file).then_some(name)
        })
    }

    /// The same for a name before the dump is whole.
    pub(crate) fn parse_unfinished(file: &str, volume: &LvRef) -> Option<Self> {
        Self::parse(file.strip_prefix(UNFINISHED)?, volume)
    }
}

fn prefix(volume: &LvRef) -> String {
    format!("{}-{}-dump-", volume.vg(), volume.lv())
}

/// The folder in which they lie.
pub(crate) fn folder(volume: &LvRef) -> String {
    format!("{}-{}-dumps", volume.vg(), volume.lv())
}

/// Whether another volume's dumps would be called the same: `a-b/c` and `a/b-c`.
pub(crate) fn is_ambiguous(volume: &LvRef) -> bool {
    volume.vg().as_str().contains('-') || volume.lv().as_str().contains('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_original() {
        let volume: LvRef = "vg0/root".parse().unwrap();
        for (at, file) in [
            ("2026-11-21T03:00:09.5", "vg0-root-dump-daily-2026-11-21_03-00-09.fsa"),
            ("2026-11-22T23:59:59", "vg0-root-dump-weekly-2026-11-22_23-59-59.fsa"),
        ] {
            let name = DumpName::new(at.parse().unwrap());
            assert_eq!(name.file(&volume), file);
            assert_eq!(DumpName::parse(file, &volume), Some(name));
            assert_eq!(DumpName::parse_unfinished(&name.unfinished(&volume), &volume), Some(name));
            assert_eq!(DumpName::parse(&name.unfinished(&volume), &volume), None);
        }
        // The class is what the name says, whatever day that was.
        let named = DumpName::parse("vg0-root-dump-weekly-2026-11-21_03-00-09.fsa", &volume).unwrap();
        assert_eq!(named.class(), Class::Weekly);
    }

    #[test]
    fn what_is_called_otherwise_is_no_dump() {
        let volume: LvRef = "vg0/root".parse().unwrap();
        for file in [
            "vg0-root-dump-daily-2026-11-21_03-00-09.fsa.gz",
            "vg0-root-dump-daily-2026-11-21_3-00-09.fsa",
            "vg0-root-dump-daily-2026-02-30_03-00-09.fsa",
            "vg0-root-dump-monthly-2026-11-21_03-00-09.fsa",
            "vg0-root2-dump-daily-2026-11-21_03-00-09.fsa",
            "xvg0-root-dump-daily-2026-11-21_03-00-09.fsa",
            "vg0-root-dump-daily-2026-11-21_03-00-09.fsa ",
            "",
        ] {
            assert_eq!(DumpName::parse(file, &volume), None, "{file}");
        }
        assert!(is_ambiguous(&"a-b/c".parse().unwrap()) && is_ambiguous(&"a/b-c".parse().unwrap()));
        assert!(!is_ambiguous(&volume));
    }
}

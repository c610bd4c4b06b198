//! Which dumps go, and why.

use cli::{Exit, Failure, OrFail, Outcome};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use retention::{Item, Merging, Policy, Rule, UnixSeconds, Zone, decide};

use super::folder::Folder;
use super::name::DumpName;

/// How many dumps stay.
#[derive(clap::Args, Clone, Copy, Debug)]
pub(crate) struct Maxima {
    /// How many daily dumps stay; with 0 none but the one just made
    #[arg(long, value_name = "N", requires = "weekly_max")]
    pub(crate) daily_max: Option<usize>,

    /// How many weekly dumps stay, those of a Sunday; with 0 none but the one just made
    #[arg(long, value_name = "N", requires = "daily_max")]
    pub(crate) weekly_max: Option<usize>,
}

impl Maxima {
    /// Both; `None` where everything stays.
    pub(crate) fn both(self) -> Option<(usize, usize)> {
        self.daily_max.zip(self.weekly_max)
    }
}

/// What becomes of one dump.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Decided {
    pub(crate) dump: DumpName,
    pub(crate) stays: bool,
    /// Why.
    pub(crate) reasons: String,
}

/// Decides about dumps as of `now`, by the clock on the wall that their names are of. The one that was just made stays.
///
/// # Errors
/// Two have the same name, which no folder has.
pub(crate) fn plan(
    dumps: &[DumpName],
    just_made: Option<DumpName>,
    maxima: Maxima,
    now: DateTime,
) -> Outcome<Vec<Decided>> {
    let rules = maxima.both().map(|(daily_max, weekly_max)| Rule::OriginalByTag { daily_max, weekly_max });
    // A name says no zone: what it says is compared as it stands, and a day is the one that it says.
    let policy = Policy { rules: rules.into_iter().collect(), zone: Zone::UTC, merging: Merging::Forbidden };
    let item = |dump: &DumpName| -> Outcome<_> {
        let tags = vec![dump.class().to_string()];
        Ok(Item { tags, held: just_made == Some(*dump), ..Item::new(*dump, seconds(dump.at)?) })
    };
    let items = dumps.iter().map(item).collect::<Outcome<Vec<_>>>()?;
    let decided = decide(&items, &policy, seconds(now)?);
    let decided = decided.map_err(|_| Failure::msg(Exit::Failed, "two dumps have the same name"))?;
    let decided = decided.into_iter().map(|decision| {
        let reasons: Vec<_> = decision.reasons.iter().map(reason).collect();
        Decided { dump: decision.id, stays: decision.verdict.stays(), reasons: reasons.join(", ") }
    });
    Ok(decided.collect())
}

fn reason(reason: &retention::Reason<DumpName>) -> String {
    use retention::Reason;
    match reason {
        Reason::Held => "just made".to_owned(),
        Reason::NoRules => "no maximum is given".to_owned(),
        Reason::Newest => "newest".to_owned(),
        Reason::Future => "taken in the future".to_owned(),
        Reason::Original { class, nth, of } => format!("{class} {nth} of at most {of}"),
        Reason::BeyondMaximum(class, of) => format!("beyond {class} maximum {of}"),
        other => format!("{other:?}"),
    }
}

/// The clock on the wall as if there were no zones.
fn seconds(wall: DateTime) -> Outcome<UnixSeconds> {
    let moment = wall.to_zoned(TimeZone::UTC).or_fail(Exit::Failed)?.timestamp().as_second();
    UnixSeconds::new(moment).ok_or_else(|| Failure::msg(Exit::Failed, format!("{wall} is beyond all time")))
}

/// Removes what goes, the oldest first; gives what is gone.
///
/// # Errors
/// [`Exit::Unfinished`] where one cannot be removed: those that were to go after it stay as well.
pub(crate) fn carry_out(folder: &Folder, decided: &[Decided], maxima: Maxima) -> Outcome<Vec<DumpName>> {
    let going = decided.iter().filter(|decided| !decided.stays).map(|decided| decided.dump);
    let removed = going.map(|dump| folder.remove(dump).map(|()| dump)).collect::<Outcome<Vec<_>>>();
    removed.map_err(|cause| {
        let left = "not all dumps that were to go are gone";
        cause.leaving(left).hint(format!("remove the rest: {}", folder.prune_command(maxima)))
    })
}

#[cfg(test)]
mod tests {
    use super::super::folder::Owner;
    use super::*;
    use jiff::ToSpan;
    use retention::Class;
    use std::collections::BTreeSet;

    fn maxima(daily: usize, weekly: usize) -> Maxima {
        Maxima { daily_max: Some(daily), weekly_max: Some(weekly) }
    }

    /// Over real files, with a clock that is set: what stays is what somebody counts by hand on the calendar.
    #[test]
    fn sixty_days() {
        let dest = tempfile::tempdir().unwrap();
        let volume: lvm_cmd::LvRef = "vg0/root".parse().unwrap();
        let folder = Folder::open(dest.path(), &volume, &Owner::here(&volume), false).unwrap();
        // A Monday; clocks are set back on 2026-10-25.
        let first: DateTime = "2026-09-28T03:00:00".parse().unwrap();
        let mut made: Vec<DumpName> = Vec::new();
        for day in 0..60 {
            let now = first.checked_add(day.days()).unwrap();
            let dump = DumpName::new(now);
            std::fs::write(folder.file(dump), "dump").unwrap();
            made.push(dump);
            let decided = plan(&folder.dumps().unwrap(), Some(dump), maxima(5, 3), now).unwrap();
            carry_out(&folder, &decided, maxima(5, 3)).unwrap();
            let newest = |class: Class, max: usize| -> Vec<DumpName> {
                made.iter().rev().filter(|dump| dump.class() == class).take(max).copied().collect()
            };
            let expected: BTreeSet<_> =
                [newest(Class::Daily, 5), newest(Class::Weekly, 3)].concat().into_iter().collect();
            assert_eq!(folder.dumps().unwrap().into_iter().collect::<BTreeSet<_>>(), expected, "{now}");
        }
        let left: Vec<_> = folder.dumps().unwrap().iter().map(|dump| dump.file(&volume)).collect();
        let expected = [
            "vg0-root-dump-weekly-2026-11-08_03-00-00.fsa",
            "vg0-root-dump-weekly-2026-11-15_03-00-00.fsa",
            "vg0-root-dump-daily-2026-11-21_03-00-00.fsa",
            "vg0-root-dump-weekly-2026-11-22_03-00-00.fsa",
            "vg0-root-dump-daily-2026-11-23_03-00-00.fsa",
            "vg0-root-dump-daily-2026-11-24_03-00-00.fsa",
            "vg0-root-dump-daily-2026-11-25_03-00-00.fsa",
            "vg0-root-dump-daily-2026-11-26_03-00-00.fsa",
        ];
        assert_eq!(left, expected);
    }

    fn named(text: &str) -> DumpName {
        DumpName::parse(&format!("a-b-dump-{text}.fsa"), &"a/b".parse().unwrap()).unwrap()
    }

    #[test]
    fn what_stays() {
        let dumps = ["weekly-2026-11-15_03-00-00", "daily-2026-11-19_03-00-00", "daily-2026-11-20_03-00-00"].map(named);
        let now: DateTime = "2026-11-20T03:01:00".parse().unwrap();
        let left = |just_made, maxima, now| -> Vec<usize> {
            let decided = plan(&dumps, just_made, maxima, now).unwrap();
            (0..dumps.len()).filter(|n| decided[*n].stays).collect()
        };
        // The one just made stays, whatever the maximum, and is counted.
        assert_eq!(left(Some(dumps[2]), maxima(0, 0), now), [2]);
        assert_eq!(left(Some(dumps[2]), maxima(1, 1), now), [0, 2]);
        assert_eq!(left(Some(dumps[2]), maxima(0, 7), now), [0, 2]);
        // Also where the clock was set back, so that others are of the future: they stay and do not count.
        assert_eq!(left(Some(dumps[1]), maxima(0, 0), "2026-11-19T03:00:00".parse().unwrap()), [1, 2]);
        // Also where it is not the newest.
        assert_eq!(left(Some(dumps[1]), maxima(0, 0), now), [1, 2]);
        // Nothing was just made: the newest stays.
        assert_eq!(left(None, maxima(0, 0), now), [2]);
        // Without maxima nothing goes.
        assert_eq!(left(Some(dumps[2]), Maxima { daily_max: None, weekly_max: None }, now), [0, 1, 2]);
    }

    #[test]
    fn the_class_is_that_of_the_name() {
        // A Saturday's dump that somebody called weekly, and a Sunday's that a midnight made a daily one.
        let dumps = ["weekly-2026-11-21_03-00-00", "daily-2026-11-22_00-00-01", "daily-2026-11-23_00-00-01"].map(named);
        let decided = plan(&dumps, None, maxima(1, 1), "2026-11-24T00:00:00".parse().unwrap()).unwrap();
        assert_eq!(decided.iter().map(|decided| decided.stays).collect::<Vec<_>>(), [true, false, true]);
        assert_eq!(decided[1].reasons, "beyond daily maximum 1");
    }
}

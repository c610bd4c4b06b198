//! More than a year of hourly backups, pruned every day: what is left must be what the rules promise of all that ever
//! was.
//!
//! The promise is computed here a second time, with the two zones' changes of 2026 as a table and nothing of `jiff`.

use std::collections::BTreeSet;

use retention::{Item, Merging, Per, Policy, Rule, UnixSeconds};

use crate::{carry_out, count, policy};

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;
/// 2025-12-15 00:00 UTC, a Monday: the end of that year lies in a week of 2026.
const START: i64 = 1_765_756_800;
const DAYS: i64 = 400;

/// A zone's year: hours ahead of UTC in winter, and from when to when it is one more.
struct Wall {
    name: &'static str,
    winter_hours: i64,
    summer: std::ops::Range<i64>,
}

const WALLS: [Wall; 2] = [
    // 2026-03-29 01:00 UTC to 2026-10-25 01:00 UTC.
    Wall { name: "Europe/Berlin", winter_hours: 1, summer: 1_774_746_000..1_792_890_000 },
    // 2026-03-08 07:00 UTC to 2026-11-01 06:00 UTC.
    Wall { name: "America/New_York", winter_hours: -5, summer: 1_772_953_200..1_793_512_800 },
];

impl Wall {
    fn shown(&self, at: i64) -> i64 {
        at + (self.winter_hours + i64::from(self.summer.contains(&at))) * HOUR
    }

    /// A number for the bucket that a moment lies in, the same within and greater after.
    fn bucket(&self, per: Per, at: i64) -> i64 {
        let day = self.shown(at).div_euclid(DAY);
        match per {
            // Both zones are whole hours off, so that their hours are those of UTC.
            Per::Hour => at.div_euclid(HOUR),
            Per::Day => day,
            // Day 0 was a Thursday.
            Per::Week => (day + 3).div_euclid(7),
            Per::Month => year_and_month(day).0 * 12 + year_and_month(day).1,
            Per::Year => year_and_month(day).0,
        }
    }
}

/// Of the day so many days after 1970-01-01, from 2025 to 2027.
fn year_and_month(day: i64) -> (i64, i64) {
    const NEW_YEAR_2025: i64 = 20_089;
    let (year, mut left) = ((day - NEW_YEAR_2025) / 365, (day - NEW_YEAR_2025) % 365);
    let mut month = 1;
    for days in [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30] {
        if left < days {
            break;
        }
        left -= days;
        month += 1;
    }
    (2025 + year, month)
}

/// The newest of each of the `of` most recent buckets.
fn newest_of_each(wall: &Wall, per: Per, of: usize, all: &[i64]) -> BTreeSet<i64> {
    let mut last = None;
    let first_seen = |at: &i64| {
        let bucket = Some(wall.bucket(per, *at));
        std::mem::replace(&mut last, bucket) != bucket
    };
    all.iter().rev().copied().filter(first_seen).take(of).collect()
}

/// Makes an item every hour, carries the policy out every day at an hour that moves, and hands what is left, and all
/// that ever was, to `check`.
fn live(policy: &Policy, mut check: impl FnMut(&[Item<i64>], &[i64])) {
    let (mut left, mut all) = (Vec::new(), Vec::new());
    for hour in 0..DAYS * 24 {
        let at = START + hour * HOUR + 11 * 60;
        let parent = (policy.merging == Merging::Allowed).then(|| all.last().copied()).flatten();
        left.push(Item { parent, ..Item::new(at, UnixSeconds::new(at).unwrap()) });
        all.push(at);
        if hour % 25 == 0 {
            left = carry_out(&left, policy, UnixSeconds::new(at + 60).unwrap());
            check(&left, &all);
        }
    }
}

fn ids(items: &[Item<i64>]) -> BTreeSet<i64> {
    items.iter().map(|item| item.id).collect()
}

const PROMISED: [(Per, usize); 5] = [(Per::Hour, 30), (Per::Day, 9), (Per::Week, 6), (Per::Month, 5), (Per::Year, 2)];

fn promised(wall: &Wall, all: &[i64]) -> BTreeSet<i64> {
    PROMISED.iter().flat_map(|(per, of)| newest_of_each(wall, *per, *of, all)).collect()
}

#[test]
fn a_year_of_prunes_leaves_what_one_prune_would() {
    for wall in &WALLS {
        let rules = PROMISED.map(|(per, of)| Rule::Calendar(per, count(of)));
        live(&policy(wall.name, &rules), |left, all| assert_eq!(ids(left), promised(wall, all), "{}", wall.name));
    }
}

#[test]
fn each_rule_for_itself_keeps_its_promise() {
    for wall in &WALLS {
        for (per, of) in PROMISED {
            let policy = policy(wall.name, &[Rule::Calendar(per, count(of))]);
            live(&policy, |left, all| assert_eq!(ids(left), newest_of_each(wall, per, of, all), "{} {per}", wall.name));
        }
    }
}

#[test]
fn where_layers_are_merged_the_chain_never_breaks() {
    let wall = &WALLS[0];
    let rules = PROMISED.map(|(per, of)| Rule::Calendar(per, count(of)));
    let merging = Policy { merging: Merging::Allowed, ..policy(wall.name, &rules) };
    live(&merging, |left, all| {
        assert_eq!(ids(left), promised(wall, all));
        let expected = left.iter().scan(None, |before, item| before.replace(item.id).into());
        assert_eq!(left.iter().map(|item| item.parent).collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    });
}

#[test]
fn hours_pass_by_the_clock_that_changes_and_days_by_the_calendar() {
    for wall in &WALLS {
        live(&policy(wall.name, &[Rule::Within("30h".parse().unwrap())]), |left, all| {
            assert_eq!(left.len(), all.len().min(30));
        });
        live(&policy(wall.name, &[Rule::Within("7d".parse().unwrap())]), |left, all| {
            // The first moment that clocks showed what they show now, or more, on that weekday.
            let newest = *all.last().unwrap();
            let mut hours = (newest - 8 * DAY..).step_by(3600);
            let limit = hours.find(|at| wall.shown(*at) >= wall.shown(newest) - 7 * DAY).unwrap();
            let expected = all.iter().filter(|at| **at > limit).copied().collect();
            assert_eq!(ids(left), expected, "{}", wall.name);
        });
    }
}

#[test]
fn the_original_rule_counts_sundays_and_other_days() {
    for wall in &WALLS {
        live(&policy(wall.name, &[Rule::Original { daily_max: 40, weekly_max: 50 }]), |left, all| {
            let sunday = |at: &&i64| (wall.bucket(Per::Day, **at) + 4) % 7 == 0;
            let weekly = all.iter().rev().filter(sunday).take(50);
            let daily = all.iter().rev().filter(|at| !sunday(at)).take(40);
            let expected = weekly.chain(daily).copied().collect();
            assert_eq!(ids(left), expected, "{}", wall.name);
        });
    }
}

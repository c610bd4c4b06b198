//! Times: by the clock on a wall, on a grid, moved by jitter; and waits.

use std::{collections::BTreeSet, time::Duration};

use daemon::{Backoff, Calendar, Interval, Schedule, Seed, WallTime, Weekday, When};
use jiff::{Timestamp, ToSpan, tz};
use proptest::{collection::btree_set, prelude::*, sample::select};

use crate::{at, every, seconds};

fn calendar(zone: &str, times: &[&str], weekdays: &[Weekday], month_days: &[u8]) -> Calendar {
    let times = times.iter().map(|time| WallTime::parse(time).unwrap()).collect();
    let (weekdays, month_days) = (weekdays.iter().copied().collect(), month_days.iter().copied().collect());
    Calendar::new(zone.parse().unwrap(), times, weekdays, month_days).unwrap()
}

#[track_caller]
fn comes(calendar: &Calendar, after: &str, expected: &[&str]) {
    let schedule = Schedule::new(When::At(calendar.clone()), Duration::ZERO).unwrap();
    let mut moment = at(after);
    for expected in expected {
        let next = schedule.first_after(moment, &Seed::of(&[])).unwrap();
        assert_eq!(next, at(expected), "after {moment}");
        moment = next;
    }
}

#[test]
fn the_clock_on_the_wall() {
    use Weekday::{Fri, Mon, Thu};
    let berlin = "Europe/Berlin";
    comes(&calendar("UTC", &["03:00"], &[], &[]), "2026-11-21T03:00Z", &["2026-11-22T03:00Z", "2026-11-23T03:00Z"]);
    comes(&calendar("UTC", &["03:00"], &[], &[]), "2026-11-21T02:59:59Z", &["2026-11-21T03:00Z"]);
    comes(&calendar("+02:00", &["00:30"], &[], &[]), "2026-11-21T00:00Z", &["2026-11-21T22:30Z"]);
    comes(
        &calendar("UTC", &["15:00", "03:30"], &[Mon, Thu], &[]),
        "2026-11-21T00:00Z", // Saturday
        &["2026-11-23T03:30Z", "2026-11-23T15:00Z", "2026-11-26T03:30Z"],
    );
    comes(
        &calendar("UTC", &["00:00"], &[], &[31]),
        "2026-11-21T00:00Z",
        &["2026-12-31T00:00Z", "2027-01-31T00:00Z", "2027-03-31T00:00Z"],
    );
    comes(&calendar("UTC", &["00:00"], &[Fri], &[13]), "2026-11-21T00:00Z", &["2027-08-13T00:00Z"]);
    comes(&calendar("UTC", &["00:00"], &[Mon], &[29]), "2026-01-01T00:00Z", &["2026-06-29T00:00Z"]);

    // Clocks go forward from 02:00 to 03:00: the time that is not there comes an hour later, once.
    let nightly = calendar(berlin, &["02:30"], &[], &[]);
    comes(&nightly, "2026-03-28T12:00Z", &["2026-03-29T01:30Z", "2026-03-30T00:30Z"]);
    let twice = calendar(berlin, &["02:30", "03:30", "03:00"], &[], &[]);
    comes(&twice, "2026-03-28T12:00Z", &["2026-03-29T01:00Z", "2026-03-29T01:30Z", "2026-03-30T00:30Z"]);
    // Back from 03:00 to 02:00: the first of both.
    comes(&nightly, "2026-10-24T12:00Z", &["2026-10-25T00:30Z", "2026-10-26T01:30Z"]);
    // Samoa had no 2011-12-30.
    let samoa = calendar("Pacific/Apia", &["05:00"], &[], &[]);
    comes(&samoa, "2011-12-29T00:00Z", &["2011-12-29T15:00Z", "2011-12-30T15:00Z", "2011-12-31T15:00Z"]);
    // Where midnight itself is leapt over.
    comes(
        &calendar("America/Asuncion", &["00:00"], &[], &[]),
        "2023-09-30T12:00Z",
        &["2023-10-01T04:00Z", "2023-10-02T03:00Z"],
    );
}

#[test]
fn what_is_no_calendar() {
    let time = || BTreeSet::from([WallTime::parse("03:00").unwrap()]);
    let of = |times, month_days: &[u8]| {
        Calendar::new("UTC".parse().unwrap(), times, BTreeSet::new(), month_days.iter().copied().collect())
    };
    assert!(of(time(), &[1, 31]).is_some());
    assert!(of(BTreeSet::new(), &[]).is_none());
    assert!(of(time(), &[0]).is_none() && of(time(), &[32]).is_none());
    for text in ["24:00", "3:00", "03:60", "03:0", "0300", "", "+3:00", "03:00:00"] {
        assert_eq!(WallTime::parse(text), None, "{text}");
    }
}

#[test]
fn as_systemd_has_it() {
    use Weekday::{Mon, Sun};
    assert_eq!(
        calendar("Europe/Berlin", &["03:00", "15:30"], &[Sun, Mon], &[]).on_calendar(),
        ["Mon,Sun *-*-* 03:00:00 Europe/Berlin", "Mon,Sun *-*-* 15:30:00 Europe/Berlin"]
    );
    assert_eq!(calendar("utc", &["03:00"], &[], &[1, 15]).on_calendar(), ["*-*-1,15 03:00:00 UTC"]);
    assert!(calendar("+02:00", &["03:00"], &[], &[]).on_calendar().is_empty());
}

#[test]
fn intervals_have_a_grid_of_their_own() {
    let first = |job: &str| every(3600).first_after(at("2026-11-21T07:00Z"), &Seed::of(&[job])).unwrap();
    // Recorded: what it is today it is for ever, on each machine.
    assert_eq!(first("home"), at("2026-11-21T07:09:17Z"));
    assert_ne!(first("home"), first("mail"));
    assert_ne!(Seed::of(&["ab", "c"]), Seed::of(&["a", "bc"]));
    // Who starts late, or takes long, does not move it.
    let (start, late) = (first("home"), first("home") + seconds(1800));
    let next = |moment| every(3600).first_after(moment, &Seed::of(&["home"])).unwrap();
    assert_eq!((next(start), next(late)), (start + seconds(3600), start + seconds(3600)));
}

#[test]
fn a_first_run_is_at_once_or_at_its_hour() {
    let seen = at("2026-11-21T07:00Z");
    let seed = Seed::of(&[]);
    assert_eq!(every(3600).first(seen, &seed), Some(seen));
    let nightly = Schedule::new(When::At(calendar("UTC", &["03:00"], &[], &[])), Duration::ZERO).unwrap();
    assert_eq!(nightly.first(seen, &seed), Some(at("2026-11-22T03:00Z")));
}

#[test]
fn what_cannot_be() {
    let interval = |length| Interval::new(length).map(Interval::length);
    assert_eq!(interval(seconds(1)), Some(seconds(1)));
    assert_eq!(interval(Interval::MAX), Some(Interval::MAX));
    assert_eq!([Duration::ZERO, Duration::from_millis(1500), Interval::MAX + seconds(1)].map(interval), [None; 3]);
    let jitter = |jitter| Schedule::new(every(60).when().clone(), seconds(jitter)).is_some();
    assert_eq!([0, 59, 60].map(jitter), [true, true, false]);
    let nightly = When::At(calendar("UTC", &["03:00"], &[], &[]));
    let jitter = |jitter| Schedule::new(nightly.clone(), seconds(jitter)).is_some();
    assert_eq!([86_400, 86_401].map(jitter), [true, false]);
    // The end of time.
    assert_eq!(every(60).first_after(Timestamp::MAX, &Seed::of(&[])), None);
    let year = Schedule::new(nightly, Schedule::MAX_JITTER).unwrap();
    assert_eq!(year.first_after(Timestamp::MAX, &Seed::of(&[])), None);
    assert!(year.first_after(Timestamp::MIN, &Seed::of(&[])).is_some());
}

#[test]
fn waits_double_up_to_a_cap() {
    let backoff = Backoff::new(seconds(60), seconds(1000)).unwrap();
    let waits = [0, 1, 2, 3, 5, 6, 33, u32::MAX].map(|failures| backoff.after(failures).as_secs());
    assert_eq!(waits, [0, 60, 120, 240, 960, 1000, 1000, 1000]);
    assert_eq!(Backoff::new(seconds(2), seconds(1)), None);
    assert_eq!(Backoff::new(Duration::ZERO, seconds(1)), None);
    assert_eq!(Backoff::new(seconds(1), Interval::MAX + seconds(1)), None);
}

const ZONES: [&str; 6] = ["UTC", "Europe/Berlin", "Australia/Lord_Howe", "-12:00", "Pacific/Apia", "America/Asuncion"];

fn schedules() -> impl Strategy<Value = Schedule> {
    let interval = (1u64..100_000, any::<prop::sample::Index>()).prop_map(|(length, jitter)| {
        let when = When::Every(Interval::new(seconds(length)).unwrap());
        Schedule::new(when, seconds(jitter.index(usize::try_from(length.min(86_401)).unwrap()) as u64)).unwrap()
    });
    let time = (0..24, 0..60).prop_map(|(hour, minute)| WallTime::parse(&format!("{hour:02}:{minute:02}")).unwrap());
    let calendar = (
        select(ZONES.to_vec()),
        btree_set(time, 1..5),
        btree_set(select(Weekday::ALL.to_vec()), 0..3),
        btree_set(1u8..=31, 0..3),
        prop_oneof![Just(0), 0u64..=86_400],
    );
    let calendar = calendar.prop_map(|(zone, times, weekdays, month_days, jitter)| {
        let calendar = Calendar::new(zone.parse().unwrap(), times, weekdays, month_days).unwrap();
        Schedule::new(When::At(calendar), seconds(jitter)).unwrap()
    });
    prop_oneof![interval, calendar]
}

/// Some near days on which clocks change.
fn moments() -> impl Strategy<Value = Timestamp> {
    let changes = ["2026-03-29T01:00Z", "2026-10-25T01:00Z", "2011-12-30T10:00Z", "2023-10-01T04:00Z"].map(at).to_vec();
    let near = (select(changes), -200_000i64..200_000).prop_map(|(moment, by)| moment + by.seconds());
    let any = (-2_000_000_000i64..8_000_000_000, 0..1_000_000_000).prop_map(|(s, ns)| Timestamp::new(s, ns).unwrap());
    prop_oneof![near, any]
}

proptest! {
    /// The next time is after the moment, and each moment before it has the same or an earlier one: none is skipped.
    #[test]
    fn times_ascend(schedule in schedules(), moment in moments(), part in 0.0..1.0f64) {
        let seed = Seed::of(&["home"]);
        let next = schedule.first_after(moment, &seed).unwrap();
        prop_assert!(next > moment);
        let between = moment + next.duration_since(moment).mul_f64(part);
        if between < next {
            prop_assert_eq!(schedule.first_after(between, &seed), Some(next));
        }
        prop_assert!(schedule.first_after(next, &seed).unwrap() > next);
    }

    /// Against every minute of some days, asked one by one.
    #[test]
    fn a_calendar_comes_when_the_wall_shows_it(
        zone in select(vec!["UTC", "Europe/Berlin", "America/Asuncion"]),
        hour in 0i8..24, minute in 0i8..60,
        day in 0u64..3000,
    ) {
        let schedule = calendar(zone, &[&format!("{hour:02}:{minute:02}")], &[], &[]);
        let schedule = Schedule::new(When::At(schedule), Duration::ZERO).unwrap();
        let moment = at("2020-01-01T00:00Z") + seconds(day * 86_400);
        let next = schedule.first_after(moment, &Seed::of(&[])).unwrap();
        let zone = tz::TimeZoneDatabase::bundled().get(zone).unwrap();
        let shows = |moment: Timestamp| {
            let wall = moment.to_zoned(zone.clone());
            (wall.hour(), wall.minute()) == (hour, minute)
        };
        let minutes = (1..).map(|minute| moment + seconds(minute * 60));
        let expected = minutes.take(25 * 60).find(|moment| shows(*moment));
        // Not shown on that day: the clock leapt over it.
        match expected {
            Some(expected) if expected == next => {}
            _ => {
                let before = (next - seconds(7200)).to_zoned(zone.clone()).offset();
                prop_assert_ne!(before, next.to_zoned(zone.clone()).offset(), "{} {:?}", next, expected);
            }
        }
    }

    /// However far jitter moves them past each other, two times of day come as each alone does.
    #[test]
    fn no_time_hides_another(zone in select(ZONES.to_vec()), moment in moments(), a in 0u8..24, b in 0u8..24) {
        let seed = Seed::of(&["home"]);
        let texts = [a, b].map(|hour| format!("{hour:02}:45"));
        let first = |times: &[&str]| {
            let when = When::At(calendar(zone, times, &[], &[]));
            Schedule::new(when, Schedule::MAX_JITTER).unwrap().first_after(moment, &seed)
        };
        prop_assert_eq!(first(&[&texts[0], &texts[1]]), first(&[&texts[0]]).min(first(&[&texts[1]])));
    }

    #[test]
    fn waits_do_not_shrink(first in 1u64..1000, more in 0u64..100_000, failures in 0u32..100) {
        let backoff = Backoff::new(seconds(first), seconds(first + more)).unwrap();
        prop_assert!(backoff.after(failures) <= backoff.after(failures + 1));
        prop_assert!(backoff.after(failures) <= seconds(first + more));
    }
}

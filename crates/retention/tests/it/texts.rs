//! Durations, zones and moments as people write them.

use retention::{Per, Period, Rule, UnixSeconds, Zone};

use crate::count;

#[test]
fn durations() {
    for (text, printed) in [
        ("2y5m7d3h", "2y5m7d3h"),
        ("90d", "90d"),
        ("1m", "1m"),
        ("36h", "36h"),
        ("2w", "14d"),
        ("1y0m1w3d", "1y10d"),
        ("0d1h", "1h"),
        ("4294967295y", "4294967295y"),
    ] {
        assert_eq!(text.parse::<Period>().unwrap().to_string(), printed, "{text}");
    }
}

#[test]
fn durations_that_are_none() {
    for (text, position, expected) in [
        ("", 0, "more than no time"),
        ("0d0h", 0, "more than no time"),
        ("d", 0, "a whole number"),
        ("-1d", 0, "a whole number"),
        ("1.5d", 1, "one of the units"),
        ("7", 1, "one of the units"),
        ("1y2", 3, "one of the units"),
        ("1y2s", 3, "one of the units"),
        ("3h7d", 3, "in this order"),
        ("1d1d", 3, "each once"),
        ("1d 2h", 2, "a whole number"),
        ("1d2ä", 3, "one of the units"),
        ("ä", 0, "a whole number"),
        ("4294967296d", 0, "at most 4294967295"),
        ("4294967295w", 10, "at most 4294967295 days"),
        ("1w4294967295d", 12, "at most 4294967295 days"),
    ] {
        let error = text.parse::<Period>().unwrap_err();
        assert_eq!(error.position(), position, "{error}");
        assert!(error.to_string().contains(expected), "{error}");
    }
    let error = "3h7d".parse::<Period>().unwrap_err().to_string();
    assert_eq!(error, "duration `3h7d`: expected one of the units y m w d h, in this order and each once at byte 3");
}

#[test]
fn zones() {
    for text in ["UTC", "Europe/Berlin", "europe/berlin", "America/New_York", "+02:00", "-05:30", "+14"] {
        assert!(text.parse::<Zone>().is_ok(), "{text}");
    }
    assert_eq!("UTC".parse::<Zone>().unwrap(), Zone::UTC);
    assert_ne!("+02:00".parse::<Zone>().unwrap(), Zone::UTC);
    for text in ["", "Europe/Atlantis", "local", "localtime", "Etc/Unknown", "../etc/localtime", "+99:00", "UTC "] {
        let error = text.parse::<Zone>().unwrap_err();
        let expected = format!("expected a time zone such as `Europe/Berlin`, `UTC` or `+02:00`, found `{text}`");
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn moments() {
    assert_eq!(UnixSeconds::new(1_795_219_200).unwrap().to_string(), "2026-11-21T00:00:00Z");
    assert_eq!(UnixSeconds::new(-1).unwrap().to_string(), "1969-12-31T23:59:59Z");
    assert_eq!(UnixSeconds::new(i64::MAX), None);
    assert_eq!(UnixSeconds::new(i64::MIN), None);
}

#[test]
fn rules_on_a_command_line() {
    let period = "2y6m".parse().unwrap();
    let table = [
        ("last=3", Rule::Last(count(3))),
        ("hourly=24", Rule::Calendar(Per::Hour, count(24))),
        ("daily=7", Rule::Calendar(Per::Day, count(7))),
        ("weekly=5", Rule::Calendar(Per::Week, count(5))),
        ("monthly=12", Rule::Calendar(Per::Month, count(12))),
        ("yearly=1", Rule::Calendar(Per::Year, count(1))),
        ("within=2y6m", Rule::Within(period)),
        ("tag=a=b", Rule::Tag("a=b".to_owned())),
        ("original=6:4", Rule::Original { daily_max: 6, weekly_max: 4 }),
        ("original-by-tag=0:1", Rule::OriginalByTag { daily_max: 0, weekly_max: 1 }),
    ];
    for (text, rule) in table {
        assert_eq!(text.parse::<Rule>().as_ref(), Ok(&rule));
        assert_eq!(rule.to_string(), text);
    }
    for (text, why) in [
        ("", "expected NAME=VALUE"),
        ("last", "expected NAME=VALUE"),
        ("last=0", "a whole number from 1"),
        ("last=-1", "a whole number from 1"),
        ("daily=", "a whole number from 1"),
        ("within=", "a period such as"),
        ("within=7x", "a period such as"),
        ("tag=", "a tag after"),
        ("original=6", "two whole numbers"),
        ("Last=3", "one of last"),
        (" last=3", "one of last"),
        ("last=3\u{1b}[2J", "a whole number from 1"),
    ] {
        let error = text.parse::<Rule>().unwrap_err().to_string();
        assert!(error.contains(why) && !error.contains('\u{1b}'), "{text:?}: {error}");
    }
}

//! A table of policies over one list of dates.

use retention::{
    Item, Per,
    Rule::{self, Calendar, Last, Original, Tag, Within},
    decide,
};

use crate::{at, carry_out, count, policy, utc};

/// By the names that the table calls them.
fn items() -> Vec<Item<char>> {
    let mut items = vec![
        Item::new('a', at("2025-12-31T23:00Z")), // Wednesday, 2026-W01
        Item::new('b', at("2026-01-01T10:00Z")), // Thursday, 2026-W01
        Item::new('c', at("2026-01-31T12:00Z")), // Saturday, 2026-W05
        Item::new('d', at("2026-02-01T12:00Z")), // Sunday, 2026-W05
        Item::new('e', at("2026-02-02T08:00Z")), // Monday, 2026-W06
        Item::new('f', at("2026-02-02T20:45Z")), // Monday, a day before h
        Item::new('g', at("2026-02-03T20:15Z")), // Tuesday
        Item::new('h', at("2026-02-03T20:45Z")), // Tuesday
    ];
    items[2].tags = vec!["other".to_owned(), "migration".to_owned()];
    items
}

#[track_caller]
fn check(zone: &str, rules: &[Rule], expected: &str) {
    let left = carry_out(&items(), &policy(zone, rules), at("2026-02-04T00:00Z"));
    assert_eq!(left.iter().map(|item| item.id).collect::<String>(), expected, "{rules:?}");
}

fn within(period: &str) -> Rule {
    Within(period.parse().unwrap())
}

#[test]
fn what_each_rule_keeps() {
    check("UTC", &[], "abcdefgh");
    check("UTC", &[Last(count(1))], "h");
    check("UTC", &[Last(count(3))], "fgh");
    check("UTC", &[Last(count(usize::MAX))], "abcdefgh");
    check("UTC", &[Calendar(Per::Hour, count(2))], "fh");
    check("UTC", &[Calendar(Per::Day, count(3))], "dfh");
    check("UTC", &[Calendar(Per::Week, count(2))], "dh");
    check("UTC", &[Calendar(Per::Week, count(9))], "bdh");
    check("UTC", &[Calendar(Per::Month, count(2))], "ch");
    check("UTC", &[Calendar(Per::Month, count(3))], "ach");
    check("UTC", &[Calendar(Per::Year, count(1))], "h");
    check("UTC", &[Calendar(Per::Year, count(2))], "ah");
    check("UTC", &[Tag("migration".to_owned())], "ch");
    check("UTC", &[Tag("migratio".to_owned())], "h");
    check("UTC", &[Original { daily_max: 2, weekly_max: 0 }], "gh");
    check("UTC", &[Original { daily_max: 3, weekly_max: 5 }], "dfgh");
}

#[test]
fn within_is_counted_from_the_newest_and_does_not_reach_its_end() {
    check("UTC", &[within("1h")], "gh");
    check("UTC", &[within("1d")], "gh");
    check("UTC", &[within("25h")], "fgh");
    check("UTC", &[within("2d")], "efgh");
    check("UTC", &[within("1m")], "cdefgh");
    check("UTC", &[within("12000y")], "abcdefgh");
    check("UTC", &[within("4000000000h")], "abcdefgh");
}

#[test]
fn rules_add_up() {
    check("UTC", &[Last(count(1)), Calendar(Per::Day, count(2)), Calendar(Per::Month, count(2))], "cfh");
    check("UTC", &[Calendar(Per::Day, count(1)), Calendar(Per::Day, count(3))], "dfh");
}

#[test]
fn a_maximum_of_nothing_leaves_the_newest() {
    check("UTC", &[Original { daily_max: 0, weekly_max: 1 }], "dh");
    check("UTC", &[Original { daily_max: 0, weekly_max: 0 }], "h");
}

#[test]
fn a_tag_says_the_class_where_there_is_one() {
    let mut items = items();
    // Monday's is called a weekly one, Sunday's a daily one; both tags say nothing.
    items[4].tags.push("weekly".to_owned());
    items[3].tags.push("daily".to_owned());
    items[7].tags.extend(["weekly".to_owned(), "daily".to_owned()]);
    for (daily_max, weekly_max, expected) in [(2, 1, "egh"), (4, 0, "dfgh"), (0, 5, "eh"), (9, 9, "abcdefgh")] {
        let rules = [Rule::OriginalByTag { daily_max, weekly_max }];
        let left = carry_out(&items, &policy("UTC", &rules), at("2026-02-04T00:00Z"));
        let left: String = left.iter().map(|item| item.id).collect();
        assert_eq!(left, expected, "{rules:?}");
    }
}

#[test]
fn days_are_those_of_the_zone() {
    // Fourteen hours ahead: h and g are on the 4th, f on the 3rd, e and d on the 2nd, and c, not d, on a Sunday.
    for zone in ["Pacific/Kiritimati", "+14:00"] {
        check(zone, &[Calendar(Per::Day, count(3))], "efh");
        check(zone, &[Original { daily_max: 0, weekly_max: 1 }], "ch");
    }
    // Half an hour off, an hour of the wall ends where g and h are apart.
    check("Asia/Kolkata", &[Calendar(Per::Hour, count(2))], "gh");
}

#[test]
fn an_hour_that_is_shown_twice_is_two() {
    let items = [Item::new("summer", at("2026-10-25T00:30Z")), Item::new("winter", at("2026-10-25T01:30Z"))];
    let lines = |zone| -> Vec<String> {
        let policy = policy(zone, &[Calendar(Per::Hour, count(2))]);
        decide(&items, &policy, at("2026-10-25T02:00Z")).unwrap().iter().map(ToString::to_string).collect()
    };
    let expected = [
        "keep summer: hourly 2 of 2 (2026-10-25 02:00+02)",
        "keep winter: newest, hourly 1 of 2 (2026-10-25 02:00+01)",
    ];
    assert_eq!(lines("Europe/Berlin"), expected);
}

#[test]
fn a_day_that_is_shown_twice_is_one() {
    // Until 2011 clocks in St. John's went from 00:01 back to 23:01 of the day before: 02:31 UTC, on 2010-11-07.
    let items = [
        Item::new("saturday", at("2010-11-07T02:29Z")),
        Item::new("sunday, for a minute", at("2010-11-07T02:30:30Z")),
        Item::new("saturday again", at("2010-11-07T02:40Z")),
        Item::new("sunday", at("2010-11-07T12:00Z")),
    ];
    let policy = policy("America/St_Johns", &[Calendar(Per::Day, count(2))]);
    let left = carry_out(&items, &policy, at("2010-11-08T00:00Z"));
    assert_eq!(left.iter().map(|item| item.id).collect::<Vec<_>>(), ["saturday again", "sunday"]);
}

#[test]
fn every_reason_is_said() {
    let mut items = items();
    items[0].held = true;
    items[1].parent = Some('a');
    items.push(Item::new('z', at("2026-02-05T00:00Z")));
    let rules = [
        Last(count(2)),
        Calendar(Per::Week, count(2)),
        within("2d"),
        Tag("migration".to_owned()),
        Original { daily_max: 3, weekly_max: 0 },
    ];
    let lines = decide(&items, &utc(&rules), at("2026-02-04T00:00Z")).unwrap();
    let expected = [
        "keep a: held",
        "drop b: beyond last 2, beyond weekly 2, not within 2d of the newest, beyond daily maximum 3",
        "keep c: tag migration",
        "keep d: weekly 2 of 2 (2026-W05)",
        "keep e: within 2d of the newest",
        "keep f: within 2d of the newest, daily 3 of at most 3",
        "keep g: last 2 of 2, within 2d of the newest, daily 2 of at most 3",
        "keep h: newest, last 1 of 2, weekly 1 of 2 (2026-W06), within 2d of the newest, daily 1 of at most 3",
        "keep z: taken in the future",
    ];
    assert_eq!(lines.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);

    let line = |rule: Rule| decide(&items, &utc(&[rule]), at("2026-02-04T00:00Z")).unwrap()[3].to_string();
    assert_eq!(line(Original { daily_max: 0, weekly_max: 0 }), "drop d: beyond weekly maximum 0");
    assert_eq!(line(Tag("migration".to_owned())), "drop d: no rule keeps it");
    let line = |rules: &[Rule]| decide(&items, &utc(rules), at("2026-02-04T00:00Z")).unwrap()[6].to_string();
    assert_eq!(line(&[Calendar(Per::Day, count(2))]), "drop g: not the newest of 2026-02-03");
    assert_eq!(line(&[Calendar(Per::Month, count(2))]), "drop g: not the newest of 2026-02");
    assert_eq!(line(&[Calendar(Per::Year, count(2))]), "drop g: not the newest of 2026");
    assert_eq!(line(&[]), "keep g: the policy has no rules");
}

#[test]
fn what_a_wrong_clock_dated_is_kept_and_counts_for_nothing() {
    let all = |now| carry_out(&items(), &utc(&[Last(count(2)), within("1h")]), at(now));
    let ids = |now| all(now).iter().map(|item| item.id).collect::<String>();
    assert_eq!(ids("2026-02-02T20:45Z"), "efgh");
    assert_eq!(ids("2026-02-02T20:44Z"), "defgh");
    assert_eq!(ids("1970-01-01T00:00Z"), "abcdefgh");
    // A clock far ahead makes nothing older than the newest.
    assert_eq!(ids("2099-01-01T00:00Z"), "gh");
}

/// A command line says the zone that a configuration has.
#[test]
fn a_zone_is_written_as_it_is_parsed() {
    for (text, written) in
        [("europe/berlin", "Europe/Berlin"), ("UTC", "UTC"), ("+02:00", "+02"), ("-03:30", "-03:30"), ("+14:00", "+14")]
    {
        let zone: retention::Zone = text.parse().unwrap();
        assert_eq!(zone.to_string(), written);
        assert_eq!(written.parse::<retention::Zone>().unwrap(), zone, "{text}");
    }
}

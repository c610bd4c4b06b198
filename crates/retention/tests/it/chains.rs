//! Items that need others.

use retention::{Item, Merging, Rule, UnixSeconds, decide};

use crate::{at, count, utc};

/// `a` in full, and each other on the one that `parents` names at its place.
fn chain(parents: &[Option<char>]) -> Vec<Item<char>> {
    let start = at("2026-11-01T00:00Z").get();
    let item = |(id, (parent, day)): (char, (&Option<char>, i64))| {
        let taken = UnixSeconds::new(start + day * 86400).unwrap();
        Item { parent: *parent, ..Item::new(id, taken) }
    };
    ('a'..='z').zip(parents.iter().zip(0..)).map(item).collect()
}

#[track_caller]
fn check(items: &[Item<char>], keep_last: usize, merging: Merging, expected: &[&str]) {
    let mut policy = utc(&[Rule::Last(count(keep_last))]);
    policy.merging = merging;
    let decisions = decide(items, &policy, at("2026-12-01T00:00Z")).unwrap();
    assert_eq!(decisions.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
}

const LINE: [Option<char>; 4] = [None, Some('a'), Some('b'), Some('c')];

#[test]
fn what_a_staying_one_needs_stays() {
    let expected = ["keep a: parent of b", "keep b: parent of c", "keep c: parent of d", "keep d: newest, last 1 of 1"];
    check(&chain(&LINE), 1, Merging::Forbidden, &expected);
    // b and c are on a branch that ends; d needs a only.
    let expected =
        ["keep a: parent of d", "drop b: beyond last 1", "drop c: beyond last 1", "keep d: newest, last 1 of 1"];
    check(&chain(&[None, Some('a'), Some('b'), Some('a')]), 1, Merging::Forbidden, &expected);
}

#[test]
fn or_is_merged_into_it() {
    let expected = [
        "merge a into b: beyond last 1",
        "merge b into c: beyond last 1",
        "merge c into d: beyond last 1",
        "rewrite d in full: newest, last 1 of 1",
    ];
    check(&chain(&LINE), 1, Merging::Allowed, &expected);
    let expected = [
        "merge a into b, d: beyond last 2",
        "merge b into c: beyond last 2",
        "rewrite c in full: last 2 of 2",
        "rewrite d in full: newest, last 1 of 2",
    ];
    check(&chain(&[None, Some('a'), Some('b'), Some('a')]), 2, Merging::Allowed, &expected);
}

#[test]
fn merging_ends_at_one_that_stays() {
    let mut items = chain(&LINE);
    items[1].held = true;
    let expected = [
        "merge a into b: beyond last 1",
        "rewrite b in full: held",
        "merge c into d: beyond last 1",
        "rewrite d onto b: newest, last 1 of 1",
    ];
    check(&items, 1, Merging::Allowed, &expected);
}

#[test]
fn what_nobody_needs_is_not_merged() {
    let expected = [
        "merge a into d: beyond last 1",
        "drop b: beyond last 1",
        "drop c: beyond last 1",
        "rewrite d in full: newest, last 1 of 1",
    ];
    check(&chain(&[None, Some('a'), Some('b'), Some('a')]), 1, Merging::Allowed, &expected);
}

#[test]
fn a_parent_that_is_not_there_is_not_waited_for() {
    for merging in [Merging::Forbidden, Merging::Allowed] {
        let expected = ["drop a: beyond last 1", "keep b: newest, last 1 of 1"];
        check(&chain(&[None, Some('q')]), 1, merging, &expected);
    }
}

#[test]
fn what_an_item_of_the_future_needs_stays() {
    let mut items = chain(&[None, Some('a'), None]);
    items[1].taken = at("2027-01-01T00:00Z");
    let expected = ["keep a: parent of b", "keep b: taken in the future", "keep c: newest, last 1 of 1"];
    check(&items, 1, Merging::Forbidden, &expected);
}

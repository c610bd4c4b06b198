//! Lists that somebody made up.

use std::time::{Duration, Instant};

use retention::{Error, Item, Merging, Per, Policy, Rule, UnixSeconds, decide};

use crate::{count, policy};

const MANY: usize = 100_000;

fn list(parent: impl Fn(usize) -> Option<usize>) -> Vec<Item<usize>> {
    let taken = |id: usize| UnixSeconds::new(i64::try_from(id).unwrap() * 1000).unwrap();
    (0..MANY).map(|id| Item { parent: parent(id), ..Item::new(id, taken(id)) }).collect()
}

fn refused(items: &[Item<usize>]) -> Error<usize> {
    decide(items, &policy("UTC", &[]), UnixSeconds::new(0).unwrap()).unwrap_err()
}

/// With steps for each pair of items this takes minutes, not a second.
fn decide_soon(items: &[Item<usize>], policy: &Policy) -> usize {
    let start = Instant::now();
    let decisions = decide(items, policy, UnixSeconds::new(1_000_000_000).unwrap()).unwrap();
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    decisions.iter().filter(|decision| decision.verdict.stays()).count()
}

#[test]
fn circles_are_refused() {
    assert_eq!(refused(&list(Some)[..1]), Error::Circular { id: 0 });
    assert!(matches!(refused(&list(|id| Some((id + 1) % MANY))), Error::Circular { .. }));
    // Tails that lead into a circle, from before it and from after it: the error names one of the circle.
    let error = refused(&list(|id| Some(if id == 1 { 3 } else { id.abs_diff(1) })));
    assert!(matches!(error, Error::Circular { id: 1..=3 }), "{error}");
    assert_eq!(
        refused(&list(Some)[..1]).to_string(),
        "expected parents that lead to an item without one, found that those of `0` lead back to it"
    );
}

#[test]
fn the_same_id_twice_is_refused() {
    let mut items = list(|_| None);
    items[MANY - 1].id = 7;
    assert_eq!(refused(&items), Error::Repeated { id: 7 });
    assert_eq!(refused(&items).to_string(), "expected each item once, found `7` again");
}

#[test]
fn many_items_take_no_time() {
    let mut policy = policy("Europe/Berlin", &[Per::Hour, Per::Year].map(|per| Rule::Calendar(per, count(2))));
    policy.rules.push(Rule::Within("1d".parse().unwrap()));
    for merging in [Merging::Forbidden, Merging::Allowed] {
        policy.merging = merging;
        let expected = |all, few| if merging == Merging::Forbidden { all } else { few };
        let few = decide_soon(&list(|_| None), &policy);
        assert!((80..120).contains(&few), "{few}");
        // In one line, backwards and forwards, all on one, and each on its half.
        assert_eq!(decide_soon(&list(|id| id.checked_sub(1)), &policy), expected(MANY, few));
        let backwards = decide_soon(&list(|id| Some(id + 1).filter(|id| *id < MANY)), &policy);
        assert!(backwards == few || (merging == Merging::Forbidden && backwards > few), "{backwards}");
        assert_eq!(decide_soon(&list(|id| (id > 0).then_some(0)), &policy), expected(few + 1, few));
        assert!(decide_soon(&list(|id| (id > 0).then_some(id / 2)), &policy) >= few);
        // Half of them in a line, and each of the other half, all of which stay, on its end.
        let mut comb = list(|id| if id <= MANY / 2 { id.checked_sub(1) } else { Some(MANY / 2) });
        comb.iter_mut().skip(MANY / 2 + 1).for_each(|item| item.held = true);
        assert!(decide_soon(&comb, &policy) < expected(MANY + 1, MANY / 2));
    }
}

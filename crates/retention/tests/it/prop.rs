//! What holds of any list and any policy.

use std::collections::BTreeSet;

use proptest::{collection::vec, option::weighted, prelude::*, sample::select};
use retention::{Decision, Item, Merging, Per, Period, Policy, Rule, UnixSeconds, Verdict, decide};

use crate::{carry_out, count};

const NOW: i64 = 1_795_219_200;

fn moments() -> impl Strategy<Value = UnixSeconds> {
    let near = |hours: i64| (-hours..hours / 10).prop_map(|hour| NOW + hour * 3600);
    prop_oneof![
        4 => near(100),
        4 => near(20_000),
        2 => NOW - 10_000_000..NOW + 1000,
        1 => -377_705_023_201..=253_402_207_200_i64,
        1 => select(vec![-377_705_023_201, 253_402_207_200, NOW, NOW + 1]),
    ]
    .prop_map(|seconds| UnixSeconds::new(seconds).unwrap())
}

/// The last of them may need any before it, and so on; their order is then mixed.
fn items() -> impl Strategy<Value = Vec<Item<usize>>> {
    let tags = vec(select(["x", "y", "daily", "weekly"].map(str::to_owned).to_vec()), 0..2);
    let item = (moments(), tags, prop::bool::weighted(0.1), weighted(0.6, any::<prop::sample::Index>()));
    let chained = vec(item, 0..40).prop_map(|items| {
        let item = |(id, (taken, tags, held, parent)): (usize, (_, _, _, Option<prop::sample::Index>))| {
            // One too many: a parent that is not in the list.
            let parent = parent.map(|index| index.index(id + 1)).map(|parent| if parent == id { 1000 } else { parent });
            Item { id, taken, tags, held, parent }
        };
        items.into_iter().enumerate().map(item).collect::<Vec<_>>()
    });
    chained.prop_shuffle()
}

fn rules() -> impl Strategy<Value = Rule> {
    let per = select(vec![Per::Hour, Per::Day, Per::Week, Per::Month, Per::Year]);
    let periods = select(vec!["1h", "36h", "7d", "1m", "1y2m3d4h", "12000y", "4000000000m", "4000000000d"]);
    prop_oneof![
        (1usize..10).prop_map(|number| Rule::Last(count(number))),
        (per, 1usize..10).prop_map(|(per, number)| Rule::Calendar(per, count(number))),
        periods.prop_map(|period| Rule::Within(period.parse::<Period>().unwrap())),
        select(vec!["x", "y", "z"]).prop_map(|tag| Rule::Tag(tag.to_owned())),
        (0usize..6, 0usize..6).prop_map(|(daily_max, weekly_max)| Rule::Original { daily_max, weekly_max }),
        (0usize..6, 0usize..6).prop_map(|(daily_max, weekly_max)| Rule::OriginalByTag { daily_max, weekly_max }),
    ]
}

fn policies(least_rules: usize) -> impl Strategy<Value = Policy> {
    let zones = vec!["UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "-12:00", "Pacific/Apia"];
    let merging = select(vec![Merging::Forbidden, Merging::Allowed]);
    (vec(rules(), least_rules..4), select(zones), merging).prop_map(|(rules, zone, merging)| Policy {
        rules,
        zone: zone.parse().unwrap(),
        merging,
    })
}

fn now() -> UnixSeconds {
    UnixSeconds::new(NOW).unwrap()
}

fn staying(items: &[Item<usize>], policy: &Policy) -> BTreeSet<usize> {
    carry_out(items, policy, now()).into_iter().map(|item| item.id).collect()
}

proptest! {
    #[test]
    fn another_rule_removes_nothing(items in items(), policy in policies(1), rule in rules()) {
        let mut more = policy.clone();
        more.rules.push(rule);
        prop_assert!(staying(&items, &policy).is_subset(&staying(&items, &more)));
    }

    #[test]
    fn a_policy_keeps_what_its_rules_keep_one_by_one(items in items(), policy in policies(1)) {
        let alone = |rule: &Rule| staying(&items, &Policy { rules: vec![rule.clone()], ..policy.clone() });
        let union = policy.rules.iter().flat_map(alone).collect();
        prop_assert_eq!(staying(&items, &policy), union);
    }

    #[test]
    fn twice_is_once(items in items(), policy in policies(0)) {
        let left = carry_out(&items, &policy, now());
        prop_assert_eq!(carry_out(&left, &policy, now()), left);
    }

    #[test]
    fn the_order_of_the_items_does_not_matter(
        (items, mixed) in items().prop_flat_map(|items| (Just(items.clone()), Just(items).prop_shuffle())),
        policy in policies(0),
    ) {
        let verdicts = |items: &[_]| -> Vec<_> {
            let mut decisions: Vec<Decision<usize>> = decide(items, &policy, now()).unwrap();
            decisions.sort_by_key(|decision| decision.id);
            decisions.into_iter().map(|Decision { id, verdict, .. }| match verdict {
                Verdict::Merge { mut into } => {
                    into.sort_unstable();
                    (id, Verdict::Merge { into })
                }
                other => (id, other),
            }).collect()
        };
        prop_assert_eq!(verdicts(&items), verdicts(&mixed));
    }

    #[test]
    fn what_must_stay_stays(items in items(), policy in policies(0)) {
        let staying = staying(&items, &policy);
        let newest = items.iter().filter(|item| item.taken <= now()).max_by_key(|item| (item.taken, item.id));
        prop_assert!(newest.is_none_or(|newest| staying.contains(&newest.id)));
        for item in items.iter().filter(|item| item.held || item.taken > now() || policy.rules.is_empty()) {
            prop_assert!(staying.contains(&item.id), "{:?}", item);
        }
    }

    /// Whatever the verdicts, all that stays can be restored: its parent, after rewriting, is there, or never was.
    #[test]
    fn nothing_that_stays_lacks_its_parent(items in items(), policy in policies(0)) {
        let left = carry_out(&items, &policy, now());
        for item in left.iter().filter(|item| item.parent.is_some_and(|parent| parent < 1000)) {
            prop_assert!(left.iter().any(|other| Some(other.id) == item.parent), "{:?}", item);
        }
    }

    /// What is merged, and only that, is what lies between a staying item and its new parent.
    #[test]
    fn merging_is_complete(items in items(), policy in policies(0)) {
        let find = |id: usize| items.iter().find(|item| item.id == id);
        let (mut merged, mut announced) = (BTreeSet::new(), BTreeSet::new());
        for decision in decide(&items, &policy, now()).unwrap() {
            prop_assert!(!decision.reasons.is_empty());
            match decision.verdict {
                Verdict::Rewrite { onto } => {
                    prop_assert_eq!(policy.merging, Merging::Allowed);
                    let mut parent = find(decision.id).unwrap().parent.filter(|parent| find(*parent).is_some());
                    prop_assert_ne!(parent, onto, "nothing to rewrite");
                    while parent != onto {
                        merged.insert(parent.unwrap());
                        parent = find(parent.unwrap()).unwrap().parent.filter(|parent| find(*parent).is_some());
                    }
                }
                Verdict::Merge { into } => {
                    prop_assert!(!into.is_empty());
                    prop_assert!(into.iter().all(|child| find(*child).unwrap().parent == Some(decision.id)));
                    announced.insert(decision.id);
                }
                _ => {}
            }
        }
        prop_assert_eq!(merged, announced);
    }
}

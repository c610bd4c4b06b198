//! Tests of the public interface.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod chains;
mod hostile;
mod prop;
mod table;
mod texts;
mod year;

use std::{fmt::Debug, num::NonZeroUsize};

use retention::{Decision, Item, Merging, Policy, Rule, UnixSeconds, Verdict, Zone, decide};

/// A moment, written as `2026-02-03T20:15Z`.
fn at(text: &str) -> UnixSeconds {
    let moment: jiff::Timestamp = text.parse().unwrap();
    UnixSeconds::new(moment.as_second()).unwrap()
}

fn count(number: usize) -> NonZeroUsize {
    NonZeroUsize::new(number).unwrap()
}

fn policy(zone: &str, rules: &[Rule]) -> Policy {
    Policy { rules: rules.to_vec(), zone: zone.parse().unwrap(), merging: Merging::Forbidden }
}

fn utc(rules: &[Rule]) -> Policy {
    Policy { rules: rules.to_vec(), zone: Zone::UTC, merging: Merging::Forbidden }
}

/// What is left when the decisions are carried out: what goes is gone, what is rewritten has its new parent.
fn carry_out<Id: Clone + Ord + Debug>(items: &[Item<Id>], policy: &Policy, now: UnixSeconds) -> Vec<Item<Id>> {
    let decided = items.iter().zip(decide(items, policy, now).unwrap());
    let left = |(item, decision): (&Item<Id>, Decision<Id>)| {
        assert_eq!(item.id, decision.id);
        let mut item = item.clone();
        if let Verdict::Rewrite { onto } = &decision.verdict {
            item.parent.clone_from(onto);
        }
        decision.verdict.stays().then_some(item)
    };
    decided.filter_map(left).collect()
}

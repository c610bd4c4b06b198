//! The decision.

use std::{cmp::Reverse, fmt};

use crate::{
    Error, Item, Merging, Policy, Reason, UnixSeconds,
    chain::Chains,
    rules::{Counted, Word, words},
};

/// What becomes of one item, and why. Its text is a line for people: `keep a: newest, daily 1 of 7 (2026-11-20)`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Decision<Id> {
    /// Of which item.
    pub id: Id,
    /// What becomes of it.
    pub verdict: Verdict<Id>,
    /// Why: for one that stays all that keeps it, for one that goes what each rule has against it. Never empty.
    pub reasons: Vec<Reason<Id>>,
}

/// What becomes of one item.
///
/// Carried out in this order, a run that dies between two steps leaves nothing that cannot be restored: write the
/// rewritten ones, then remove what goes, each after all that have it as their parent.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Verdict<Id> {
    /// It stays as it is.
    Keep,
    /// It stays, but its parent is merged: it has to be written anew, to hold also what it gets from the ancestors that
    /// go. Only with [`Merging::Allowed`].
    Rewrite {
        /// Its nearest ancestor that stays, on which it then lies; `None` where it then needs no other.
        onto: Option<Id>,
    },
    /// It goes. Nothing that stays needs it.
    Drop,
    /// It goes, after all that need it have been written anew. Only with [`Merging::Allowed`].
    Merge {
        /// Those of its children that stay or are themselves merged. Never empty.
        into: Vec<Id>,
    },
}

impl<Id> Verdict<Id> {
    /// Whether the item is still there when all is done.
    #[must_use]
    pub const fn stays(&self) -> bool {
        matches!(self, Self::Keep | Self::Rewrite { .. })
    }
}

/// Decides about each of `items`, in their order, by `policy`, as of `now`.
///
/// # Errors
/// Two items have the same id, or one is its own ancestor.
pub fn decide<Id: Clone + Ord>(
    items: &[Item<Id>],
    policy: &Policy,
    now: UnixSeconds,
) -> Result<Vec<Decision<Id>>, Error<Id>> {
    let chains = Chains::of(items)?;
    let mut opinions = opinions(items, policy, now);
    let mut stays: Vec<bool> = opinions.iter().map(|opinion| !opinion.keep.is_empty()).collect();
    let mut merged = chains.needed_by(&stays);
    if policy.merging == Merging::Forbidden {
        stays.iter_mut().zip(&mut merged).for_each(|(stays, needed)| *stays |= std::mem::take(needed));
    }

    let mut into = vec![Vec::new(); items.len()];
    for (child, item) in items.iter().enumerate().filter(|(child, _)| stays[*child] || merged[*child]) {
        let Some(parent) = chains.parent(child) else { continue };
        if merged[parent] {
            into[parent].push(item.id.clone());
        } else if policy.merging == Merging::Forbidden {
            opinions[parent].keep.push(Reason::ParentOf(item.id.clone()));
        }
    }

    let nearest = chains.nearest(&stays);
    let id = |place: usize| items[place].id.clone();
    let mut decisions = Vec::with_capacity(items.len());
    for (place, (opinion, into)) in opinions.into_iter().zip(into).enumerate() {
        let onto_merged = chains.parent(place).is_some_and(|parent| merged[parent]);
        let verdict = match (stays[place], merged[place]) {
            (true, _) if onto_merged => Verdict::Rewrite { onto: nearest[place].map(id) },
            (true, _) => Verdict::Keep,
            (false, true) => Verdict::Merge { into },
            (false, false) => Verdict::Drop,
        };
        let reasons = if stays[place] { opinion.keep } else { opinion.lose };
        decisions.push(Decision { id: id(place), verdict, reasons });
    }
    Ok(decisions)
}

/// What speaks for and against an item, its descendants aside.
struct Opinion<Id> {
    keep: Vec<Reason<Id>>,
    lose: Vec<Reason<Id>>,
}

fn opinions<Id: Ord>(items: &[Item<Id>], policy: &Policy, now: UnixSeconds) -> Vec<Opinion<Id>> {
    let without_rules = policy.rules.is_empty();
    let first = |item: &Item<Id>| {
        let facts = [(item.held, Reason::Held), (item.taken > now, Reason::Future), (without_rules, Reason::NoRules)];
        let keep = facts.into_iter().filter_map(|(holds, reason)| holds.then_some(reason)).collect();
        Opinion { keep, lose: Vec::new() }
    };
    let mut opinions: Vec<Opinion<Id>> = items.iter().map(first).collect();

    let counted = items.iter().enumerate().filter(|(_, item)| item.taken <= now);
    let mut counted: Vec<_> = counted.map(|(index, item)| Counted::new(index, item, &policy.zone)).collect();
    // The id settles what the time does not, so that the caller's order never does.
    counted.sort_by_key(|counted| Reverse((counted.item.taken, &counted.item.id)));
    if let Some(newest) = counted.first() {
        opinions[newest.index].keep.insert(0, Reason::Newest);
    }
    for rule in &policy.rules {
        for (counted, word) in counted.iter().zip(words(rule, policy, &counted)) {
            match word {
                Word::Keep(reason) => opinions[counted.index].keep.push(reason),
                Word::Lose(reason) => opinions[counted.index].lose.push(reason),
                Word::Nothing => {}
            }
        }
    }
    for opinion in &mut opinions {
        if opinion.lose.is_empty() {
            opinion.lose.push(Reason::NoRuleKeeps);
        }
    }
    opinions
}

impl<Id: fmt::Display> fmt::Display for Decision<Id> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = &self.id;
        match &self.verdict {
            Verdict::Keep => write!(f, "keep {id}: "),
            Verdict::Rewrite { onto: Some(onto) } => write!(f, "rewrite {id} onto {onto}: "),
            Verdict::Rewrite { onto: None } => write!(f, "rewrite {id} in full: "),
            Verdict::Drop => write!(f, "drop {id}: "),
            Verdict::Merge { into } => {
                write!(f, "merge {id} into ")?;
                list(f, into)?;
                f.write_str(": ")
            }
        }?;
        list(f, &self.reasons)
    }
}

fn list<T: fmt::Display>(f: &mut fmt::Formatter<'_>, all: &[T]) -> fmt::Result {
    all.iter().enumerate().try_for_each(|(place, one)| write!(f, "{}{one}", if place == 0 { "" } else { ", " }))
}

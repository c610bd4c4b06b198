//! What one rule says of each item.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Weekday;

use crate::{Bucket, Class, Item, Per, Policy, Reason, Rule, Zone, time::Local};

/// An item that rules count, that is, one that was not taken in the future.
pub(crate) struct Counted<'a, Id> {
    pub(crate) item: &'a Item<Id>,
    /// Its place in the caller's list.
    pub(crate) index: usize,
    local: Local,
}

impl<'a, Id> Counted<'a, Id> {
    pub(crate) fn new(index: usize, item: &'a Item<Id>, zone: &Zone) -> Self {
        Self { item, index, local: zone.local(item.taken) }
    }
}

/// A rule's word on one item.
pub(crate) enum Word<Id> {
    Keep(Reason<Id>),
    Lose(Reason<Id>),
    Nothing,
}

impl<Id> Word<Id> {
    fn of(keeps: bool, keep: Reason<Id>, lose: Reason<Id>) -> Self {
        if keeps { Self::Keep(keep) } else { Self::Lose(lose) }
    }
}

/// What `rule` says of each of the items, which come newest first.
pub(crate) fn words<Id>(rule: &Rule, policy: &Policy, items: &[Counted<'_, Id>]) -> Vec<Word<Id>> {
    match rule {
        Rule::Last(count) => {
            let of = count.get();
            (1..)
                .zip(items)
                .map(|(nth, _)| Word::of(nth <= of, Reason::Last { nth, of }, Reason::BeyondLast(of)))
                .collect()
        }
        Rule::Calendar(per, count) => calendar(*per, count.get(), items),
        Rule::Within(period) => {
            // None: further back than there are moments, so that everything lies within.
            let limit = items.first().and_then(|newest| period.before(newest.item.taken, &policy.zone));
            let within = |taken| limit.is_none_or(|limit| taken > limit);
            let word = |taken| Word::of(within(taken), Reason::Within(*period), Reason::NotWithin(*period));
            items.iter().map(|counted| word(counted.item.taken)).collect()
        }
        Rule::Tag(tag) => {
            let word = |has| if has { Word::Keep(Reason::Tag(tag.clone())) } else { Word::Nothing };
            items.iter().map(|counted| word(counted.item.tags.contains(tag))).collect()
        }
        Rule::Original { daily_max, weekly_max } => original(*daily_max, *weekly_max, items, by_day),
        Rule::OriginalByTag { daily_max, weekly_max } => original(*daily_max, *weekly_max, items, by_tag),
    }
}

fn calendar<Id>(per: Per, of: usize, items: &[Counted<'_, Id>]) -> Vec<Word<Id>> {
    let buckets: Vec<_> = items.iter().map(|counted| Bucket::of(per, &counted.local)).collect();
    // Not simply by where the bucket changes from item to item: clocks set back over midnight show a day twice.
    let mut places: BTreeMap<Bucket, usize> = buckets.iter().map(|bucket| (*bucket, 0)).collect();
    (1..).zip(places.values_mut().rev()).for_each(|(nth, place)| *place = nth);
    let mut seen = BTreeSet::new();
    let word = |bucket: Bucket| {
        let nth = places[&bucket];
        if nth > of {
            return Word::Lose(Reason::BeyondCalendar(per, of));
        }
        Word::of(seen.insert(bucket), Reason::Calendar { per, bucket, nth, of }, Reason::NotNewestOf(bucket))
    };
    buckets.into_iter().map(word).collect()
}

fn by_day<Id>(counted: &Counted<'_, Id>) -> Class {
    if counted.local.wall.weekday() == Weekday::Sunday { Class::Weekly } else { Class::Daily }
}

fn by_tag<Id>(counted: &Counted<'_, Id>) -> Class {
    let is = |class: Class| counted.item.tags.contains(&class.to_string());
    match (is(Class::Weekly), is(Class::Daily)) {
        (true, false) => Class::Weekly,
        (false, true) => Class::Daily,
        _ => by_day(counted),
    }
}

fn original<Id>(
    daily_max: usize,
    weekly_max: usize,
    items: &[Counted<'_, Id>],
    class: fn(&Counted<'_, Id>) -> Class,
) -> Vec<Word<Id>> {
    let (mut daily, mut weekly) = (0, 0);
    let word = |counted: &Counted<'_, Id>| {
        let class = class(counted);
        let (count, of) = match class {
            Class::Weekly => (&mut weekly, weekly_max),
            Class::Daily => (&mut daily, daily_max),
        };
        *count += 1;
        let nth = *count;
        Word::of(nth <= of, Reason::Original { class, nth, of }, Reason::BeyondMaximum(class, of))
    };
    items.iter().map(word).collect()
}

//! `keep`: what stays.

use std::num::NonZeroUsize;

use lvm_cmd::Tag;
use retention::{Merging, Per, Period, Policy, Rule, Zone};

use super::reader::Field;

/// A session takes so many rules of one side, less those that are no tags.
const MAX_TAGS: usize = 20;
/// And so many bytes of each: 256, less those of `tag=`.
const MAX_TAG_BYTES: usize = 252;

/// The rules of one side.
pub(super) fn rules(field: &Field<'_>) -> Option<Vec<Rule>> {
    let mut table = field.table("rules such as `{ last = 3, daily = 7 }`")?;
    let count = |field: &Field<'_>| {
        let number = field.number("a whole number from 1 to 1000000", 1..1_000_001)?;
        NonZeroUsize::new(usize::try_from(number).ok()?)
    };
    let mut rules: Vec<Rule> = table.read("last", count).map(Rule::Last).into_iter().collect();
    let calendar = [
        ("hourly", Per::Hour),
        ("daily", Per::Day),
        ("weekly", Per::Week),
        ("monthly", Per::Month),
        ("yearly", Per::Year),
    ];
    for (key, per) in calendar {
        rules.extend(table.read(key, count).map(|count| Rule::Calendar(per, count)));
    }
    let period = |field: &Field<'_>| {
        field.text("a duration such as `90d` or `1y6m` (m is a month here)", |text| text.parse::<Period>().ok())
    };
    rules.extend(table.read("within", period).map(Rule::Within));
    let tags = table.read("tags", |field| {
        field.list("a list of at most 20 tags", MAX_TAGS, |item| {
            item.text("a tag as LVM has them, of at most 252 bytes", |text| {
                text.parse::<Tag>().ok().filter(|_| text.len() <= MAX_TAG_BYTES).map(|tag| tag.to_string())
            })
        })
    });
    rules.extend(tags.unwrap_or_default().into_iter().map(Rule::Tag));
    if table.is_empty() {
        table.fault(format!("`{}`: expected at least one rule, found none", table.path));
    }
    table.done();
    Some(rules)
}

/// Without rules the newest one stays, as with `lvbackup sync`: a policy without any would fill the pool.
///
/// Snapshots of thin volumes do not need each other: nothing is to be merged.
pub(super) fn policy(rules: Option<Vec<Rule>>, zone: &Zone) -> Policy {
    let rules = rules.unwrap_or_else(|| vec![Rule::Last(NonZeroUsize::MIN)]);
    Policy { rules, zone: zone.clone(), merging: Merging::Forbidden }
}

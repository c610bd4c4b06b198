//! Which layers a full pool can lose.

use std::collections::BTreeMap;

use lvm_cmd::{Lv, LvRef, Tag};

use super::members::{holds_a_layer, is, newest};
use super::tags;

/// What becomes of a layer that no rule keeps. The only rule for `prune` and for a pool that is too full.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Disposal {
    /// This tool made the layer: it can be removed.
    Remove,
    /// The user made the snapshot that the layer is: only the pair's tags are removed.
    GiveBack,
}

impl Disposal {
    pub(super) fn of(layer: &Lv) -> Self {
        if tags::is_adopted(layer) { Self::GiveBack } else { Self::Remove }
    }
}

/// The layers of `pool` that a full pool can lose, the oldest first, each with its pair's tag. `group` are all volumes of the
/// pool's group.
///
/// A layer stays if a pair holds it, if the pair's copy was made of it, if a session is just giving it its name, if it is the newest of its pair at the source or
/// at the destination, if it belongs to two pairs, or if the user made it. The pool's transactions say which layer is older, since a clock may have been set.
#[must_use]
pub fn removable<'g>(group: &'g [Lv], pool: &LvRef) -> Vec<(&'g Lv, &'g Tag)> {
    let mut pairs: BTreeMap<(&str, bool), Vec<(&Lv, &Tag)>> = BTreeMap::new();
    let in_pool = |lv: &&Lv| lv.pool_ref().as_ref() == Some(pool) && holds_a_layer(lv);
    for layer in group.iter().filter(in_pool) {
        for tag in tags::pairs(layer) {
            pairs.entry((tag.as_str(), tags::is_source(layer))).or_default().push((layer, tag));
        }
    }
    let copies: Vec<_> = group.iter().filter_map(|lv| Some((lv, tags::live_of(lv)?.0))).collect();
    let is_copied = |layer: &Lv, pair: &Tag| copies.iter().any(|(copy, id)| copy.has_tag(pair) && is(layer, id));
    let mut found = Vec::new();
    for layers in pairs.into_values() {
        let newest = newest(&layers.iter().map(|(layer, _)| *layer).collect::<Vec<_>>()).map(|lv| &lv.name);
        found.extend(layers.into_iter().filter(|(layer, pair)| {
            Some(&layer.name) != newest
                && !is_copied(layer, pair)
                && !tags::is_held(layer)
                && !tags::is_being_named(layer)
                && tags::pairs(layer).count() == 1
                && Disposal::of(layer) == Disposal::Remove
        }));
    }
    // As `oldest_first`: all are in one pool.
    found.sort_by_key(|(layer, _)| (layer.transaction_id, layer.created_seconds, layer.name.clone()));
    found
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::super::testing::lv;
    use super::*;

    /// Thin volumes of `vg0/pool`: name, whether they can be written, tags, the pool's transaction that made them.
    fn group(rows: &[(&str, bool, &str, u32)]) -> Vec<Lv> {
        let row = |(name, writable, tags, made): &(&str, bool, &str, u32)| {
            let (attr, made) = (if *writable { "Vwi---tz--" } else { "Vri---tz-k" }, made.to_string());
            lv(&[("lv_name", name), ("lv_attr", attr), ("lv_tags", tags), ("transaction_id", &made)])
        };
        rows.iter().map(row).collect()
    }

    fn names(group: &[Lv]) -> Vec<&str> {
        removable(group, &"vg0/pool".parse().unwrap()).iter().map(|(lv, _)| lv.name.lv().as_str()).collect()
    }

    #[test]
    fn what_may_go_when_a_pool_is_too_full() {
        let mut all = group(&[
            ("home", true, "", 1),
            ("home-mine", false, "", 2),
            ("home-old", false, "hyperlayer.sync=p", 5),
            ("home-older", false, "hyperlayer.layer=x,hyperlayer.sync=p", 4),
            ("home-held", false, "hyperlayer.sync=p,hyperlayer.hold=p", 3),
            ("home-newest", false, "hyperlayer.sync=p", 9),
            ("home-partial", false, "hyperlayer.sync=p,hyperlayer.partial=x", 6),
            ("home-writable", true, "hyperlayer.sync=p", 1),
            ("home-live", false, "hyperlayer.sync=p,hyperlayer.live=z", 1),
            ("home-copied", false, "hyperlayer.layer=z,hyperlayer.sync=p", 2),
            ("other-newest", false, "hyperlayer.sync=q", 2),
            ("backup", false, "hyperlayer.backup=s", 1),
            ("adopted", false, "hyperlayer.sync=p,hyperlayer.adopted", 1),
            ("of-two", false, "hyperlayer.sync=p,hyperlayer.sync=q", 1),
            ("source-newest", false, "hyperlayer.sync=p,hyperlayer.source=p", 7),
        ]);
        assert_eq!(names(&all), ["home-older", "home-old"]);
        all.push(lv(&[
            ("lv_name", "a"),
            ("lv_attr", "Vri---tz-k"),
            ("lv_tags", "hyperlayer.sync=p"),
            ("pool_lv", "b"),
        ]));
        assert_eq!(names(&all), ["home-older", "home-old"], "nothing of another pool");
        let proofs = removable(&all, &"vg0/pool".parse().unwrap());
        assert!(proofs.iter().all(|(_, tag)| tag.as_str() == "hyperlayer.sync=p"));
    }

    /// The clock was a year ahead when `two` was made, and is right again.
    #[test]
    fn transactions_say_which_is_the_newest() {
        let made = |name, seconds, transaction| {
            let said = [("lv_name", name), ("lv_attr", "Vri---tz-k"), ("lv_tags", "hyperlayer.sync=p")];
            lv(&[&said[..], &[("lv_time", seconds), ("transaction_id", transaction)]].concat())
        };
        let all = [made("one", "1700000000", "3"), made("two", "1800000000", "4"), made("three", "1700000060", "5")];
        assert_eq!(names(&all), ["one", "two"]);
    }

    proptest! {
        /// However often the oldest one goes, one of each pair stays, and so do all that are held or adopted.
        #[test]
        fn one_of_each_pair_stays(
            layers in prop::collection::vec((0..3u8, any::<bool>(), any::<bool>(), 0..20u32), 0..12),
        ) {
            let rows: Vec<_> = layers.iter().enumerate().map(|(nth, (pair, held, adopted, made))| {
                let hold = if *held { format!(",hyperlayer.hold={pair}") } else { String::new() };
                let adopted = if *adopted { ",hyperlayer.adopted" } else { "" };
                (format!("l{nth}"), format!("hyperlayer.sync={pair}{hold}{adopted}"), *made)
            }).collect();
            let mut left: Vec<_> = rows.iter().map(|(name, tags, at)| (name.as_str(), false, tags.as_str(), *at)).collect();
            let pairs = |left: &[(&str, bool, &str, u32)]| {
                left.iter().map(|row| row.2.split(',').next().unwrap().to_owned()).collect::<BTreeSet<_>>()
            };
            let kept = |left: &[(&str, bool, &str, u32)]| left.iter().filter(|row| row.2.contains(',')).count();
            let before = (pairs(&left), kept(&left));
            while let Some(next) = names(&group(&left)).first().map(ToString::to_string) {
                left.retain(|row| row.0 != next);
            }
            prop_assert_eq!((pairs(&left), kept(&left)), before);
        }
    }
}

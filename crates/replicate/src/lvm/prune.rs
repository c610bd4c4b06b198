//! Which of a pair's layers go.

use hyperlayer::LayerId;
use lvm_cmd::{Kind, Lv, LvName, remove_all};
use retention::{Item, Policy, UnixSeconds, decide};
use transfer::lvm::{keeps_its_layer, layers_of};

use super::members::{End, is, newest, oldest_first};
use super::removable::Disposal;
use super::{LvmHost, lock, tags};
use crate::limits::MAX_LAYERS;
use crate::{Pair, Prune, Pruned, Refusal, RefusalKind, Removed, Role};

impl LvmHost<'_> {
    pub(super) fn prune_layers(&self, end: &End, ask: &Prune) -> Result<Pruned, Refusal> {
        let mut group = self.group(&end.volume)?;
        if !ask.dry_run {
            self.move_holds(end, &group, &ask.common)?;
            group = self.group(&end.volume)?;
        }
        let layers = end.layers(&group);
        let live = end.live_layer(&group);
        let needed = |lv: &Lv| is(lv, &ask.common) || live.is_some_and(|live| live.name == lv.name);
        let going =
            going(&layers, &ask.policy.policy(), self.now(), |lv| needed(lv) || held(lv, &end.pair, ask.dry_run));
        let going = going.map_err(|error| Refusal::new(RefusalKind::Failed, &error, 1))?;
        let (ours, users): (Vec<_>, Vec<_>) =
            going.into_iter().take(MAX_LAYERS).partition(|(volume, _)| Disposal::of(volume) == Disposal::Remove);
        let mut removed: Vec<_> =
            ours.iter().map(|(volume, why)| Removed::new(volume.name.lv().clone(), why)).collect();
        if !ask.dry_run {
            let mut given_back = Vec::new();
            for (volume, _) in users {
                self.give_back(end, volume).map_err(|refusal| with_done(refusal, &[], &given_back))?;
                given_back.push(volume.name.lv().clone());
            }
            let (gone, failed) = self.remove_layers(end, &ours.iter().map(|(volume, _)| *volume).collect::<Vec<_>>());
            if let Some(refusal) = failed {
                return Err(with_done(refusal, &gone, &given_back));
            }
            removed.retain(|removed| gone.contains(&removed.name));
        }
        let kept = layers.len().saturating_sub(removed.len());
        Ok(Pruned { removed, kept: u32::try_from(kept).unwrap_or(u32::MAX) })
    }

    /// Takes the pair's tags off a layer that the user made.
    fn give_back(&self, end: &End, volume: &Lv) -> Result<(), Refusal> {
        let mut tags = vec![end.pair.tag().clone(), tags::adopted()?];
        tags.extend((end.role == Role::Source).then(|| tags::source(&end.pair)).transpose()?);
        self.retag(&volume.name, &[], &tags)?;
        tracing::info!("`{}`, which this tool did not make, is the pair's no more", volume.name);
        Ok(())
    }

    /// Removes layers but those that are in use. Those that are gone, and why the first of the others is not.
    fn remove_layers(&self, end: &End, layers: &[&Lv]) -> (Vec<LvName>, Option<Refusal>) {
        lock(&self.compared).take_if(|compared| layers.iter().any(|lv| compared.is_of(&lv.uuid)));
        let names: Vec<_> = layers.iter().map(|lv| lv.name.clone()).collect();
        let (mut gone, mut failed) = (Vec::new(), None);
        for (name, ended) in names.iter().zip(remove_all(self.lvm.exec, &names, end.pair.tag())) {
            match ended {
                Ok(()) => gone.push(name.lv().clone()),
                Err(error) if error.kind() == Kind::Busy => {
                    tracing::warn!("`{name}` is in use, and stays until another time");
                }
                Err(error) => failed = failed.or(Some(error.into())),
            }
        }
        (gone, failed)
    }

    /// Holds what both sides have, also where nothing was sent because the destination had it already; and releases the pair's
    /// other holds but those on the newest layer and on what the live volume was made of.
    fn move_holds(&self, end: &End, group: &[Lv], common: &LayerId) -> Result<(), Refusal> {
        let hold = tags::hold(&end.pair)?;
        let layers = end.layers(group);
        if let Some(layer) = layers.iter().find(|lv| is(lv, common) && !lv.has_tag(&hold)) {
            self.retag(&layer.name, std::slice::from_ref(&hold), &[])?;
        }
        let needed = [newest(&layers), end.live_layer(group)].map(|lv| lv.map(|lv| &lv.name));
        let older = |lv: &&&Lv| lv.has_tag(&hold) && !is(lv, common) && !needed.contains(&Some(&lv.name));
        for layer in layers.iter().filter(older) {
            self.retag(&layer.name, &[], std::slice::from_ref(&hold))?;
        }
        Ok(())
    }
}

/// The refusal with the layers that were removed before it or despite it, and the user's snapshots that lost the pair's tags.
fn with_done(refusal: Refusal, removed: &[LvName], given_back: &[LvName]) -> Refusal {
    let mut text = refusal.text.to_string();
    for (done, names) in [("these were removed", removed), ("the pair's tags were removed from", given_back)] {
        if !names.is_empty() {
            let names: Vec<_> = names.iter().map(ToString::to_string).collect();
            text = format!("{text}; {done}: {}", names.join(", "));
        }
    }
    if removed.is_empty() && given_back.is_empty() { refusal } else { refusal.unfinished(&text) }
}

/// Whether it is held; in a dry run the pair's own holds are as good as released.
fn held(volume: &Lv, pair: &Pair, dry_run: bool) -> bool {
    match tags::hold(pair) {
        Ok(hold) if dry_run && volume.has_tag(&hold) => {
            let others = volume.tags.iter().filter(|tag| **tag != hold);
            others.into_iter().any(|tag| tag.as_str().starts_with("hyperlayer.hold="))
        }
        _ => tags::is_held(volume),
    }
}

/// What no rule keeps, and why; never the newest, nor what is needed. A layer that no time is known of stays.
fn going<'g>(
    layers: &[&'g Lv],
    policy: &Policy,
    now: UnixSeconds,
    needed: impl Fn(&Lv) -> bool,
) -> Result<Vec<(&'g Lv, String)>, String> {
    let newest = newest(layers).map(|lv| &lv.name);
    let dated: Vec<_> = oldest_first(layers).into_iter().filter(|lv| lv.created_seconds.is_some()).collect();
    let times = in_order(&dated.iter().filter_map(|lv| lv.created_seconds).collect::<Vec<_>>());
    let items = dated.into_iter().zip(times).filter_map(|(lv, seconds)| {
        let mut item = Item::new(lv.name.lv().to_string(), UnixSeconds::new(seconds)?);
        item.tags = lv.tags.iter().map(ToString::to_string).collect();
        item.held = needed(lv) || Some(&lv.name) == newest || !keeps_its_layer(lv) || layers_of(lv).is_err();
        Some(item)
    });
    let items: Vec<_> = items.collect();
    let decisions = decide(&items, policy, now).map_err(|error| error.to_string())?;
    let mut gone = Vec::new();
    for decision in decisions.into_iter().filter(|decision| !decision.verdict.stays()) {
        let name = decision.id.parse::<LvName>().map_err(|error| error.to_string())?;
        let why: Vec<_> = decision.reasons.iter().map(ToString::to_string).collect();
        gone.extend(layers.iter().find(|lv| *lv.name.lv() == name).map(|lv| (*lv, why.join(", "))));
    }
    Ok(gone)
}

/// The times of layers in the order in which they were made, without those that contradict it: a clock was wrong. These become
/// the time of the layer before, or where there is none, of the one after. As many as possible stay as they are.
fn in_order(times: &[i64]) -> Vec<i64> {
    // The longest sequence that ascends, by the least last element of each length.
    let mut ends: Vec<usize> = Vec::new();
    let mut before = vec![None; times.len()];
    for (nth, time) in times.iter().enumerate() {
        let len = ends.partition_point(|end| times[*end] <= *time);
        before[nth] = len.checked_sub(1).map(|len| ends[len]);
        match ends.get_mut(len) {
            Some(end) => *end = nth,
            None => ends.push(nth),
        }
    }
    let mut right = vec![false; times.len()];
    let mut next = ends.last().copied();
    let first = std::iter::from_fn(|| next.inspect(|nth| next = before[*nth])).inspect(|nth| right[*nth] = true).last();
    let mut last = first.map_or(0, |first| times[first]);
    times
        .iter()
        .zip(right)
        .map(|(time, right)| {
            last = if right { *time } else { last };
            last
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{lv, pair};
    use super::*;
    use crate::Keep;

    const NOW: i64 = 1_800_000_000;

    fn layer(name: &str, time: i64, tags: &str) -> Lv {
        let tags = format!("hyperlayer.sync=web1:vg0/data,hyperlayer.layer={name}{tags}");
        let time = time.to_string();
        lv(&[("lv_name", name), ("lv_tags", &tags), ("lv_time", &time), ("lv_attr", "Vri---tz-k")])
    }

    fn names(layers: &[Lv], keep: &str, needed: &str) -> Vec<String> {
        let policy = keep.parse::<Keep>().unwrap().policy();
        let layers: Vec<_> = layers.iter().collect();
        let now = UnixSeconds::new(NOW).unwrap();
        let going =
            going(&layers, &policy, now, |lv| is(lv, &LayerId::new(needed).unwrap()) || held(lv, &pair(), false));
        going.unwrap().iter().map(|(lv, _)| lv.name.lv().to_string()).collect()
    }

    #[test]
    fn what_goes() {
        let on = |parent: &str| format!(",hyperlayer.parent={parent}");
        let layers = [
            layer("one", NOW - 400, ""),
            layer("two", NOW - 300, &on("one")),
            layer("three", NOW - 200, &format!("{},hyperlayer.hold=another", on("two"))),
            layer("four", NOW - 100, &on("three")),
        ];
        assert_eq!(names(&layers, "last=1", "four"), ["one", "two"], "the held one stays");
        assert_eq!(names(&layers, "last=1", "one"), ["two"], "and what both sides have");
        assert_eq!(names(&layers, "last=9", "four"), [""; 0]);
        assert_eq!(names(&layers, "", "four"), [""; 0], "without a rule, all stay");
    }

    #[test]
    fn what_was_done_despite_a_refusal() {
        let names = |names: &[&str]| names.iter().map(|name| name.parse().unwrap()).collect::<Vec<LvName>>();
        let refused = || Refusal::new(RefusalKind::Failed, "it does not work", 1);
        assert_eq!(with_done(refused(), &[], &[]), refused());
        let found = with_done(refused(), &names(&["one", "two"]), &names(&["mine"]));
        let text = "it does not work; these were removed: one, two; the pair's tags were removed from: mine";
        assert_eq!((found.text.as_str(), found.exit), (text, 5));
    }

    /// By its time it would be the oldest.
    #[test]
    fn the_newest_stays_whatever_the_clock_says() {
        let layers = [
            layer("one", NOW - 100, ""),
            layer("two", NOW - 50, ",hyperlayer.parent=one"),
            layer("three", NOW - 90_000, ",hyperlayer.parent=two"),
        ];
        assert_eq!(names(&layers, "last=1", "nothing"), ["one"]);
    }

    /// The clock was a year ahead when `two` was made, and a year behind when `four` was: each counts as made right after the one
    /// before.
    #[test]
    fn times_that_contradict_the_order_do_not_count() {
        const YEAR: i64 = 365 * 86_400;
        let made = |name: &str, time: i64, transaction: &str| {
            let (tags, time) = (format!("hyperlayer.sync=web1:vg0/data,hyperlayer.layer={name}"), time.to_string());
            let said = [("lv_name", name), ("lv_tags", &*tags), ("lv_time", &time), ("lv_attr", "Vri---tz-k")];
            lv(&[&said[..], &[("transaction_id", transaction)]].concat())
        };
        let layers = [
            made("one", NOW - 500, "1"),
            made("two", NOW + YEAR, "2"),
            made("three", NOW - 300, "3"),
            made("four", NOW - YEAR, "4"),
            made("five", NOW - 100, "5"),
        ];
        assert_eq!(names(&layers, "last=1", "five"), ["one", "two", "three", "four"]);
        assert_eq!(names(&layers, "within=1h", "five"), [""; 0]);
    }

    #[test]
    fn times_in_order() {
        for (times, expected) in [
            (&[][..], &[][..]),
            (&[7], &[7]),
            (&[1, 2, 2, 9], &[1, 2, 2, 9]),
            (&[900, 2, 3], &[2, 2, 3]),
            (&[1, 900, 3, 4], &[1, 1, 3, 4]),
            (&[1, 2, 3, 0], &[1, 2, 3, 3]),
            (&[900, 1], &[1, 1]),
            (&[1, 900, 901, 2, 3, 4], &[1, 1, 1, 2, 3, 4]),
        ] {
            assert_eq!(in_order(times), expected, "{times:?}");
        }
    }

    #[test]
    fn in_a_dry_run_the_pairs_own_hold_does_not_count() {
        let own = layer("one", NOW, ",hyperlayer.hold=web1:vg0/data");
        let both = layer("one", NOW, ",hyperlayer.hold=web1:vg0/data,hyperlayer.hold=b");
        assert_eq!((held(&own, &pair(), false), held(&own, &pair(), true)), (true, false));
        assert_eq!((held(&both, &pair(), false), held(&both, &pair(), true)), (true, true));
    }
}

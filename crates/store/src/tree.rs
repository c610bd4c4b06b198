//! The layers of a series as the chains that they are. All in one pass, also where a hostile store holds very many.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use hyperlayer::LayerId;

use crate::layer::Stored;

/// A layer in its chain.
#[derive(Clone, Copy, Debug)]
pub struct Node<'s> {
    /// The layer.
    pub stored: &'s Stored,
    /// How many branches lie between it and its chain's main line, which leads to the newest layer.
    pub branch: usize,
    /// From how many layers it is restored; `None`: it cannot be, one of them is not there.
    pub chain: Option<usize>,
}

/// The layers of one series, given from the oldest to the newest, chain by chain: each behind the one that it is applied
/// on, side branches before what leads to the newest layer.
#[must_use]
pub fn chains<'s>(layers: &[&'s Stored]) -> Vec<Node<'s>> {
    let children = children(layers);
    let ids: BTreeSet<_> = layers.iter().map(|stored| &stored.layer.layer).collect();
    let is_root = |stored: &&Stored| stored.layer.parent.as_ref().is_none_or(|parent| !ids.contains(parent));
    let roots = layers.iter().copied().filter(is_root);
    let root = |stored: &'s Stored| Node { stored, branch: 0, chain: stored.layer.parent.is_none().then_some(1) };
    let mut waiting: Vec<_> = roots.rev().map(root).collect();
    let mut nodes = Vec::new();
    while let Some(node) = waiting.pop() {
        nodes.push(node);
        let above = children.get(&node.stored.layer.layer).map_or(&[][..], Vec::as_slice);
        let next = |stored, branch| Node { stored, branch, chain: node.chain.map(|chain| chain + 1) };
        if let Some((main, others)) = above.split_last() {
            waiting.push(next(*main, node.branch));
            waiting.extend(others.iter().rev().map(|stored| next(*stored, node.branch + 1)));
        }
    }
    // What goes round in a circle has no root.
    let seen: BTreeSet<_> = nodes.iter().map(|node| &node.stored.layer.layer).collect();
    let rest = layers.iter().copied().filter(|stored| !seen.contains(&stored.layer.layer));
    let rest: Vec<_> = rest.map(|stored| Node { stored, branch: 0, chain: None }).collect();
    nodes.extend(rest);
    nodes
}

/// The layers that are applied on each, from the oldest to the newest.
fn children<'s>(layers: &[&'s Stored]) -> BTreeMap<&'s LayerId, Vec<&'s Stored>> {
    let mut children = BTreeMap::<_, Vec<_>>::new();
    for stored in layers {
        if let Some(parent) = &stored.layer.parent {
            children.entry(parent).or_default().push(*stored);
        }
    }
    children
}

/// Those of the layers of one series that cannot be restored without one of `lost`, themselves included.
#[must_use]
pub fn without<'s>(layers: &[&'s Stored], lost: &BTreeSet<LayerId>) -> Vec<&'s Stored> {
    let children = children(layers);
    let mut gone = BTreeSet::new();
    let mut waiting: Vec<&LayerId> = lost.iter().collect();
    while let Some(id) = waiting.pop() {
        if gone.insert(id) {
            waiting.extend(children.get(id).into_iter().flatten().map(|stored| &stored.layer.layer));
        }
    }
    layers.iter().copied().filter(|stored| gone.contains(&stored.layer.layer)).collect()
}

/// The layers of one series from the oldest to the newest by [`times`]. Of those of one second, a layer comes after the one that it is
/// applied on; the id settles what is left.
pub(crate) fn in_order(layers: Vec<&Stored>) -> Vec<&Stored> {
    let (times, depths) = (times(&layers), depths(&layers));
    let mut layers = layers;
    layers.sort_by_key(|stored| {
        let id = &stored.layer.layer;
        (times.get(id), depths.get(id), id)
    });
    layers
}

/// The times of the layers of one series, none earlier than that of the layer below: those in their manifests, but for
/// layers made while a clock was wrong. Such a layer is one of as few as possible whose times contradict the others' on
/// the longest way up from its full layer; it counts as of the time of the layer below, or else of the next one above.
#[must_use]
pub fn times<'s>(layers: &[&'s Stored]) -> BTreeMap<&'s LayerId, SystemTime> {
    let depths = depths(layers);
    let by_id: BTreeMap<_, _> = layers.iter().map(|stored| (&stored.layer.layer, *stored)).collect();
    let parent = |stored: &Stored| stored.layer.parent.as_ref().and_then(|parent| by_id.get(parent).copied());
    let mut tops = layers.to_vec();
    // The longest ways first, of those of one length the one that is later.
    tops.sort_by_key(|stored| Reverse((depths.get(&stored.layer.layer), stored.layer.created, &stored.layer.layer)));
    let mut times = BTreeMap::new();
    for top in tops {
        // Down to what another way has passed, the end of the chain, or, in a circle, the beginning.
        let (mut way, mut next, mut below) = (Vec::new(), Some(top), None);
        let mut seen = BTreeSet::new();
        while let Some(stored) = next.filter(|stored| seen.insert(&stored.layer.layer)) {
            below = times.get(&stored.layer.layer).copied();
            if below.is_some() {
                break;
            }
            way.push(stored);
            next = parent(stored);
        }
        if next.is_some() && below.is_none() {
            // A circle, where no time is before another.
            times.extend(way.iter().map(|stored| (&stored.layer.layer, stored.layer.created)));
            continue;
        }
        way.reverse();
        let not_before = |time: SystemTime| below.map_or(time, |below| time.max(below));
        let created: Vec<_> = way.iter().map(|stored| not_before(stored.layer.created)).collect();
        let right = right_times(&created);
        let first = right.first().map(|at| created[*at]);
        let mut last = below.or(first);
        for (at, stored) in way.iter().enumerate() {
            if right.binary_search(&at).is_ok() {
                last = Some(created[at]);
            }
            times.insert(&stored.layer.layer, last.unwrap_or(stored.layer.created));
        }
    }
    times
}

/// The places of the longest part of `times` that never goes back; of several, one within a short time.
fn right_times(times: &[SystemTime]) -> Vec<usize> {
    let early = longest_ascent(times);
    let backwards: Vec<_> = times.iter().rev().map(|time| Reverse(*time)).collect();
    let late: Vec<_> = longest_ascent(&backwards).iter().rev().map(|at| times.len() - 1 - at).collect();
    let spread = |ascent: &[usize]| {
        let (first, last) = (ascent.first()?, ascent.last()?);
        times[*last].duration_since(times[*first]).ok()
    };
    if spread(&late) < spread(&early) { late } else { early }
}

/// The places of the longest part of `times` that never goes back; of several, one that ends earliest.
fn longest_ascent<T: Ord>(times: &[T]) -> Vec<usize> {
    // For each length, where the ascent of that length with the earliest end ends; and what lies before each place.
    let mut ends: Vec<usize> = Vec::new();
    let mut before = vec![None; times.len()];
    for (at, time) in times.iter().enumerate() {
        let length = ends.partition_point(|end| times[*end] <= *time);
        before[at] = length.checked_sub(1).map(|shorter| ends[shorter]);
        if length == ends.len() { ends.push(at) } else { ends[length] = at }
    }
    let mut ascent: Vec<_> = std::iter::successors(ends.last().copied(), |at| before[*at]).collect();
    ascent.reverse();
    ascent
}

/// How many layers lie below each; in a circle, any number.
fn depths<'s>(layers: &[&'s Stored]) -> BTreeMap<&'s LayerId, usize> {
    let by_id: BTreeMap<_, _> = layers.iter().map(|stored| (&stored.layer.layer, *stored)).collect();
    let mut depths = BTreeMap::new();
    for stored in layers {
        let (mut path, mut next) = (Vec::new(), Some(*stored));
        while let Some(Stored { layer, .. }) = next.filter(|stored| !depths.contains_key(&stored.layer.layer)) {
            // Not yet the right one, but the walk ends where it meets itself.
            depths.insert(&layer.layer, 0);
            path.push(&layer.layer);
            next = layer.parent.as_ref().and_then(|parent| by_id.get(parent).copied());
        }
        let first = next.and_then(|known| depths.get(&known.layer.layer)).map_or(0, |depth| depth + 1);
        depths.extend(path.into_iter().rev().zip(first..));
    }
    depths
}

/// One layer of each circle in which parents lead back to a layer, given the layers of one series.
pub(crate) fn circles<'s>(layers: &[&'s Stored]) -> Vec<&'s Stored> {
    let by_id: BTreeMap<_, _> = layers.iter().map(|stored| (&stored.layer.layer, *stored)).collect();
    // The walk that came by first. Each layer is passed once; a walk that meets itself goes in a circle.
    let mut passed_by = BTreeMap::new();
    let mut circles = Vec::new();
    for (walk, start) in layers.iter().enumerate() {
        let mut next = Some(*start);
        while let Some(stored) = next {
            match passed_by.insert(&stored.layer.layer, walk) {
                None => next = stored.layer.parent.as_ref().and_then(|parent| by_id.get(parent).copied()),
                Some(before) => {
                    passed_by.insert(&stored.layer.layer, before);
                    circles.extend((before == walk).then_some(stored));
                    break;
                }
            }
        }
    }
    circles
}

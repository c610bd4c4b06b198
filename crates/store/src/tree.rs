//! The layers of a series as the chains that they are. All in one pass, also where a hostile store holds very many.

use std::collections::{BTreeMap, BTreeSet};

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

/// The layers of one series from the oldest to the newest. Of those of one second, a layer comes after the one that it is
/// applied on; the id settles what is left.
pub(crate) fn in_order(layers: Vec<&Stored>) -> Vec<&Stored> {
    let depths = depths(&layers);
    let mut layers = layers;
    layers.sort_by_key(|stored| {
        let id = &stored.layer.layer;
        (stored.layer.created, depths.get(id), id)
    });
    layers
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

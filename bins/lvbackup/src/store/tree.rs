//! The layers of a series as the chains that they are.

use std::collections::{BTreeMap, BTreeSet};

use hyperlayer::LayerId;
use store::Stored;

/// A layer in its chain.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node<'s> {
    pub(crate) stored: &'s Stored,
    /// How many branches lie between it and its chain's main line, which leads to the newest layer.
    pub(crate) branch: usize,
    /// From how many layers it is restored; `None`: it cannot be, one of them is not there.
    pub(crate) chain: Option<usize>,
}

/// The layers of one series, given from the oldest to the newest, chain by chain: each behind the one that it is applied
/// on, side branches before what leads to the newest layer.
pub(crate) fn chains<'s>(layers: &[&'s Stored]) -> Vec<Node<'s>> {
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
pub(crate) fn children<'s>(layers: &[&'s Stored]) -> BTreeMap<&'s LayerId, Vec<&'s Stored>> {
    let mut children = BTreeMap::<_, Vec<_>>::new();
    for stored in layers {
        if let Some(parent) = &stored.layer.parent {
            children.entry(parent).or_default().push(*stored);
        }
    }
    children
}

/// Those of the layers of one series that cannot be restored without one of `lost`, themselves included.
pub(crate) fn without<'s>(layers: &[&'s Stored], lost: &BTreeSet<LayerId>) -> Vec<&'s Stored> {
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

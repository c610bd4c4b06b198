//! Who cannot be restored without whom. Items are known by their place in the caller's list.

use std::collections::BTreeMap;

use crate::{Error, Item};

/// Each item's parent, where the list has it. Following parents always ends.
pub(crate) struct Chains {
    parents: Vec<Option<usize>>,
}

impl Chains {
    pub(crate) fn of<Id: Clone + Ord>(items: &[Item<Id>]) -> Result<Self, Error<Id>> {
        let mut places = BTreeMap::new();
        for (place, item) in items.iter().enumerate() {
            if places.insert(&item.id, place).is_some() {
                return Err(Error::Repeated { id: item.id.clone() });
            }
        }
        let parent = |item: &Item<Id>| places.get(item.parent.as_ref()?).copied();
        let chains = Self { parents: items.iter().map(parent).collect() };
        match chains.circular() {
            Some(place) => Err(Error::Circular { id: items[place].id.clone() }),
            None => Ok(chains),
        }
    }

    pub(crate) fn parent(&self, item: usize) -> Option<usize> {
        self.parents[item]
    }

    /// An item whose parents lead back to it.
    fn circular(&self) -> Option<usize> {
        // The walk that came by first. Each item is passed once; a walk that meets itself goes in a circle.
        let mut passed_by = vec![None; self.parents.len()];
        for start in 0..self.parents.len() {
            let mut next = Some(start);
            while let Some(item) = next {
                match passed_by[item] {
                    Some(walk) if walk == start => return Some(item),
                    Some(_) => break,
                    None => passed_by[item] = Some(start),
                }
                next = self.parents[item];
            }
        }
        None
    }

    /// All items that one of `staying` needs and that are not themselves among them.
    pub(crate) fn needed_by(&self, staying: &[bool]) -> Vec<bool> {
        let mut needed = vec![false; staying.len()];
        for item in (0..staying.len()).filter(|item| staying[*item]) {
            let mut next = self.parents[item];
            while let Some(parent) = next.filter(|parent| !staying[*parent] && !needed[*parent]) {
                needed[parent] = true;
                next = self.parents[parent];
            }
        }
        needed
    }

    /// For each item the nearest that it needs, directly or not, and that is among `staying`.
    pub(crate) fn nearest(&self, staying: &[bool]) -> Vec<Option<usize>> {
        let mut nearest = vec![None; staying.len()];
        let mut known = vec![false; staying.len()];
        for start in 0..staying.len() {
            let (mut path, mut item) = (Vec::new(), start);
            let found = loop {
                if known[item] {
                    break nearest[item];
                }
                path.push(item);
                match self.parents[item] {
                    Some(parent) if !staying[parent] => item = parent,
                    end => break end,
                }
            };
            for item in path {
                (nearest[item], known[item]) = (found, true);
            }
        }
        nearest
    }
}

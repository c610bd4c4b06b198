//! From what both sides have to what is to be sent.

use std::collections::{HashMap, HashSet};

use hyperlayer::LayerId;

use crate::{Layer, Live};

/// What the destination has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Destination {
    /// What is under its own name.
    pub live: Live,
    /// Whether that is mounted, or open by anybody.
    pub in_use: bool,
    /// The layers that it has.
    pub layers: Vec<Layer>,
}

/// What is to be done so that the destination holds the source's newest layer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step<'a> {
    /// Nothing: it does.
    UpToDate,
    /// It has the layer whole, but not under its own name yet: a run ended in between.
    Swap {
        /// The volume there.
        layer: &'a Layer,
    },
    /// Send what changed since the newest layer that both have.
    Delta {
        /// That layer on the source.
        from: &'a Layer,
        /// That layer on the destination.
        on: &'a Layer,
    },
    /// Send everything: it has nothing of this volume, and its name is free.
    Initial,
}

/// Why nothing may be sent.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LineageError {
    /// Somebody wrote to the destination.
    #[error("the destination was written to since it received layer {since}")]
    Written {
        /// What it held last.
        since: LayerId,
        /// The newest layer that both sides have: what a rollback would go on from.
        common: Option<LayerId>,
    },
    /// Its name cannot become another volume's while somebody uses it.
    #[error("the destination is in use: it is mounted, or a program has it open")]
    InUse,
    /// It is received from elsewhere, or by hand.
    #[error("the destination holds layer {layer}, which another pair, or somebody by hand, received there")]
    OtherPair {
        /// What it holds.
        layer: LayerId,
    },
    /// There is a volume of that name, and nothing says what is in it.
    #[error("the destination exists, and nothing says which layer it holds")]
    Unknown,
    /// It would go back.
    #[error(
        "the newest snapshot of the source, layer {layer}, is older than layer {holds}, which the destination holds"
    )]
    Older {
        /// What would be sent.
        layer: LayerId,
        /// What it holds.
        holds: LayerId,
    },
    /// It is this pair's, but nothing is left of what both had.
    #[error("the destination holds layer {layer}, and the source has no layer left that the destination has too")]
    NothingCommon {
        /// What it holds.
        layer: LayerId,
    },
}

/// What to do so that `destination` holds `newest`, of a source that also has `kept`, in any order.
///
/// Which layer is the newest that both have, the parents decide where they are known, since a clock may have been set
/// back; else the source's times. A wrong time makes the delta larger, never wrong: a layer counts as common only by its
/// id and its size.
///
/// # Errors
/// [`LineageError`]: what is there would be lost, or nobody knows what it is.
pub fn next<'a>(newest: &Layer, kept: &'a [Layer], destination: &'a Destination) -> Result<Step<'a>, LineageError> {
    let common = newest_common(newest, kept, &destination.layers);
    match &destination.live {
        Live::Unknown => return Err(LineageError::Unknown),
        Live::Written { since } => {
            let common = common.and_then(|(from, _)| from.ids.first().cloned());
            return Err(LineageError::Written { since: since.clone(), common });
        }
        Live::Holds { layer, ours: false } => return Err(LineageError::OtherPair { layer: layer.clone() }),
        Live::Holds { layer, ours: true } if newest.ids.contains(layer) => return Ok(Step::UpToDate),
        Live::Holds { .. } | Live::Missing => {}
    }
    if destination.in_use {
        return Err(LineageError::InUse);
    }
    // One that is not the pair's may be its user's: that is never renamed, but a snapshot of it can be a base.
    if let Some(layer) = destination.layers.iter().find(|layer| layer.ours && newest.is_same(layer)) {
        return Ok(Step::Swap { layer });
    }
    match (common, &destination.live) {
        (Some((from, on)), _) => Ok(Step::Delta { from, on }),
        (None, Live::Holds { layer, .. }) => Err(LineageError::NothingCommon { layer: layer.clone() }),
        (None, _) => Ok(Step::Initial),
    }
}

/// The layer that the destination holds, if that is newer than `newest` of the source: it descends from it, or the destination
/// received it later, whose layers are listed newest first. `kept` are the source's layers, in any order.
#[must_use]
pub fn newer_at(destination: &Destination, newest: &Layer, kept: &[Layer]) -> Option<LayerId> {
    let Live::Holds { layer: held, ours: true } = &destination.live else { return None };
    if newest.ids.contains(held) {
        return None;
    }
    let all = || kept.iter().chain(&destination.layers);
    let of_held: Vec<_> = all().filter(|layer| layer.ids.contains(held)).map(|layer| (layer, layer)).collect();
    let descends = ancestors(&of_held, all()).into_iter().any(|id| newest.ids.contains(id));
    let place = |is: &dyn Fn(&Layer) -> bool| destination.layers.iter().position(is);
    let (twin, holder) = (place(&|layer| newest.is_same(layer)), place(&|layer| layer.ids.contains(held)));
    let came_later = twin.zip(holder).is_some_and(|(twin, holder)| holder < twin);
    (descends || came_later).then(|| held.clone())
}

/// The newest layer that both have, on each.
fn newest_common<'a>(newest: &Layer, kept: &'a [Layer], there: &'a [Layer]) -> Option<(&'a Layer, &'a Layer)> {
    let mut by_id: HashMap<&LayerId, Vec<&Layer>> = HashMap::new();
    for layer in there {
        for id in &layer.ids {
            by_id.entry(id).or_default().push(layer);
        }
    }
    let twin = |layer: &Layer| {
        let same = layer.ids.iter().filter_map(|id| by_id.get(id)).flatten().filter(|other| layer.is_same(other));
        // Any will do; the pair's own before its user's, and always the same one.
        same.copied().max_by_key(|other| (other.ours, &other.name))
    };
    let common: Vec<_> = kept
        .iter()
        .filter(|layer| !layer.is_same(newest))
        .filter_map(|layer| twin(layer).map(|other| (layer, other)))
        .collect();
    let older = ancestors(&common, kept.iter().chain(there));
    let is_older = |layer: &Layer| layer.ids.iter().any(|id| older.contains(id));
    // Where parents go round in a circle, which no honest side says, all are older than all.
    common.into_iter().max_by_key(|(layer, _)| (!is_older(layer), layer.created_seconds, &layer.name))
}

/// The ids of all layers that one of these descends from. Each layer is visited once, whatever the parents say.
fn ancestors<'a>(
    of: &[(&'a Layer, &'a Layer)],
    known: impl Iterator<Item = &'a Layer> + Clone,
) -> HashSet<&'a LayerId> {
    let mut parents: HashMap<&LayerId, Vec<&LayerId>> = HashMap::new();
    let mut aliases: HashMap<&LayerId, Vec<&LayerId>> = HashMap::new();
    for layer in known {
        for id in &layer.ids {
            parents.entry(id).or_default().extend(&layer.parent);
            aliases.entry(id).or_default().extend(&layer.ids);
        }
    }
    let of_id = |map: &HashMap<&'a LayerId, Vec<&'a LayerId>>, id| map.get(id).cloned().unwrap_or_default();
    let mut older = HashSet::new();
    let start = of.iter().flat_map(|(layer, _)| &layer.ids);
    let mut rest: Vec<_> = start.flat_map(|id| of_id(&parents, id)).collect();
    while let Some(id) = rest.pop() {
        if older.insert(id) {
            rest.extend(of_id(&parents, id));
            // The same volume under its other names.
            rest.extend(of_id(&aliases, id));
        }
    }
    older
}

//! What becomes of each layer, and in which order.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::SystemTime;

use cli::{Exit, Failure, OrFail, Outcome};
use extents::Bytes;
use hyperlayer::LayerId;
use retention::{Decision, Item, Merging, Policy, UnixSeconds, Verdict, decide};
use store::{Listing, Series, Stored, tree};

/// What becomes of the layers of one series.
pub(super) struct Plan<'l> {
    pub series: &'l Series,
    /// From the oldest layer to the newest.
    pub layers: Vec<Planned<'l>>,
}

/// What becomes of one layer, and why.
pub(super) struct Planned<'l> {
    pub stored: &'l Stored,
    pub fate: Fate,
    pub reasons: Vec<String>,
    /// Whether the rules were asked about it: it can be restored, as far as is known.
    pub counts: bool,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Fate {
    Keep,
    /// Stays, written anew on another parent, or in full.
    Rewrite {
        onto: Option<LayerId>,
    },
    Remove,
    /// Goes once others were written anew.
    Merge {
        into: Vec<LayerId>,
    },
}

impl Fate {
    pub(super) fn goes(&self) -> bool {
        matches!(self, Self::Remove | Self::Merge { .. })
    }

    /// As tables and JSON call it.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Rewrite { .. } => "rewrite",
            Self::Remove => "remove",
            Self::Merge { .. } => "merge",
        }
    }
}

/// What is known of layers that cannot be restored, beside what their manifests say.
pub(super) struct Broken {
    /// Those whose objects are missing or cut.
    pub damaged: BTreeSet<LayerId>,
    /// Whether they go, the damaged ones and those on them too.
    pub remove: bool,
}

impl<'l> Plan<'l> {
    /// Decides about a series. Layers that cannot be restored any more do not count, or they would push out those that
    /// can; they stay, unless they are to go. One whose object is damaged counts until then: it may come back.
    ///
    /// # Errors
    /// A layer is of a time beyond the calendar.
    pub(super) fn of(
        listing: &'l Listing,
        series: &'l Series,
        policy: &Policy,
        broken: &Broken,
        now: SystemTime,
    ) -> Outcome<Self> {
        let layers = listing.of(series);
        let nodes = tree::chains(&layers);
        let mut whole: BTreeSet<_> =
            nodes.iter().filter(|node| node.chain.is_some()).map(|n| &n.stored.layer.layer).collect();
        if broken.remove {
            for lost in tree::without(&layers, &broken.damaged) {
                whole.remove(&lost.layer.layer);
            }
        }
        let places = layers.iter().enumerate().map(|(nth, stored)| (&stored.layer.layer, nth));
        let places: BTreeMap<&LayerId, usize> = places.collect();
        let items = layers.iter().filter(|stored| whole.contains(&stored.layer.layer));
        let times = tree::times(&layers);
        let items = items.map(|stored| item(stored, &places, &times)).collect::<Outcome<Vec<_>>>()?;
        let decisions = decide(&items, policy, moment(now)?).or_fail(Exit::Refused)?;
        let mut decisions: BTreeMap<_, _> = decisions.into_iter().map(|d| (d.id.id.clone(), d)).collect();
        let lost = |stored: &Stored| {
            let fate = if broken.remove && !stored.held { Fate::Remove } else { Fate::Keep };
            let held = if stored.held { "held, " } else { "" };
            (fate, vec![format!("{held}cannot be restored")])
        };
        let planned = layers.iter().map(|stored| {
            let decision = decisions.remove(&stored.layer.layer);
            let counts = decision.is_some();
            let (fate, reasons) = decision.map_or_else(|| lost(stored), of_decision);
            Planned { stored, fate, reasons, counts }
        });
        Ok(Self { series, layers: planned.collect() })
    }

    /// Those that stay because of a rule, and cannot be restored without one of `damaged`.
    pub(super) fn lost_that_stay(&self, damaged: &BTreeSet<LayerId>) -> Vec<&'l Stored> {
        let all: Vec<_> = self.layers.iter().map(|planned| planned.stored).collect();
        let stays = self.layers.iter().filter(|planned| planned.counts && !planned.fate.goes());
        let stays: BTreeSet<_> = stays.map(|planned| &planned.stored.layer.layer).collect();
        let lost = tree::without(&all, damaged).into_iter();
        lost.filter(|stored| stays.contains(&stored.layer.layer)).collect()
    }

    pub(super) fn rewritten(&self) -> impl Iterator<Item = (&'l Stored, Option<&LayerId>)> {
        self.layers.iter().filter_map(|planned| match &planned.fate {
            Fate::Rewrite { onto } => Some((planned.stored, onto.as_ref())),
            _ => None,
        })
    }

    /// What goes, each before the one that it is applied on, so that whatever is there at any time can be restored.
    pub(super) fn removed(&self) -> Vec<&'l Stored> {
        let all: Vec<_> = self.layers.iter().map(|planned| planned.stored).collect();
        let goes: BTreeSet<_> =
            self.layers.iter().filter(|planned| planned.fate.goes()).map(|p| &p.stored.layer.layer).collect();
        // Each stands behind its parent there.
        let nodes = tree::chains(&all);
        nodes.iter().rev().map(|node| node.stored).filter(|stored| goes.contains(&stored.layer.layer)).collect()
    }

    /// What the objects of those that go take now.
    pub(super) fn freed(&self) -> Bytes {
        let going = self.layers.iter().filter(|planned| planned.fate.goes());
        going.fold(Bytes::ZERO, |sum, planned| sum.saturating_add(planned.stored.layer.object.len))
    }
}

/// A layer's id, ordered as the listing orders the layers: of two of one second, the rules call the same one newest.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Place {
    nth: usize,
    id: LayerId,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.id.fmt(f)
    }
}

fn of_decision(decision: Decision<Place>) -> (Fate, Vec<String>) {
    let fate = match decision.verdict {
        Verdict::Rewrite { onto } => Fate::Rewrite { onto: onto.map(|place| place.id) },
        Verdict::Drop => Fate::Remove,
        Verdict::Merge { into } => Fate::Merge { into: into.into_iter().map(|place| place.id).collect() },
        // What is new there, and not known here, stays.
        _ => Fate::Keep,
    };
    (fate, decision.reasons.iter().map(ToString::to_string).collect())
}

fn item(
    stored: &Stored,
    places: &BTreeMap<&LayerId, usize>,
    times: &BTreeMap<&LayerId, SystemTime>,
) -> Outcome<Item<Place>> {
    let layer = &stored.layer;
    let place = |id: &LayerId| Place { nth: places.get(id).copied().unwrap_or_default(), id: id.clone() };
    Ok(Item {
        id: place(&layer.layer),
        taken: moment(times.get(&layer.layer).copied().unwrap_or(layer.created))?,
        tags: stored.tags.iter().map(|tag| tag.as_str().to_owned()).collect(),
        held: stored.held,
        parent: layer.parent.as_ref().map(place),
    })
}

fn moment(time: SystemTime) -> Outcome<UnixSeconds> {
    let seconds = jiff::Timestamp::try_from(time).or_fail(Exit::Refused)?.as_second();
    UnixSeconds::new(seconds).ok_or_else(|| Failure::msg(Exit::Refused, "a layer's time is beyond the calendar"))
}

/// What `--merge` asks for.
pub(super) fn merging(allowed: bool) -> Merging {
    if allowed { Merging::Allowed } else { Merging::Forbidden }
}

//! Which volumes of a group are a pair's.

use std::collections::BTreeSet;

use hyperlayer::LayerId;
use lvm_cmd::{Lv, LvRef, LvType, find};
use transfer::lvm::{keeps_its_layer, layer_of, layers_of, partial_target};

use super::refuse::no_layer;
use super::tags;
use crate::wire::layers::parent_of;
use crate::{Pair, Refusal, Role};

/// One end of a pair.
#[derive(Clone, Debug)]
pub(super) struct End {
    /// The volume's own name.
    pub(super) volume: LvRef,
    pub(super) pair: Pair,
    pub(super) role: Role,
}

impl End {
    pub(super) fn new(volume: &LvRef, pair: &Pair, role: Role) -> Self {
        Self { volume: volume.clone(), pair: pair.clone(), role }
    }

    /// The pair's layers at this end, in no order. Those of a source are in its pool, since only there they can be compared.
    pub(super) fn layers<'g>(&self, group: &'g [Lv]) -> Vec<&'g Lv> {
        let pool = group.iter().find(|lv| lv.name == self.volume).and_then(|lv| lv.pool.clone());
        group.iter().filter(|lv| self.is_layer(lv) && (self.role == Role::Destination || lv.pool == pool)).collect()
    }

    fn is_layer(&self, lv: &Lv) -> bool {
        let source = tags::source(&self.pair).is_ok_and(|tag| lv.has_tag(&tag));
        lv.name != self.volume
            && lv.has_tag(self.pair.tag())
            && source == (self.role == Role::Source)
            && holds_a_layer(lv)
    }

    /// The pair's layer with this id.
    pub(super) fn layer<'g>(&self, group: &'g [Lv], id: &LayerId) -> Result<&'g Lv, Refusal> {
        let found = self.layers(group).into_iter().find(|lv| is(lv, id));
        found.ok_or_else(|| no_layer(id, &self.volume))
    }

    /// The layer that the destination's live volume was made of.
    pub(super) fn live_layer<'g>(&self, group: &'g [Lv]) -> Option<&'g Lv> {
        let (made_of, _) = tags::live_of(group.iter().find(|lv| lv.name == self.volume)?)?;
        self.layers(group).into_iter().find(|lv| is(lv, &made_of))
    }

    /// The volume itself.
    pub(super) fn own<'g>(&self, group: &'g [Lv]) -> Result<&'g Lv, Refusal> {
        Ok(find(group, &self.volume)?)
    }
}

/// Whether a volume of a pair is a layer: read-only, and neither one that is being received nor the copy itself.
pub(super) fn holds_a_layer(volume: &Lv) -> bool {
    volume.attr.lv_type() == LvType::ThinVolume
        && keeps_its_layer(volume)
        && partial_target(volume).is_none()
        && tags::live_of(volume).is_none()
}

/// Whether the volume holds this layer.
pub(super) fn is(volume: &Lv, id: &LayerId) -> bool {
    layers_of(volume).is_ok_and(|ids| ids.contains(id))
}

/// The layer that no other one was made against; of several the one that was made last: within a pool its transactions say
/// which, since a clock may have been set back.
pub(super) fn newest<'g>(layers: &[&'g Lv]) -> Option<&'g Lv> {
    let older: BTreeSet<LayerId> = layers.iter().filter_map(|lv| parent_of(lv)).collect();
    let is_older = |lv: &Lv| layers_of(lv).is_ok_and(|ids| ids.iter().any(|id| older.contains(id)));
    // Of equal ones the last one.
    oldest_first(layers).into_iter().max_by_key(|lv| !is_older(lv))
}

/// The layers in the order in which they were made: by the pool's transactions where all are in one pool, else by the clock,
/// which may have been set.
pub(super) fn oldest_first<'g>(layers: &[&'g Lv]) -> Vec<&'g Lv> {
    let one_pool = layers.windows(2).all(|two| two[0].pool == two[1].pool);
    let mut sorted = layers.to_vec();
    sorted.sort_by_key(|lv| (one_pool.then_some(lv.transaction_id).flatten(), lv.created_seconds, lv.name.clone()));
    sorted
}

/// What a stream calls the layer that a volume holds.
pub(super) fn id_of(volume: &Lv) -> Result<LayerId, Refusal> {
    Ok(layer_of(volume)?)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{lv, pair};
    use super::*;

    const SYNC: &str = "hyperlayer.sync=web1:vg0/data";
    const SOURCE: &str = "hyperlayer.source=web1:vg0/data";

    fn end(role: Role) -> End {
        End::new(&"vg0/data".parse().unwrap(), &pair(), role)
    }

    #[test]
    fn whose_layers_are_whose() {
        let both = format!("{SYNC},{SOURCE}");
        let rows = [
            ("data", "", "Vwi-a-tz--"),
            ("source", both.as_str(), "Vri---tz-k"),
            ("written", &both, "Vwi---tz-k"),
            ("copy", &format!("{SYNC},hyperlayer.layer=one"), "Vri---tz-k"),
            ("live", &format!("{SYNC},hyperlayer.live=one"), "Vri---tz-k"),
            ("hyperlayer-partial-1234-0", &format!("{SYNC},hyperlayer.partial=data-sync"), "Vri---tz-k"),
            ("others", "hyperlayer.sync=web1:vg0/data2", "Vri---tz-k"),
            ("nobodys", "", "Vri---tz-k"),
        ];
        let mut group: Vec<Lv> = rows
            .iter()
            .map(|(name, tags, attr)| lv(&[("lv_name", name), ("lv_tags", tags), ("lv_attr", attr)]))
            .collect();
        group.push(lv(&[
            ("lv_name", "elsewhere"),
            ("lv_tags", &both),
            ("lv_attr", "Vri---tz-k"),
            ("pool_lv", "other"),
        ]));
        let names =
            |role| -> Vec<String> { end(role).layers(&group).iter().map(|lv| lv.name.lv().to_string()).collect() };
        assert_eq!(names(Role::Source), ["source"]);
        assert_eq!(names(Role::Destination), ["copy"]);
    }

    /// One, on it two and, after a rollback, three; the clock was set back each time.
    #[test]
    fn parents_and_transactions_say_which_is_the_newest() {
        let made = |name: &str, parent: &str, time: &str, transaction: &str| {
            let tags = format!("{SYNC},hyperlayer.layer={name}{parent}");
            lv(&[
                ("lv_name", name),
                ("lv_tags", &tags),
                ("lv_attr", "Vri---tz-k"),
                ("lv_time", time),
                ("transaction_id", transaction),
            ])
        };
        let one = made("one", "", "1800000000", "9");
        let two = made("two", ",hyperlayer.parent=one", "1700000000", "4");
        let three = made("three", ",hyperlayer.parent=one", "1600000000", "6");
        let name = |layers: &[&Lv]| newest(layers).map(|lv| lv.name.lv().to_string());
        assert_eq!(name(&[&one, &two]).as_deref(), Some("two"), "its parent is the other");
        assert_eq!(name(&[&three, &two, &one]).as_deref(), Some("three"), "the pool knows which came later");
        assert_eq!(name(&[]), None);
    }
}

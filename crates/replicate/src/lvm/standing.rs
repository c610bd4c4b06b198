//! What is under a destination's own name.

use hyperlayer::LayerId;
use lvm_cmd::{Lv, LvType};
use transfer::lvm::{Selection, keeps_its_layer};

use super::members::{End, id_of, is, newest};
use super::{LvmHost, tags};
use crate::{Live, Refusal};

/// What a volume is to the pair, by its tags alone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Standing {
    /// The pair's, made of this layer.
    Ours(LayerId),
    /// Of another pair, or received by hand: it holds this layer, if nobody wrote to it.
    Others(LayerId),
    /// Anything else.
    Unknown,
}

impl Standing {
    pub(super) fn of(volume: &Lv, end: &End) -> Self {
        let made_of = tags::live_of(volume).map(|(layer, _)| layer);
        match made_of {
            Some(layer) if volume.has_tag(end.pair.tag()) => Self::Ours(layer),
            Some(layer) => Self::Others(layer),
            None if tags::other_pair(volume, &end.pair).is_some() || has_layer_tag(volume) => {
                id_of(volume).map_or(Self::Unknown, Self::Others)
            }
            None => Self::Unknown,
        }
    }
}

fn has_layer_tag(volume: &Lv) -> bool {
    keeps_its_layer(volume) && volume.tags.iter().any(|tag| tag.as_str().starts_with("hyperlayer.layer="))
}

impl LvmHost<'_> {
    /// What is under the end's own name. Where it is the pair's, the pool says whether it shares every block with its layer.
    pub(super) fn live(&self, end: &End, group: &[Lv]) -> Result<Live, Refusal> {
        let Some(volume) = group.iter().find(|lv| lv.name == end.volume) else { return Ok(Live::Missing) };
        Ok(match Standing::of(volume, end) {
            Standing::Ours(layer) if self.is_unwritten(end, group, volume, &layer)? => {
                Live::Holds { layer, ours: true }
            }
            Standing::Ours(since) => written(end, group, since)?,
            Standing::Others(layer) => Live::Holds { layer, ours: false },
            Standing::Unknown => Live::Unknown,
        })
    }

    /// Whether a live volume is still what its layer is. Where that is gone, nobody knows, and it counts as written. Holds the
    /// pool's metadata snapshot for a moment; reads nothing.
    pub(super) fn is_unwritten(&self, end: &End, group: &[Lv], live: &Lv, layer: &LayerId) -> Result<bool, Refusal> {
        let made_of = end.layers(group).into_iter().find(|lv| is(lv, layer));
        let Some(base) = made_of.filter(|base| base.pool == live.pool && base.size == live.size) else {
            return Ok(false);
        };
        if live.attr.lv_type() != LvType::ThinVolume {
            return Ok(false);
        }
        let selection = Selection { base: Some(base.clone()), ..Selection::find(&self.lvm, &live.name, None, None)? };
        if selection.new.uuid != live.uuid {
            return Ok(false);
        }
        let delta = selection.delta(&self.lvm, &self.stopping())?;
        Ok(delta.data.is_empty() && delta.zero.is_empty())
    }
}

/// Somebody wrote to the volume since it held this layer; where that is gone, it can only become the newest that is there.
fn written(end: &End, group: &[Lv], since: LayerId) -> Result<Live, Refusal> {
    let layers = end.layers(group);
    if layers.iter().any(|lv| is(lv, &since)) {
        return Ok(Live::Written { since });
    }
    newest(&layers).map_or(Ok(Live::Unknown), |layer| Ok(Live::Written { since: id_of(layer)? }))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{lv, pair};
    use super::*;
    use crate::Role;

    #[test]
    fn whose_a_volume_is() {
        let end = End::new(&"vg0/data".parse().unwrap(), &pair(), Role::Destination);
        let layer = |id: &str| LayerId::new(id).unwrap();
        let (rw, ro) = ("Vwi-a-tz--", "Vri-a-tz--");
        let own = "jeQKMH-O6R5-y0Qz-wjUO-mBqa-Ye7u-UXe37K";
        for (tags, attr, expected) in [
            ("", rw, Standing::Unknown),
            ("", ro, Standing::Unknown),
            ("hyperlayer.sync=web1:vg0/data,hyperlayer.live=one", rw, Standing::Ours(layer("one"))),
            ("hyperlayer.sync=other,hyperlayer.live=one", rw, Standing::Others(layer("one"))),
            ("hyperlayer.sync=other", rw, Standing::Others(layer(own))),
            ("hyperlayer.layer=one", ro, Standing::Others(layer("one"))),
            ("hyperlayer.layer=one", rw, Standing::Unknown),
            ("hyperlayer.live=one", rw, Standing::Others(layer("one"))),
        ] {
            let volume = lv(&[("lv_tags", tags), ("lv_attr", attr)]);
            assert_eq!(Standing::of(&volume, &end), expected, "{tags} {attr}");
        }
    }
}

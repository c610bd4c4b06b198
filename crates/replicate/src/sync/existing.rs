//! The first layer for a destination that exists already: only what differs is sent.

use extents::Bytes;
use hyperlayer::LayerId;

use super::SyncError;
use super::run::Run;
use crate::limits::MAX_HASHES;
use crate::wire::manage::{Bits, Differ};
use crate::{Compare, Layer, Role};

/// Small enough that a change of a few bytes sends little, large enough that hashes are a thousandth of what they stand for.
pub(super) const BLOCK: Bytes = Bytes::new(65536);

/// How much one request is about: 256 MiB.
const STEP: u64 = BLOCK.get() * MAX_HASHES as u64;

impl Run<'_, '_> {
    /// Compares both block by block, and hands on which blocks differ, until it is told to stop.
    pub(super) fn compare(
        &self,
        (layer, size): (&LayerId, Bytes),
        (parent, parent_size): (&LayerId, Bytes),
        mut differing: impl FnMut(Bytes, Vec<bool>) -> Result<bool, SyncError>,
    ) -> Result<(), SyncError> {
        let ask = |role, layer: &LayerId, start, len| Compare {
            volume: self.volume(role).clone(),
            pair: self.pair.clone(),
            role,
            layer: layer.clone(),
            start,
            len,
            block: BLOCK,
        };
        let mut at = Bytes::ZERO;
        while at < size {
            let len = size.saturating_sub(at).min(Bytes::new(STEP));
            // What lies past the end of a smaller destination is sent.
            let common = parent_size.saturating_sub(at).min(len);
            let blocks = len.get().div_ceil(BLOCK.get());
            let mut bits = vec![true; usize::try_from(blocks).unwrap_or(MAX_HASHES)];
            if !common.is_zero() {
                // Both read at the same time.
                self.source.ask_hashes(ask(Role::Source, layer, at, common))?;
                self.destination.ask_hashes(ask(Role::Destination, parent, at, common))?;
                let (here, there) = (self.source.hashes()?, self.destination.hashes()?);
                for (bit, (here, there)) in bits.iter_mut().zip(here.iter().zip(&there)) {
                    *bit = here != there;
                }
                // The hash of a short block at the source is not that of a whole one: only where both end there.
                if common < len && !common.get().is_multiple_of(BLOCK.get()) {
                    let last = usize::try_from(common.get() / BLOCK.get()).unwrap_or(MAX_HASHES);
                    bits.iter_mut().skip(last).take(1).for_each(|bit| *bit = true);
                }
            }
            let from = at;
            at = at.saturating_add(len);
            self.events.compared(at, size);
            if !differing(from, bits)? {
                break;
            }
        }
        Ok(())
    }

    /// Tells the source which blocks of its layer differ from the destination's.
    pub(super) fn note_differing(&self, newest: &Layer, base: &Layer) -> Result<(), SyncError> {
        let (Some(layer), Some(parent)) = (newest.ids.first(), base.ids.first()) else { return Ok(()) };
        self.compare((layer, newest.size), (parent, base.size), |start, bits| {
            // No more blocks than one answer has hashes, and at least one.
            let Ok(bits) = Bits::new(bits) else { return Ok(false) };
            self.source.differ(Differ {
                volume: self.want.source.clone(),
                pair: self.pair.clone(),
                layer: layer.clone(),
                parent: parent.clone(),
                start,
                block: BLOCK,
                bits,
            })?;
            Ok(true)
        })
    }
}

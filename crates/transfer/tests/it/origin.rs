//! Volumes that read through to an external origin where they have mapped nothing.

use std::collections::BTreeSet;

use extents::Bytes;
use proptest::prelude::*;
use testkit::{Pair, ThinVolume, chunk_runs, pairs, stamped};
use thin_delta::DeltaReader;
use transfer::{Delta, Geometry};

use crate::geometry;

/// What a reader sees of a volume in front of `origin`.
fn through(volume: &ThinVolume, origin: &[u8]) -> Vec<u8> {
    let chunk_len = volume.chunk().bytes().to_usize().unwrap();
    let mapped: BTreeSet<u64> = volume.mapped().collect();
    let mut content = volume.content();
    for (at, byte) in content.iter_mut().enumerate() {
        if !mapped.contains(&((at / chunk_len) as u64)) {
            *byte = origin.get(at).copied().unwrap_or(0);
        }
    }
    content
}

/// What a receiver that has `base` gets.
fn applied(delta: &Delta, new: &[u8], base: &[u8]) -> Vec<u8> {
    let mut result = base.to_vec();
    result.resize(new.len(), 0);
    let index = |at: Bytes| at.to_usize().unwrap();
    for range in &delta.zero {
        result[index(range.start())..index(range.end()).min(new.len())].fill(0);
    }
    for range in &delta.data {
        let range = index(range.start())..index(range.end());
        result[range.clone()].copy_from_slice(&new[range]);
    }
    result
}

proptest! {
    #[test]
    fn a_delta(pair in pairs(), origin_len in 0usize..300_000) {
        let Pair { old, new } = &pair;
        let origin = stamped(50, 0, origin_len);
        let xml = pair.xml();
        let runs = DeltaReader::new(xml.as_bytes()).unwrap();
        let delta = Delta::between(runs, geometry(&pair)).unwrap();
        let delta = delta.through_origin(origin.len().into(), geometry(&pair));
        prop_assert!(applied(&delta, &through(new, &origin), &through(old, &origin)) == through(new, &origin));
    }

    #[test]
    fn a_full_layer(pair in pairs(), origin_len in 0usize..300_000) {
        let (new, origin) = (&pair.new, stamped(50, 0, origin_len));
        let geometry = Geometry { size: new.size(), base_size: Bytes::ZERO, chunk: new.chunk() };
        let mapped = chunk_runs(new.mapped()).into_iter().map(Ok::<_, transfer::Error>);
        let delta = Delta::full(mapped, geometry).unwrap().through_origin(origin.len().into(), geometry);
        prop_assert!(applied(&delta, &through(new, &origin), &[]) == through(new, &origin));
    }
}

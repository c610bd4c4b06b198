//! How much of a pool a layer that is offered will take.

use extents::{Bytes, ChunkSize, Chunks};

use crate::Plan;

/// The most chunks of `chunk` that the layer's data takes here, on a base of `base_size` (zero: on none). `unmaps`: whether the
/// pool unmaps what becomes zero.
pub(super) fn chunks_here(plan: &Plan, chunk: ChunkSize, base_size: Bytes, unmaps: bool) -> Chunks {
    let (there, here) = (plan.chunk_size.bytes().get(), chunk.bytes().get());
    // A chunk of the source's lies in so many of ours: in one where ours are multiples of it, else it may begin within one.
    let aligned = there.is_multiple_of(here) || here.is_multiple_of(there);
    let each = there.div_ceil(here) + u64::from(!aligned);
    let chunks = |count: u64| count.saturating_mul(each);
    let mut most = chunks(plan.chunks.get());
    if !base_size.is_zero() {
        let zeroed = plan.zero.get().div_ceil(there);
        let edges = if there.is_multiple_of(here) { 0 } else { zeroed.saturating_mul(2) };
        most = most.saturating_add(if unmaps { edges } else { chunks(zeroed) });
        // Both ends of what only one of base and result has.
        most = most.saturating_add(2 * u64::from(base_size != plan.volume_size));
    }
    chunk.count(plan.volume_size.max(base_size)).min(Chunks::new(most))
}

#[cfg(test)]
mod tests {
    use hyperlayer::LayerId;

    use super::*;

    const KIB: u64 = 1024;

    fn plan(chunk: u64, chunks: u64, zero: u64) -> Plan {
        Plan {
            layer: LayerId::new("two").unwrap(),
            parent: None,
            volume_size: Bytes::new(1024 * KIB),
            chunk_size: ChunkSize::from_bytes(Bytes::new(chunk)).unwrap(),
            stream: Bytes::new(1),
            data: Bytes::new(chunks * chunk),
            zero: Bytes::new(zero),
            chunks: Chunks::new(chunks),
        }
    }

    #[test]
    fn chunks_of_another_length() {
        let all = Bytes::new(1024 * KIB);
        for (there, here, chunks, zero, base, unmaps, expected) in [
            (64, 64, 3, 0, Bytes::ZERO, true, 3),
            (64, 256, 3, 0, Bytes::ZERO, true, 3),
            (256, 64, 3, 0, Bytes::ZERO, true, 12),
            (64, 192, 3, 0, Bytes::ZERO, true, 3),
            (128, 192, 2, 0, Bytes::ZERO, true, 4),
            (64, 64, 3, 128 * KIB, all, true, 3),
            (64, 64, 3, 128 * KIB, all, false, 5),
            (64, 256, 1, 64 * KIB, all, true, 3),
            (64, 64, 1, 0, Bytes::new(512 * KIB), true, 3),
            (64, 64, 16, 0, Bytes::ZERO, true, 16),
            (64, 512, 16, 0, Bytes::ZERO, true, 2),
        ] {
            let chunk = ChunkSize::from_bytes(Bytes::new(here * KIB)).unwrap();
            let found = chunks_here(&plan(there * KIB, chunks, zero), chunk, base, unmaps);
            assert_eq!(found, Chunks::new(expected), "{there} {here} {chunks} {zero} {base} {unmaps}");
        }
    }
}

//! What a user of the crate may rely on.

#![allow(clippy::print_stderr, clippy::unwrap_used, reason = "tests, also their helpers")]

mod beside;
mod chunks;
mod files;
mod loop_device;
mod loops;
mod pipelines;
mod zeros;

use extents::{Bytes, ChunkSize, Extent};

fn extent(start: u64, len: u64) -> Extent<Bytes> {
    Extent::new(Bytes::new(start), Bytes::new(len)).unwrap()
}

fn chunk_size(bytes: u64) -> ChunkSize {
    ChunkSize::from_bytes(Bytes::new(bytes)).unwrap()
}

/// Bytes that prove their place, none of them zero.
fn stamped(len: usize) -> Vec<u8> {
    (0..len).map(|i| u8::try_from((i * 7 + i / 255 * 13) % 255).unwrap() + 1).collect()
}

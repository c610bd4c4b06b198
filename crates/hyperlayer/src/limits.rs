//! Every bound of the format, by name. A reader checks each before it acts on a number, and says both numbers.

use extents::Bytes;

/// The longest line, in bytes, its newline included.
pub const MAX_LINE_BYTES: usize = 4096;
/// The longest header, in bytes, from the magic line to the empty line, both included.
pub const MAX_HEADER_BYTES: usize = 64 * 1024;
/// The most `Key: value` lines in one header.
pub const MAX_HEADER_KEYS: usize = 256;
/// The longest layer id, in bytes: with a prefix it still fits into an LVM tag (1024 bytes).
pub const MAX_LAYER_ID_BYTES: usize = 128;
/// The most data in one record of 1.1. Under 1.0 a reader has no such limit, since it holds no payload.
pub const MAX_DATA_RECORD: Bytes = Bytes::new(16 * 1024 * 1024);
/// How long a writer should make a data record where the data allows it: long enough that lines cost nothing, short
/// enough that a record and its check stay in a processor's cache.
pub const RECOMMENDED_DATA_RECORD: Bytes = Bytes::new(1024 * 1024);
/// The largest volume: Linux counts file offsets in 63 bits, and a volume is whole sectors.
pub const MAX_VOLUME_SIZE: Bytes = Bytes::new((1 << 63) - 512);
/// The largest chunk: a thin pool allows no more (`DATA_DEV_BLOCK_SIZE_MAX_SECTORS` in the kernel's `dm-thin.c`).
pub const MAX_CHUNK_SIZE: Bytes = Bytes::new(1 << 30);
/// How many separate ranges a 1.0 reader remembers to find overlaps. A stream in ascending order, which is all that
/// the original writes, may have any number; only one that jumps back after so many is refused.
pub const MAX_RANGES_1_0: usize = 1 << 20;

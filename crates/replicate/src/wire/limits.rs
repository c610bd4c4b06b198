//! Every bound of the protocol, by name. A reader checks each before it acts on a number, and says both numbers.

use extents::Bytes;

/// What each side writes before its first frame.
pub const PREAMBLE: &[u8; 19] = b"hyperlayer-session\n";
/// The oldest version that this crate speaks.
pub const OLDEST_VERSION: u32 = 1;
/// The newest version that this crate speaks.
pub const NEWEST_VERSION: u32 = 1;

/// The part of a frame before its body, in bytes.
pub const HEADER_BYTES: usize = 16;
/// The most of a stream in one data frame, in bytes: long enough that headers cost nothing, short enough that an
/// acknowledgement or a refusal is never long behind data.
pub const MAX_DATA_BYTES: usize = 256 * 1024;
/// The longest body of a message in JSON, in bytes, but for a listing.
pub const MAX_CONTROL_BYTES: usize = 16 * 1024;
/// The longest body of a listing, in bytes.
pub const MAX_LISTING_BYTES: usize = 1024 * 1024;
/// The longest frame, in bytes; what a reader's buffer holds at most.
pub const MAX_FRAME_BYTES: usize = HEADER_BYTES + MAX_LISTING_BYTES;
/// The most that a reader and the message that it decodes hold together, in bytes.
pub const MAX_MEMORY_BYTES: usize = 4 * 1024 * 1024;

/// The most layers in one listing: those that are the newest.
pub const MAX_LAYERS: usize = 1024;
/// The most ids by which one volume is known as a layer.
pub const MAX_LAYER_IDS: usize = 4;
/// The most rules of what stays, in one request.
pub const MAX_RULES: usize = 32;
/// The longest reason why one layer goes, in bytes.
pub const MAX_WHY_BYTES: usize = 256;
/// The most hashes in one answer.
pub const MAX_HASHES: usize = 4096;
/// The most blocks in one request that says which of them differ: those of one answer with hashes.
pub const MAX_BITS: usize = MAX_HASHES;
/// The smallest block that is hashed.
pub const MIN_BLOCK: Bytes = Bytes::new(4096);
/// The largest block that is hashed.
pub const MAX_BLOCK: Bytes = Bytes::new(16 * 1024 * 1024);

/// The longest text for people, in bytes.
pub const MAX_TEXT_BYTES: usize = 2048;
/// The longest name of a host, in bytes.
pub const MAX_HOST_BYTES: usize = 255;
/// The longest word, in bytes: an ability, the name of a kind of refusal.
pub const MAX_WORD_BYTES: usize = 32;
/// The most abilities in one hello.
pub const MAX_ABILITIES: usize = 32;
/// The longest name of a pair, in bytes: with its prefix it still fits into an LVM tag.
pub const MAX_PAIR_BYTES: usize = 256;

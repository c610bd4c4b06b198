//! Where something lies on a volume: units that cannot be mixed, half-open ranges, and sorted sets of ranges.
//!
//! Byte offsets, 512-byte sectors and thin-pool chunks are all `u64`, and mixing two of them destroys somebody's
//! data. Here each is a type of its own; from one to another leads only a named conversion.
//!
//! ```
//! use extents::{Bytes, ChunkSize, Chunks, Extent, ExtentSet};
//!
//! let chunk = ChunkSize::from_bytes(Bytes::new(65536)).expect("128 sectors");
//! let changed = Extent::new(Chunks::new(5), Chunks::new(2)).expect("not empty");
//! let bytes = chunk.extent(changed).expect("in range");
//! assert_eq!((bytes.start(), bytes.end()), (Bytes::new(327_680), Bytes::new(458_752)));
//!
//! let mut set = ExtentSet::new();
//! set.insert(bytes);
//! assert_eq!(set.total(), Bytes::new(131_072));
//! ```
//!
//! **Units.** A range is half-open: its start belongs to it, its end does not. No range is empty and none ends past
//! `u64::MAX`. **Invariant.** This crate does no input or output, depends on nothing, and knows no format.
//! **Panics.** Nothing here panics; what can overflow returns an `Option`.

#![forbid(unsafe_code)]

mod extent;
mod set;
mod size;
mod units;

pub use extent::Extent;
pub use set::ExtentSet;
pub use size::{ParseSizeError, human, parse_size};
pub use units::{Bytes, ChunkSize, Chunks, SECTOR_BYTES, Sectors, Unit};

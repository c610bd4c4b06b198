//! A streaming parser of the XML that `thin_delta` and `thin_dump` (thin-provisioning-tools) print: which chunks of a
//! thin volume are mapped, and where two volumes of one pool differ.
//!
//! ```
//! use extents::{Chunks, Extent};
//! use thin_delta::{DeltaReader, Run, RunKind, Side, ThinId};
//!
//! let xml = br#"<superblock uuid="" time="1" transaction="3" data_block_size="128" nr_data_blocks="0">
//!   <diff left="1" right="2">
//!     <same begin="0" length="5"/>
//!     <different begin="5" length="1"/>
//!   </diff>
//! </superblock>
//! "#;
//! let mut delta = DeltaReader::new(&xml[..])?;
//! assert_eq!(delta.superblock().transaction, 3);
//! assert_eq!(delta.left(), Side::Device(ThinId::new(1).expect("24 bits")));
//!
//! let runs = delta.by_ref().collect::<Result<Vec<_>, _>>()?; // without an error: the document was complete
//! let changed = Extent::new(Chunks::new(5), Chunks::new(1)).expect("not empty");
//! assert_eq!(runs[1], Run { kind: RunKind::Different, chunks: changed });
//! # Ok::<(), thin_delta::Error>(())
//! ```
//!
//! # What is read
//! - [`DeltaReader`]: `thin_delta --snap1 A --snap2 B`, plain or `--verbose`, of 0.9 and 1.x, with device ids or with
//!   `--root1`/`--root2`.
//! - [`DumpReader`]: `thin_dump --dev-id N`, one device. A dump of a whole pool is refused, `def` and `ref` included:
//!   1.x shares sub-trees there, and to skip one is to lose its mappings.
//!
//! Attributes come in any order and unknown ones are passed over; an unknown element, text between tags, a comment or
//! a declaration is an error: none of these tools writes one, so what follows cannot be trusted to be understood.
//! Ranges must ascend and must not overlap. The iterators demand the end of the document (`</superblock>`, then
//! nothing but white space), so **a document that was cut never ends without an error**; whoever stops early has not
//! checked that. What a caller knows better is handed on for the caller to check: ids, transaction, chunk size, flags.
//!
//! # Data addresses
//! `data_begin` and its like say where in the pool's data device a chunk lies. They are passed over and no type here
//! holds one, because `thin_delta --verbose` of 1.0.0 to at least 1.3.3 prints wrong ones: it merges neighbouring
//! runs of one kind without looking whether their data is contiguous, and then prints the first run's address for all
//! of them. `begin` and `length` are right in every format. Read the thin devices, never the pool's data device.
//!
//! A different defect no parser can see: `thin_delta` 1.0.0 to 1.0.4 leaves out changes, with or without
//! `--verbose`. Test the program on a known image before its output is believed.
//!
//! # Units and limits
//! Ranges count chunks ([`extents::Chunks`]); [`Superblock::chunk_size`] says what one is in bytes, and every range
//! handed out converts to bytes without overflow. Ranges may lie past the end of the volume: dm-thin does not store
//! sizes, so after a volume was shrunk the chunks behind its end stay mapped; clip them. The last chunk of a volume
//! that is no multiple of the chunk size is listed like any other.
//!
//! Memory does not grow with the document: a tag may have [`MAX_TAG_BYTES`] bytes and [`MAX_ATTRIBUTES`] attributes.
//! An entity (`&amp;`) in a value that is used is refused, as is a `>` in any value; the tools write numbers only.
//!
//! **Invariant.** This crate runs no program, opens no device and knows nothing of LVM. **Panics.** None.

#![forbid(unsafe_code)]

mod delta;
mod dump;
mod error;
#[cfg(any(test, fuzzing, feature = "fuzzing"))]
pub mod fuzzing;
mod order;
mod superblock;
mod tag;
mod tags;

pub use delta::{DeltaReader, Run, RunKind, Side};
pub use dump::{Device, DumpReader};
pub use error::{Error, Excerpt, MAX_EXCERPT_BYTES};
pub use superblock::{Superblock, ThinId};
pub use tag::MAX_ATTRIBUTES;
pub use tags::MAX_TAG_BYTES;

//! The HYPERLAYER stream format: what changed on a volume, as one stream of bytes.
//!
//! This crate reads HYPERLAYER 1.1 and every known dialect of 1.0, and writes 1.1 and the 1.0 that the original
//! `lvpatch` applies rightly. With features it reads the streams of other tools too, as the same events, and writes
//! thin-send. `FORMAT.md`, beside this crate's manifest, is the normative text.
//!
//! [`Decoder`] and [`Encoder`] do no input and output of their own (bytes in, events out; records in, bytes out);
//! [`Reader`] and [`Writer`] put them over [`BufRead`](std::io::BufRead) and [`Write`](std::io::Write). A [`Skimmer`] steps
//! over the data.
//!
//! ```
//! use extents::{Bytes, ChunkSize, Extent};
//! use hyperlayer::{Event, Header, Reader, Totals, Writer};
//!
//! let chunk_size = ChunkSize::from_bytes(Bytes::new(4096)).expect("8 sectors");
//! let data = Extent::new(Bytes::new(4096), Bytes::new(4096)).expect("not empty");
//! let gone = Extent::new(Bytes::new(16384), Bytes::new(8192)).expect("not empty");
//! let totals = Totals { data_records: 1, data: data.len(), zero_records: 1, zero: gone.len(), ..Totals::default() };
//! let size = Bytes::new(65536);
//!
//! let mut writer = Writer::new(Vec::new(), &Header::delta(size, size, chunk_size, totals))?;
//! writer.data(data, &[b'x'; 4096])?;
//! writer.zero(gone)?;
//! let (stream, _) = writer.finish()?;
//!
//! let mut reader = Reader::new(stream.as_slice());
//! let mut volume = vec![b'o'; 65536];
//! while let Some(event) = reader.next_event()? {
//!     match event {
//!         Event::Data { at, bytes } => {
//!             let at = at.to_usize().expect("small");
//!             volume[at..at + bytes.len()].copy_from_slice(bytes);
//!         }
//!         Event::Zero(range) => volume[range.start().get() as usize..range.end().get() as usize].fill(0),
//!         _ => {}
//!     }
//! }
//! assert_eq!((volume[0], volume[4096], volume[16384]), (b'o', b'x', 0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! **Units.** Every range and length is in bytes and whole 512-byte sectors; positions in errors are bytes from the
//! beginning of the input. **Limits.** All in [`limits`]; memory is bounded by them whatever the input says.
//! **Invariant.** This crate knows no file, device, LVM or clock, and compresses nothing. **Features.** `lvbackup-v1`,
//! `thin-send`, `lvmsync`, `ddxml`: those formats, none by default; `foreign`: all of them. `fuzzing`: the relations that
//! the fuzz targets assert. **Panics.** None.

#![forbid(unsafe_code)]

mod chain;
mod coverage;
mod decode;
mod digest;
mod encode;
mod error;
mod event;
// With a part of the formats, a part of what they share is not needed.
#[cfg_attr(not(feature = "foreign"), allow(dead_code, unused_imports))]
mod foreign;
mod format;
#[cfg(any(test, fuzzing, feature = "fuzzing"))]
pub mod fuzzing;
mod header;
mod id;
pub mod limits;
mod measure;
mod outline;
mod reader;
mod record;
mod rules;
mod skim;
mod writer;

pub use coverage::delta_blocks;
pub use decode::Decoder;
pub use digest::{Check, CheckHash, CheckHasher, Digest, DigestError, UnsupportedHash};
pub use encode::{Encoder, Finished, ZeroPieces};
pub use error::{DecodeError, EncodeError, ErrorKind, ReadError, RuleError, WriteError};
pub use event::{Completeness, End, Event, Record};
pub use foreign::ReadOptions;
#[cfg(feature = "thin-send")]
pub use foreign::thin_send::ThinSendEncoder;
pub use format::Format;
pub use header::{Header, HeaderError, Kind, Resumes, Totals};
pub use id::{LayerId, LayerIdError};
pub use measure::stream_len;
pub use outline::{Content, Outline, OutlineError};
pub use reader::Reader;
pub use record::DATA_TRAILER;
pub use skim::{Skim, SkimReader, Skimmer};
pub use writer::Writer;

//! Receiving a chain of layers so that it can be interrupted anywhere and continued.
//!
//! A [`Receiver`] applies one layer after the other on the targets that a [`Site`] makes for them. While it does, it
//! keeps a [`Partial`] in a [`Ledger`]: which layers are in, and up to which byte of the volume the next one is, for
//! good: the data was durable before the ledger says so. Whoever is interrupted, by whatever, reads the ledger, opens
//! the targets again and hands the same layers over again. What is in is compared, and not written; or it is not even sent,
//! where the sender knows the [`ResumeToken`].
//!
//! **What is checked of a layer that came in two streams.** Each record, its range and its data, by its CRC-32 before anything
//! of it is written; these checks form a chain, so no record is missing before one that was right. That the records lie where
//! they lie in the whole layer, by the [`Outline`](hyperlayer::Outline) of the first part, which the second stream states or
//! repeats. Everything from there on, by the second stream's digest. Data that comes again is compared with what is in the
//! target: an id alone does not say that a writable volume did not change between the two streams. Where it does not come
//! again, the sender must know that its volume did not change.
//!
//! **What an earlier attempt may leave.** Up to its [`Mark`], what the stream says. From there to the mark's
//! [`reach`](Mark::reach), anything: before the layer goes on, this part is compared with what the target was made of and
//! made equal to it. Where the part below the mark does not agree with a stream that holds it again, the layer begins again
//! in the same way.
//!
//! **What a layer that is in is known by.** Its id, and a fingerprint of the chain up to it: where all records lie and what they
//! hold. A layer of the same id and other content is refused. A layer without an id, or in another format, is known by the
//! bytes of its stream. Before anything is applied on a layer that is in, samples of it are read back.
//!
//! **Limit.** Where all layers go into one target ([`FileSite`]), the parent of a later layer is gone while that is
//! received: what was written past a mark stays unless the stream covers it. A whole stream is therefore continued there only
//! where it states the same totals and the same time as the first one. The time may differ where the id is derived from the
//! content (`blake3:`). Other records of the same total size, of the same id and time, are not found. A stream whose header
//! states something else is refused, and what was received stays. The samples of the layers before are read back there only
//! past the mark's reach, 4 GiB by default. A rollback of a smaller file is found only in the records that come again.
//!
//! Only a layer of HYPERLAYER 1.1 that has an id is continued in its middle. Any other begins anew, and where
//! its target cannot, so does the chain.

mod apply;
mod file;
mod fingerprint;
mod ledger;
mod mark;
mod mend;
mod partial;
mod receiver;
mod rehearse;
mod text;
mod token;

pub use file::FileSite;
pub use file::identify_image;
pub use fingerprint::Sum;
pub use ledger::{DEFAULT_PARTIAL_DIR, Ledger, LedgerError, LedgerFile};
pub use mark::{Mark, Reach, Samples};
pub use partial::{Begun, Partial, PartialBase, Whole};
pub use receiver::{Received, Receiver, Site, Want};
pub use rehearse::Rehearsal;
pub use token::{ResumeToken, TokenError};

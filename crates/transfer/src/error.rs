//! Why a transfer failed.

mod hint;
mod kind;

use std::io;

use extents::{Bytes, ChunkSize, Chunks, Extent, human};
use hyperlayer::{DecodeError, EncodeError, Format, LayerId, LayerIdError, ReadError, UnsupportedHash};
use lvm_cmd::with_causes;

use crate::lvm::LvmError;
use crate::receive::LedgerError;

pub use kind::ErrorKind;

/// Why a transfer failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The stream is cut, altered, or none.
    #[error("the stream is refused")]
    Stream {
        /// Where and why.
        source: DecodeError,
    },
    /// The stream's source failed.
    #[error("cannot read the stream after byte {position}")]
    Input {
        /// How much was read, in bytes.
        position: u64,
        /// What the system said.
        source: io::Error,
    },
    /// Nothing came.
    #[error("there is no stream: the input is empty")]
    NoStream,
    /// Nothing in the stream says that it is whole.
    #[error("the stream does not say how much it holds, so nobody can tell whether it was cut")]
    OpenEnd,
    /// A second stream follows the first one.
    #[error("the input holds more than one layer")]
    SecondLayer,
    /// A stream of a format that does not name a delta's base.
    #[error("the stream, in the format {format}, does not name its base")]
    NoIdentity {
        /// The format.
        format: Format,
    },
    /// A stream of a format that does not say it, and neither a base nor the caller does.
    #[error("nothing says how large the volume is: the stream does not")]
    SizeUnknown,
    /// A record past the end of a volume whose size the stream does not say.
    #[error("a record of bytes {extent} lies past the end of the volume, which has {size} bytes")]
    PastSize {
        /// The record.
        extent: Extent<Bytes>,
        /// The size that was given, or the base's.
        size: Bytes,
    },
    /// What was to be sent is no valid stream: a header that cannot be written, or a defect.
    #[error("cannot write this as a stream")]
    Encode {
        /// Why not.
        #[from]
        source: EncodeError,
    },
    /// The version that was asked for cannot say this.
    #[error("HYPERLAYER 1.0 {what}")]
    NotInOld {
        /// What it cannot say.
        what: &'static str,
    },
    /// The stream's destination failed.
    #[error("cannot write the stream")]
    Output(#[source] io::Error),
    /// A base check uses a hash of another tool.
    #[error("the base cannot be checked")]
    UnknownHash(#[source] UnsupportedHash),

    /// A full layer was to be applied on a base.
    #[error("the stream is a full layer, which replaces everything, and was to be applied on `{base}`")]
    FullLayer {
        /// The base.
        base: String,
    },
    /// A delta was to be applied on nothing.
    #[error("the stream is a delta and needs its base{}", named(parent.as_ref()))]
    NeedsBase {
        /// The layer that the base must hold.
        parent: Option<LayerId>,
    },
    /// The stream was made against another layer than the base holds.
    #[error(
        "`{base}` is not the stream's base: the stream was made against layer {expected}, `{base}` is {}",
        list(found)
    )]
    WrongBase {
        /// The base.
        base: String,
        /// The stream's parent.
        expected: LayerId,
        /// What the base may stand for.
        found: Vec<LayerId>,
    },
    /// The base was the right layer, but could be written since.
    #[error("`{base}` was layer {expected}, but it is writable and may have changed since")]
    BaseWritable {
        /// The base.
        base: String,
        /// The stream's parent.
        expected: LayerId,
    },
    /// The base is being written.
    #[error("`{base}` is writable and in use")]
    BaseInUse {
        /// The base.
        base: String,
    },
    /// The base has another size than the stream's parent had.
    #[error("`{base}` has {found} bytes, the volume that the stream was made against had {expected}")]
    BaseSize {
        /// The base.
        base: String,
        /// The parent's size.
        expected: Bytes,
        /// The base's size.
        found: Bytes,
    },
    /// The base's content is not what the stream was made against.
    #[error("the base differs from the one that the stream was made against, in bytes {extent}")]
    BaseChanged {
        /// The range that was checked.
        extent: Extent<Bytes>,
    },
    /// A check lies where the base has nothing.
    #[error("the stream checks bytes {check} of its base, which has only {size}")]
    BaseTooSmall {
        /// The base's size.
        size: Bytes,
        /// The range to check.
        check: Extent<Bytes>,
    },
    /// The target cannot take base and result.
    #[error("the target has {size} bytes and needs {needed}")]
    TargetTooSmall {
        /// The target's size.
        size: Bytes,
        /// What is needed.
        needed: Bytes,
    },
    /// Something about one of several inputs.
    #[error("`{input}`")]
    In {
        /// What its user calls it.
        input: String,
        /// What is wrong.
        source: Box<Error>,
    },
    /// Another layer than was expected.
    #[error("`{input}` is {}, expected layer {expected}", list(found.as_slice()))]
    OtherLayer {
        /// Where it was looked for.
        input: String,
        /// The layer that was expected.
        expected: LayerId,
        /// The layer that is there; `None` where it has no name.
        found: Option<LayerId>,
    },
    /// A volume of another size than was expected.
    #[error("`{input}` says that its volume has {} bytes, expected {expected}", found.map_or_else(|| "no known number of".to_owned(), |size| size.to_string()))]
    OtherVolumeSize {
        /// The layer.
        input: String,
        /// The size that was expected.
        expected: Bytes,
        /// The size that it says; `None` where it says none.
        found: Option<Bytes>,
    },
    /// A layer of a chain was made against another one than the one before it.
    #[error(
        "the chain is broken: `{input}` was made against layer {expected}, and `{before}` before it is {}",
        list(found.as_slice())
    )]
    BrokenChain {
        /// The layer that does not follow.
        input: String,
        /// Its parent.
        expected: LayerId,
        /// The layer before it.
        before: String,
        /// That one's id.
        found: Option<LayerId>,
    },
    /// A layer of a chain was made against a volume of another size than the layer before it leaves.
    #[error(
        "the chain is broken: `{input}` was made against a volume of {expected} bytes, and `{before}` before it leaves \
         one of {found}"
    )]
    ChainSize {
        /// The layer that does not follow.
        input: String,
        /// The size of its parent.
        expected: Bytes,
        /// The layer before it.
        before: String,
        /// The size of that one's volume.
        found: Bytes,
    },
    /// A full layer, which has no parent, follows another one.
    #[error("the chain is broken: `{input}` is a full layer, which begins a chain, and comes after `{before}`")]
    FullInChain {
        /// The full layer.
        input: String,
        /// The layer before it.
        before: String,
    },
    /// A chain does not begin with a full layer.
    #[error("the chain has no beginning: `{input}` is a delta{}", and_needs(parent.as_ref()))]
    NoRoot {
        /// The oldest layer there is.
        input: String,
        /// Its parent.
        parent: Option<LayerId>,
    },
    /// A format that does not say how large the volume is.
    #[error("`{input}` does not say how large its volume is")]
    NoSize {
        /// The layer.
        input: String,
    },
    /// The records of a layer do not ascend, as is needed to read several layers side by side.
    #[error("`{input}` has its records in no ascending order: bytes {extent} come after byte {before}")]
    Unsorted {
        /// The layer.
        input: String,
        /// The record that goes back.
        extent: Extent<Bytes>,
        /// Where the one before it ends.
        before: Bytes,
    },
    /// Only the rest of a layer, for a receiver that was interrupted.
    #[error(
        "`{input}` holds only the rest of a layer, for a receiver that was interrupted and has what is before that"
    )]
    Rest {
        /// The layer.
        input: String,
    },
    /// The rest of a layer from another place on than the receiver was interrupted at.
    #[error("`{input}` goes on at byte {found} of its volume, and the receive was interrupted at byte {expected}")]
    OtherRest {
        /// The layer.
        input: String,
        /// Where the rest begins.
        found: Bytes,
        /// Where it must begin.
        expected: Bytes,
    },
    /// What was received and what is sent now are not the same layer, or one of them was altered.
    #[error("what lies below byte {at} of the volume is not what was received before the interruption")]
    OtherBeginning {
        /// Where the receive was interrupted.
        at: Bytes,
    },
    /// The target no longer holds what was received: its pool was rolled back, or another program wrote to it.
    #[error("what was received up to byte {at} of the volume is no longer in it: it was rolled back or written to")]
    RolledBack {
        /// Where the receive was interrupted.
        at: Bytes,
        /// How many of the layers before this one are still in.
        layers: u64,
    },
    /// A layer that cannot begin again where it is, since what was there before it is overwritten.
    #[error(
        "what was received up to byte {at} of the volume is not of the stream that comes now, and the state before this \
         layer is overwritten"
    )]
    Overwritten {
        /// Where the receive was interrupted.
        at: Bytes,
    },
    /// A layer that cannot begin again where it is, of whose stream the header states something else than that of the first
    /// stream. Nothing was compared with what was received.
    #[error(
        "`{input}` is not the stream that was interrupted at byte {at} of the volume: its header states another time, size, \
         chunk size or number of records"
    )]
    OtherHeader {
        /// The layer.
        input: String,
        /// Where the receive was interrupted.
        at: Bytes,
    },
    /// A chain of the same ids, of which a layer that is in has another content, or the same content in other records.
    #[error(
        "the layers up to `{input}` differ from those that were received before the interruption, in content or in how they \
         are recorded"
    )]
    OtherContent {
        /// The last layer that is in.
        input: String,
    },
    /// Not the chain of which some layers are in.
    #[error(
        "`{input}` is {}, and not the last layer that was received before the interruption, which is {}",
        list(found.as_slice()), list(expected.as_slice())
    )]
    OtherChain {
        /// The layer that stands where that one should.
        input: String,
        /// Its id.
        found: Option<LayerId>,
        /// The id of the layer that is in.
        expected: Option<LayerId>,
    },
    /// Fewer layers than were begun.
    #[error("the input ends before {}, which was begun before the interruption", list(layer.as_slice()))]
    ShortChain {
        /// The layer that is missing.
        layer: Option<LayerId>,
    },
    /// It is not known how far an interrupted receive was.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// What was read twice was not the same.
    #[error("`{input}` changed while it was read")]
    InputChanged {
        /// The layer.
        input: String,
    },
    /// A map of changes goes past the largest offset.
    #[error("chunks {chunks} lie past the largest offset there is")]
    TooFar {
        /// The run.
        chunks: Extent<Chunks>,
    },
    /// A map of changes was made with another chunk, or of a pool that is damaged.
    #[error("the delta is refused: {0}")]
    OddDelta(String),
    /// The output of `thin_delta` or `thin_dump` is not what it must be.
    #[error("cannot understand what differs")]
    Delta {
        /// Where and why.
        #[from]
        source: thin_delta::Error,
    },
    /// Reading or writing a volume failed, or a request to stop ended it.
    #[error(transparent)]
    Copy(#[from] block_copy::Error),
    /// LVM or the device mapper refused, or what they hold does.
    #[error(transparent)]
    Lvm(Box<LvmError>),
    /// A text is no layer id.
    #[error("cannot name the layer")]
    LayerId {
        /// Why not.
        #[from]
        source: LayerIdError,
    },
    /// Something failed, and undoing it failed too.
    #[error("{}; it was to be undone because of: {}", with_causes(left), with_causes(cause))]
    AndLeft {
        /// What failed first.
        cause: Box<Error>,
        /// What could not be undone.
        left: Box<Error>,
    },
}

/// The result of an operation and of undoing what it needed: where both failed, both are told.
///
/// # Errors
/// Either one, or [`Error::AndLeft`].
pub fn undone<T>(result: Result<T, Error>, undo: Result<(), Error>) -> Result<T, Error> {
    match (result, undo) {
        (Ok(value), Ok(())) => Ok(value),
        (Err(error), Ok(())) | (Ok(_), Err(error)) => Err(error),
        (Err(cause), Err(left)) => Err(Error::AndLeft { cause: Box::new(cause), left: Box::new(left) }),
    }
}

impl Error {
    /// The same, said of one of several inputs. What was stopped was stopped, wherever it was noticed.
    #[must_use]
    pub(crate) fn of(self, input: &str) -> Self {
        match self {
            Self::Copy(block_copy::Error::Stopped) => self,
            source => Self::In { input: input.to_owned(), source: Box::new(source) },
        }
    }

    /// What a stream's destination failed with. What was stopped was stopped, wherever it was noticed.
    #[must_use]
    pub fn output(error: io::Error) -> Self {
        error.downcast::<block_copy::Error>().map_or_else(Self::Output, Self::Copy)
    }

    /// What a stream's source failed with before a reader of streams had it. What was stopped was stopped.
    #[must_use]
    pub fn input(source: io::Error) -> Self {
        ReadError::Io { position: 0, source }.into()
    }
}

impl From<ReadError> for Error {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Stream(source) => Self::Stream { source },
            ReadError::Io { position, source } => match source.downcast::<block_copy::Error>() {
                // What was stopped was stopped, wherever it was noticed.
                Ok(stopped) => Self::Copy(stopped),
                Err(source) => Self::Input { position, source },
            },
            other => Self::Input { position: 0, source: other.into() },
        }
    }
}

fn named(parent: Option<&LayerId>) -> String {
    parent.map_or_else(String::new, |parent| format!(", layer {parent}"))
}

fn and_needs(parent: Option<&LayerId>) -> String {
    parent.map_or_else(String::new, |parent| format!(" and needs layer {parent} before it"))
}

fn list(ids: &[LayerId]) -> String {
    let ids: Vec<_> = ids.iter().map(LayerId::as_str).collect();
    if ids.is_empty() { "of no known layer".to_owned() } else { format!("layer {}", ids.join(" or ")) }
}

/// Two sizes for a sentence: for people and to the byte.
pub(crate) fn both(size: Bytes) -> String {
    format!("{} ({size} bytes)", human(size))
}

/// Two chunk sizes in one sentence.
pub(crate) fn chunks_differ(expected: ChunkSize, found: ChunkSize) -> String {
    format!("its chunks have {found} bytes, the pool's have {expected}")
}

//! What messages are made of.

use std::collections::BTreeSet;

use extents::{Bytes, ChunkSize, Chunks};
use hyperlayer::{Digest, LayerId};
use lvm_cmd::{LvName, LvRef};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use transfer::receive::ResumeToken;

use crate::limits::{
    MAX_ABILITIES, MAX_DATA_BYTES, MAX_HOST_BYTES, MAX_LAYER_IDS, MAX_LAYERS, NEWEST_VERSION, OLDEST_VERSION,
};
use crate::wire::rule::{Rule, at_most, is_size, not_own_parent, sectors};
use crate::wire::text::{self, Text, Word};
use crate::{Layer, Live, Pair, Verify};

/// Who speaks. The one message that every version reads alike, and in which unknown keys are passed over.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Hello {
    /// The oldest version that it speaks.
    pub oldest: u32,
    /// The newest version that it speaks.
    pub newest: u32,
    /// What it can do beyond every version's minimum; those that the other side does not know mean nothing to it.
    #[serde(deserialize_with = "text::words")]
    pub abilities: BTreeSet<Word>,
    /// Name and version of the program.
    pub tool: Text,
    /// The name of the host that it runs on, for people and for the name of a pair; empty where nobody knows it.
    pub host: Text,
}

impl Hello {
    /// That of this crate's versions.
    #[must_use]
    pub fn new(abilities: impl IntoIterator<Item = Ability>, tool: &str, host: &str) -> Self {
        Self {
            oldest: OLDEST_VERSION,
            newest: NEWEST_VERSION,
            abilities: abilities.into_iter().map(Ability::word).collect(),
            tool: Text::new(tool),
            host: Text::new(host),
        }
    }

    /// Whether it can do that.
    #[must_use]
    pub fn can(&self, ability: Ability) -> bool {
        self.abilities.contains(&ability.word())
    }

    pub(crate) fn check(&self) -> Result<(), Rule> {
        if self.oldest == 0 || self.oldest > self.newest {
            return Err(Rule::Versions { oldest: self.oldest, newest: self.newest });
        }
        at_most("host", Bytes::from(self.host.as_str().len()).get(), MAX_HOST_BYTES as u64)?;
        at_most("abilities", Bytes::from(self.abilities.len()).get(), MAX_ABILITIES as u64)
    }
}

/// What a server may be able, or allowed, to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ability {
    /// Sends layers: takes `Plan`, `Send` and `Differ`.
    Send,
    /// Receives layers: takes `Try`, `Receive` and `Settle`.
    Receive,
    /// Hashes blocks: takes `Compare`.
    Compare,
    /// Makes layers: takes `Snapshot`.
    Snapshot,
    /// Takes over what others made: takes `Adopt`.
    Adopt,
    /// Removes layers: takes `Prune`.
    Prune,
    /// Understands `Packed`. Of both sides.
    Zstd,
}

impl Ability {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Receive => "receive",
            Self::Compare => "compare",
            Self::Snapshot => "snapshot",
            Self::Adopt => "adopt",
            Self::Prune => "prune",
            Self::Zstd => "zstd",
        }
    }

    fn word(self) -> Word {
        Word::own(self.name())
    }
}

/// What kind of no.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RefusalKind {
    /// The other side broke a rule of the protocol.
    Protocol,
    /// Both speak no version in common.
    Version,
    /// The server's rule forbids it.
    NotAllowed,
    /// There is no such volume, pool or layer.
    NotFound,
    /// Who asks must first do something: the destination was written to, is another pair's, is in use.
    Destination,
    /// A pool is too full, or would be.
    Space,
    /// The stream, or what was read back, is not what it should be.
    Data,
    /// A tool is missing or faulty, a pool unhealthy, the user not root.
    Surroundings,
    /// Another session works on that volume.
    Busy,
    /// Somebody asked the program to stop.
    Stopped,
    /// Anything else.
    Failed,
}

/// No, or no longer. In answer to a request it ends that request; at any other time, the session.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    /// What kind of no.
    pub kind: RefusalKind,
    /// Why, for people.
    pub text: Text,
    /// What the user of the client does next; empty where nothing is known.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub hint: Text,
    /// What its program exits with, 1 to 5: the exit codes of every command here. With 5 something is left.
    pub exit: u8,
}

impl Refusal {
    /// A no with its reason, which is cut where it is too long. Another `exit` than 1 to 5 becomes 1.
    #[must_use]
    pub fn new(kind: RefusalKind, text: &str, exit: u8) -> Self {
        let exit = if (1..=5).contains(&exit) { exit } else { 1 };
        Self { kind, text: Text::new(text), hint: Text::default(), exit }
    }

    /// This refusal with a hint: what to do next.
    #[must_use]
    pub fn with_hint(self, hint: &str) -> Self {
        Self { hint: Text::new(hint), ..self }
    }

    /// This refusal with a longer reason and exit status 5, since something is left.
    pub(crate) fn unfinished(self, text: &str) -> Self {
        Self { text: Text::new(text), exit: 5, ..self }
    }

    pub(crate) fn check(&self) -> Result<(), Rule> {
        match self.exit {
            1..=5 => Ok(()),
            found => Err(Rule::Number { field: "exit", found: found.into(), expected: "1 to 5" }),
        }
    }
}

/// What is asked about a volume.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// The volume.
    #[serde(with = "text")]
    pub volume: LvRef,
    /// Whose layers are ours.
    #[serde(with = "text")]
    pub pair: Pair,
    /// What the volume is in the pair: only of a destination it is found out what is under its own name.
    pub role: Role,
}

/// Which end of a pair.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The one that is copied.
    Source,
    /// The copy.
    Destination,
}

/// What is there of a volume.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layers {
    /// What is under the name itself; of a destination always, of a source never.
    pub live: Option<Live>,
    /// Whether the volume is mounted, or open by anybody.
    pub in_use: bool,
    /// The layers, at most [`MAX_LAYERS`].
    #[serde(deserialize_with = "text::bounded::<_, _, MAX_LAYERS>")]
    pub layers: Vec<Layer>,
    /// Whether these are all; else the newest.
    pub complete: bool,
    /// What a receive that was interrupted left at a destination, and could go on with; never of a source.
    #[serde(with = "text::option")]
    pub partial: Option<ResumeToken>,
}

impl Layers {
    pub(crate) fn check(&self) -> Result<(), Rule> {
        at_most("layers", self.layers.len() as u64, MAX_LAYERS as u64)?;
        self.layers.iter().try_for_each(check_layer)
    }
}

pub(crate) fn check_layer(layer: &Layer) -> Result<(), Rule> {
    is_size("size_bytes", layer.size)?;
    if layer.ids.is_empty() {
        return Err(Rule::Number { field: "ids", found: 0, expected: "at least one" });
    }
    at_most("ids", layer.ids.len() as u64, MAX_LAYER_IDS as u64)?;
    layer.ids.iter().try_for_each(|id| not_own_parent(id, layer.parent.as_ref()))
}

/// One layer of a volume of the server's.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Selected {
    /// The volume.
    #[serde(with = "text")]
    pub volume: LvRef,
    /// The pair, whose layer it is.
    #[serde(with = "text")]
    pub pair: Pair,
    /// The layer.
    #[serde(with = "text")]
    pub layer: LayerId,
    /// Against which it is sent; `None` for a full layer.
    #[serde(with = "text::option")]
    pub parent: Option<LayerId>,
}

impl Selected {
    pub(crate) fn check(&self) -> Result<(), Rule> {
        not_own_parent(&self.layer, self.parent.as_ref())
    }
}

/// Exactly what a stream holds, as it is known before its first byte is read.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The layer.
    #[serde(with = "text")]
    pub layer: LayerId,
    /// What it is made against; `None` for a full layer.
    #[serde(with = "text::option")]
    pub parent: Option<LayerId>,
    /// The size of its volume.
    #[serde(rename = "volume_size_bytes", with = "text::bytes")]
    pub volume_size: Bytes,
    /// In what pieces the difference was found: the chunk of the source's pool.
    #[serde(rename = "chunk_size_bytes", with = "text::chunk_size")]
    pub chunk_size: ChunkSize,
    /// How long the stream is.
    #[serde(rename = "stream_bytes", with = "text::bytes")]
    pub stream: Bytes,
    /// How much data is in it.
    #[serde(rename = "data_bytes", with = "text::bytes")]
    pub data: Bytes,
    /// How much it makes zero.
    #[serde(rename = "zero_bytes", with = "text::bytes")]
    pub zero: Bytes,
    /// How many chunks of `chunk_size` the data lies in: what a pool with that chunk allocates at most. One with a larger
    /// chunk allocates no more chunks than that, but larger ones.
    #[serde(serialize_with = "chunks_to", deserialize_with = "chunks_from")]
    pub chunks: Chunks,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn chunks_to<S: Serializer>(chunks: &Chunks, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u64(chunks.get())
}

fn chunks_from<'de, D: Deserializer<'de>>(from: D) -> Result<Chunks, D::Error> {
    u64::deserialize(from).map(Chunks::new)
}

impl Plan {
    pub(crate) fn check(&self) -> Result<(), Rule> {
        not_own_parent(&self.layer, self.parent.as_ref())?;
        is_size("volume_size_bytes", self.volume_size)?;
        sectors("data_bytes", self.data)?;
        sectors("zero_bytes", self.zero)?;
        let covered = self.data.saturating_add(self.zero);
        at_most("data_bytes and zero_bytes", covered.get(), self.volume_size.get())?;
        at_most("chunks", self.chunks.get(), self.chunk_size.count(self.volume_size).get())?;
        // Every byte of data lies in a chunk, and there is no chunk without any.
        let least = self.chunk_size.count(self.data);
        if self.chunks < least || (self.data.is_zero() && !self.chunks.is_zero()) {
            let expected = "as many as the data needs";
            return Err(Rule::Number { field: "chunks", found: self.chunks.get(), expected });
        }
        if self.stream <= self.data {
            let expected = "more than data_bytes";
            return Err(Rule::Number { field: "stream_bytes", found: self.stream.get(), expected });
        }
        Ok(())
    }

    /// Whether both are of one layer, of one volume, against one parent.
    #[must_use]
    pub fn is_of_same_layer(&self, other: &Self) -> bool {
        let of = |plan: &Self| (plan.layer.clone(), plan.parent.clone(), plan.volume_size, plan.chunk_size);
        of(self) == of(other)
    }
}

/// What the server is to receive.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Offer {
    /// The destination's own name.
    #[serde(with = "text")]
    pub volume: LvRef,
    /// The pair that this keeps in step.
    #[serde(with = "text")]
    pub pair: Pair,
    /// Where a volume is made for a full layer: a pool of the same group. `None` leaves it to the server.
    #[serde(with = "text::option")]
    pub pool: Option<LvName>,
    /// What would come, if all of it were sent.
    pub plan: Plan,
}

/// The server receives.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ready {
    /// Where it goes on, if it has a part of that layer already.
    #[serde(with = "text::option")]
    pub resume: Option<ResumeToken>,
}

/// What the server is to send.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Send {
    /// Which layer.
    pub selected: Selected,
    /// Where the receiver goes on, if it has a part of that layer already.
    #[serde(with = "text::option")]
    pub resume: Option<ResumeToken>,
    /// How much will be read back.
    pub verify: Verify,
}

/// The stream that follows.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Begin {
    /// Exactly what this stream holds: of the rest of a layer, the rest.
    pub plan: Plan,
    /// Where on the volume the records of this stream begin: 0, or where the token says. A token that no longer fits is
    /// answered by 0.
    #[serde(rename = "resumes_at_bytes", with = "text::bytes")]
    pub resumes_at: Bytes,
    /// How much is to be read back.
    pub verify: Verify,
}

impl Begin {
    pub(crate) fn check(&self) -> Result<(), Rule> {
        self.plan.check()?;
        sectors("resumes_at_bytes", self.resumes_at)?;
        at_most("resumes_at_bytes", self.resumes_at.get(), self.plan.volume_size.get())
    }
}

/// A piece of the stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Data<'a> {
    /// Where in the stream, in bytes from its first.
    pub at: Bytes,
    /// 1 to [`MAX_DATA_BYTES`].
    pub bytes: &'a [u8],
}

impl Data<'_> {
    pub(crate) fn check(&self) -> Result<(), Rule> {
        if self.bytes.is_empty() {
            return Err(Rule::Number { field: "data", found: 0, expected: "at least one byte" });
        }
        at_most("data", self.bytes.len() as u64, MAX_DATA_BYTES as u64)
    }
}

/// A piece of the stream, as one frame of zstd. Whoever reads a session sees it as [`Data`]: it never comes out of
/// [`Incoming`](crate::Incoming).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Packed<'a> {
    /// Where in the stream, in bytes from its first.
    pub at: Bytes,
    /// What unpacks to 1 to [`MAX_DATA_BYTES`], and is no longer than that itself.
    pub bytes: &'a [u8],
}

impl Packed<'_> {
    pub(crate) fn check(&self) -> Result<(), Rule> {
        Data { at: self.at, bytes: self.bytes }.check()
    }
}

/// The stream is whole.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct End {
    /// What the sender read of the records that are read back, as [`ReadBack`](crate::ReadBack) makes it; `None` exactly
    /// where nothing is.
    #[serde(with = "text::option")]
    pub content: Option<Digest>,
}

/// The layer is there.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Done {
    /// The layer.
    #[serde(with = "text")]
    pub layer: LayerId,
    /// What was read back of it.
    #[serde(with = "text::option")]
    pub content: Option<Digest>,
}

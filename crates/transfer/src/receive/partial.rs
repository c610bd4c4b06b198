//! What is known of a chain that is being received.

use extents::{Bytes, ChunkSize};
use hyperlayer::{Digest, Format, Header, Kind, LayerId, Totals};
use serde::{Deserialize, Serialize};

use super::fingerprint::digest;
use super::{Mark, ResumeToken, Samples, text};

/// A chain that is being received, or whose receiving was interrupted. What stands here can be counted on: it is
/// durable.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Partial {
    /// What it is to become: `VG/LV`, or a path.
    pub target: String,
    /// When it was begun, as RFC 3339 in UTC.
    pub since: String,
    /// What the first layer is applied on; `None` where that is a full one.
    pub base: Option<PartialBase>,
    /// The pool that the first layer goes into, where nothing is a base; `None` for a path.
    pub pool: Option<String>,
    /// The name that the volume which is to be replaced gets; `None` where none is.
    pub keep_old: Option<String>,
    /// How many layers are in as a whole.
    pub layers: u64,
    /// The last one of them.
    pub whole: Option<Whole>,
    /// The one after them, where it was begun and can be continued.
    pub begun: Option<Begun>,
    /// Whether all layers are in, and only the last steps are left.
    pub complete: bool,
}

/// What the first layer of a chain is applied on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartialBase {
    /// `VG/LV`, or a path.
    pub name: String,
    /// Its UUID, where it is a volume.
    pub uuid: Option<String>,
    /// Its size.
    #[serde(rename = "size_bytes", with = "text::bytes")]
    pub size: Bytes,
}

/// A layer that is in as a whole.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Whole {
    /// Its id, where it has one.
    #[serde(with = "text::option")]
    pub layer: Option<LayerId>,
    /// The size of its volume.
    #[serde(rename = "size_bytes", with = "text::bytes")]
    pub size: Bytes,
    /// The fingerprint of the chain up to it: of where all records lie and what they hold, or of the bytes of the stream
    /// for a layer that has no id or is in another format.
    #[serde(with = "text")]
    pub chain: Digest,
    /// Some of what was written.
    pub samples: Samples,
}

/// A layer that is in up to a mark.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Begun {
    /// Its id.
    #[serde(with = "text")]
    pub layer: LayerId,
    /// Its parent's.
    #[serde(with = "text::option")]
    pub parent: Option<LayerId>,
    /// Whether it is a full layer.
    pub full: bool,
    /// The size of its volume.
    #[serde(rename = "size_bytes", with = "text::bytes")]
    pub size: Bytes,
    /// Its parent's.
    #[serde(rename = "parent_size_bytes", with = "text::bytes")]
    pub parent_size: Bytes,
    /// The chunks in which its difference was found, in bytes.
    #[serde(rename = "chunk_size_bytes", with = "text::chunk_size")]
    pub chunk: ChunkSize,
    /// A digest of what a header states that describes the content of the whole layer; `None` where only a rest came.
    #[serde(with = "text::option")]
    pub stated: Option<Digest>,
    /// Up to where.
    pub mark: Mark,
}

impl Partial {
    /// A chain of which nothing is in yet.
    #[must_use]
    pub fn new(target: impl Into<String>, since: impl Into<String>, base: Option<PartialBase>) -> Self {
        let (target, since) = (target.into(), since.into());
        Self { target, since, base, pool: None, keep_old: None, layers: 0, whole: None, begun: None, complete: false }
    }

    /// Whether there is nothing in it that could be continued.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.layers == 0 && self.begun.as_ref().is_none_or(|begun| begun.mark.at.is_zero())
    }

    /// The size of what the next layer is applied on; zero where that is nothing.
    #[must_use]
    pub fn base_size(&self) -> Bytes {
        match (&self.whole, &self.base) {
            (Some(whole), _) => whole.size,
            (None, Some(base)) => base.size,
            (None, None) => Bytes::ZERO,
        }
    }

    /// What the sender must know to send only the rest of the layer that was begun; `None` where none was.
    #[must_use]
    pub fn token(&self) -> Option<ResumeToken> {
        let Begun { layer, parent, size, mark, .. } = self.begun.clone()?;
        Some(ResumeToken { layer, parent, size, at: mark.at, outline: mark.outline })
    }

    /// Forgets the layer that was begun, and where its target cannot be had anew, everything.
    pub(super) fn begin_again(&mut self, anew: bool) {
        self.begun = None;
        if !anew {
            (self.layers, self.whole) = (0, None);
        }
    }
}

impl Begun {
    /// A layer of which nothing is in yet; `None` where it could not be told from another one later, or where its
    /// records may come in any order.
    pub(super) fn new(header: &Header) -> Option<Self> {
        if header.format != Format::V1_1 {
            return None;
        }
        Some(Self {
            layer: header.layer.clone()?,
            parent: header.parent.clone(),
            full: header.kind == Kind::Full,
            size: header.volume_size?,
            parent_size: header.parent_size.unwrap_or_default(),
            chunk: header.chunk_size?,
            stated: stated(header),
            mark: Mark::default(),
        })
    }

    /// Whether a stream is of this layer.
    pub(super) fn is_of(&self, header: &Header) -> bool {
        let ours = |other| Self { mark: self.mark.clone(), stated: self.stated, ..other };
        Self::new(header).is_some_and(|other| ours(other) == *self)
    }

    /// Whether a stream of the whole layer states the same of its content as the first one did.
    pub(super) fn states(&self, header: &Header) -> bool {
        self.stated == stated(header)
    }
}

/// The time, the numbers and the sizes of a whole layer's records. The number of base checks is left out, and so is the time of
/// a layer whose id is derived from its content, which proves more.
fn stated(header: &Header) -> Option<Digest> {
    let Header { created, totals, resumes: None, .. } = header else { return None };
    let Totals { data_records, data, zero_records, zero, checks: _ } = (*totals)?;
    let is_by_content = header.layer.as_ref().is_some_and(|layer| layer.as_str().starts_with("blake3:"));
    let created = created.as_deref().filter(|_| !is_by_content).unwrap_or_default();
    Some(digest(&format!("{data_records} {data} {zero_records} {zero} {created}")))
}

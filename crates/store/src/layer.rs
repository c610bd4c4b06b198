//! What a layer in a store is, and what is said of one that is written.

use std::collections::BTreeSet;
use std::time::SystemTime;

use extents::{Bytes, ChunkSize};
use hyperlayer::{LayerId, Totals};

use crate::names::{Series, Tag};
use crate::seal::Recipients;

/// How a layer's stream is wrapped on its way into the store.
#[derive(Clone, Debug, Default)]
pub struct Encoding {
    /// The zstd level (1 to 22); `None` leaves the stream as it is.
    pub zstd_level: Option<i32>,
    /// Who can open it; nobody: it is not encrypted. Encryption goes around the compression.
    pub recipients: Recipients,
}

impl Encoding {
    pub(crate) fn wrapping(&self) -> Wrapping {
        Wrapping { zstd: self.zstd_level.is_some(), age: !self.recipients.is_empty() }
    }
}

/// What is around a layer's stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Wrapping {
    /// It is compressed with zstd.
    pub zstd: bool,
    /// It is encrypted with age, around the compression.
    pub age: bool,
}

impl Wrapping {
    /// The end of an object's name.
    pub(crate) const fn suffix(self) -> &'static str {
        match (self.zstd, self.age) {
            (false, false) => "",
            (true, false) => ".zst",
            (false, true) => ".age",
            (true, true) => ".zst.age",
        }
    }
}

/// A length and a digest of some bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Facts {
    /// How many.
    pub len: Bytes,
    /// Their BLAKE3.
    pub blake3: blake3::Hash,
}

/// What a manifest says of a layer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Layer {
    /// The volume's layers that it belongs to.
    pub series: Series,
    /// Its id.
    pub layer: LayerId,
    /// The layer that it must be applied on; `None`: it is a full layer.
    pub parent: Option<LayerId>,
    /// When the volume was in this state, in whole seconds.
    pub created: SystemTime,
    /// The volume's size, whole sectors.
    pub volume_size: Bytes,
    /// The chunks in which the difference was found.
    pub chunk_size: ChunkSize,
    /// What the stream holds.
    pub totals: Totals,
    /// The stream.
    pub stream: Facts,
    /// The object that holds the stream.
    pub object: Facts,
    /// The object's key.
    pub key: String,
    /// What is around the stream in the object.
    pub wrapping: Wrapping,
    /// What wrote it, name and version.
    pub tool: String,
    /// The name of the machine whose volume it is; older manifests do not say.
    pub host: Option<String>,
    /// What tells that machine from others of its name, as the writer says it.
    pub machine: Option<String>,
}

/// A layer and the marks on it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stored {
    /// What its manifest says.
    pub layer: Layer,
    /// Whether it is kept whatever the retention rules say.
    pub held: bool,
    /// What it was tagged with.
    pub tags: BTreeSet<Tag>,
}

/// What the writer of a layer says of it; lengths and digests are the store's own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Draft {
    /// The layer that it must be applied on; `None`: it is a full layer.
    pub parent: Option<LayerId>,
    /// When the volume was in this state.
    pub created: SystemTime,
    /// The volume's size, whole sectors.
    pub volume_size: Bytes,
    /// The chunks in which the difference was found.
    pub chunk_size: ChunkSize,
    /// What the stream holds.
    pub totals: Totals,
    /// What wrote it, name and version.
    pub tool: String,
    /// The name of the machine whose volume it is, printable and not empty, at most
    /// [`MAX_TEXT_BYTES`](crate::limits::MAX_TEXT_BYTES).
    pub host: Option<String>,
    /// What tells that machine from others of its name, such as a digest of its machine-id(5); printable and not empty, at
    /// most [`MAX_TEXT_BYTES`](crate::limits::MAX_TEXT_BYTES).
    pub machine: Option<String>,
    /// What it is tagged with.
    pub tags: BTreeSet<Tag>,
}

impl Draft {
    /// A full layer without tags.
    #[must_use]
    pub fn full(created: SystemTime, volume_size: Bytes, chunk_size: ChunkSize, totals: Totals) -> Self {
        let tool = concat!("hyperlayer ", env!("CARGO_PKG_VERSION")).to_owned();
        let (host, machine, tags) = (None, None, BTreeSet::new());
        Self { parent: None, created, volume_size, chunk_size, totals, tool, host, machine, tags }
    }

    /// The same as a delta.
    #[must_use]
    pub fn on(self, parent: LayerId) -> Self {
        Self { parent: Some(parent), ..self }
    }
}

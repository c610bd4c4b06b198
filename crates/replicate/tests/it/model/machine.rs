//! A machine with volumes, and what is said about them by tags.

use std::collections::{BTreeMap, BTreeSet};

/// The size of every source, in bytes.
pub(crate) const SIZE: usize = 256 << 10;
/// In what pieces what differs is found, in bytes.
pub(crate) const CHUNK: usize = 4096;

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Volume {
    pub(crate) uuid: String,
    pub(crate) content: Vec<u8>,
    pub(crate) read_only: bool,
    pub(crate) tags: BTreeSet<String>,
    pub(crate) created: i64,
    /// The pool's transaction that made it.
    pub(crate) transaction: u64,
}

impl Volume {
    pub(crate) fn tag(&self, key: &str) -> Option<&str> {
        self.tags.iter().find_map(|tag| tag.strip_prefix(key))
    }
}

/// What was received of a layer: what is durable of it, as the ledger says.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) layer: String,
    pub(crate) parent: Option<String>,
    /// Up to where on the volume.
    pub(crate) at: usize,
    pub(crate) content: Vec<u8>,
    pub(crate) outline: hyperlayer::Outline,
}

#[derive(Clone, Default, Debug)]
pub(crate) struct Machine {
    pub(crate) name: &'static str,
    pub(crate) volumes: BTreeMap<String, Volume>,
    pub(crate) part: Option<Part>,
    pub(crate) in_use: bool,
    /// Nothing more is taken.
    pub(crate) is_full: bool,
    /// Added to the size of what is received: larger extents.
    pub(crate) extra: usize,
    count: u64,
    /// A clock that may be set back.
    pub(crate) now: i64,
}

impl Machine {
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, now: 1000, ..Self::default() }
    }

    pub(crate) fn add(&mut self, name: &str, content: Vec<u8>, read_only: bool, tags: &[String]) -> &Volume {
        self.count += 1;
        self.now += 1;
        let uuid = format!("{}-{}", self.name, self.count);
        let tags = tags.iter().cloned().collect();
        let volume = Volume { uuid, content, read_only, tags, created: self.now, transaction: self.count };
        assert!(self.volumes.insert(name.to_owned(), volume).is_none(), "`{name}` is there already");
        &self.volumes[name]
    }

    pub(crate) fn free_name(&mut self, stem: &str) -> String {
        self.count += 1;
        format!("{stem}-{}", self.count)
    }

    /// A volume by its layer.
    pub(crate) fn by_id(&self, id: &str) -> Option<(&String, &Volume)> {
        let is = |volume: &Volume| volume.read_only && (volume.uuid == id || volume.tag("layer=") == Some(id));
        self.volumes.iter().find(|(_, volume)| is(volume))
    }
}

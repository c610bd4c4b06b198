//! What both kinds of documents begin and end with.

use std::fmt;
use std::io::BufRead;

use extents::{ChunkSize, Sectors};

use crate::Error;
use crate::tag::{Form, Tag};
use crate::tags::Tags;

/// Bit 0 of the superblock's flags: `THIN_METADATA_NEEDS_CHECK_FLAG` in the kernel's `dm-thin-metadata.c`.
const NEEDS_CHECK: u64 = 1;

/// What the document says of the whole pool.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Superblock {
    /// The pool's transaction id when this metadata was written; with `-m`, when the metadata snapshot was reserved.
    /// LVM counts it up with every volume made or removed: another one than expected means a stale snapshot.
    pub transaction: u64,
    /// The pool's snapshot clock, a counter, no time of day.
    pub time: u64,
    /// The superblock's flags. `None` where the document does not say: `thin_delta` 0.9 never does, and 1.x only where
    /// they are not zero.
    pub flags: Option<u64>,
    /// The length of a chunk (`data_block_size`, there in sectors).
    pub chunk_size: ChunkSize,
    /// The metadata format's version. Only `thin_dump` says it.
    pub version: Option<u64>,
    /// The size of the pool's data device in chunks. **Zero with `-m`**: the kernel empties the space maps of the copy
    /// it holds. Nothing can be checked against it.
    pub nr_data_blocks: Option<u64>,
    /// The pool's UUID; nobody sets it, so it is empty. At most [`MAX_TAG_BYTES`](crate::MAX_TAG_BYTES).
    pub uuid: String,
}

impl Superblock {
    /// Whether the pool is marked as damaged until `lvconvert --repair`. `false` also where the document says nothing
    /// of flags; the pool's status line always says it.
    #[must_use]
    pub fn needs_check(&self) -> bool {
        self.flags.is_some_and(|flags| flags & NEEDS_CHECK != 0)
    }

    /// Reads the start of a document.
    pub(crate) fn open<R: BufRead>(tags: &mut Tags<R>) -> Result<Self, Error> {
        const EXPECTED: &str = "`<superblock ...>`";
        let tag = tags.next(EXPECTED)?;
        if (tag.form, tag.name) != (Form::Open, b"superblock") {
            return Err(tag.unexpected(EXPECTED));
        }
        let sectors = Sectors::new(tag.number("data_block_size")?);
        Ok(Self {
            transaction: tag.number("transaction")?,
            time: tag.number("time")?,
            flags: tag.optional("flags")?,
            chunk_size: ChunkSize::from_sectors(sectors)
                .ok_or_else(|| tag.refused("data_block_size", "1 to 2^55 - 1 sectors"))?,
            version: tag.optional("version")?,
            nr_data_blocks: tag.optional("nr_data_blocks")?,
            uuid: tag.text("uuid")?,
        })
    }

    /// Demands the end of the document after its only child.
    pub(crate) fn close<R: BufRead>(tags: &mut Tags<R>, expected: &'static str) -> Result<(), Error> {
        let tag = tags.next(expected)?;
        if (tag.form, tag.name) != (Form::Close, b"superblock") {
            return Err(tag.unexpected(expected));
        }
        tags.end()
    }
}

/// The number of a thin device in its pool, below 2^24 (`thin-provisioning.rst` in the kernel's documentation). Pools
/// give numbers again after a device was removed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ThinId(u32);

impl ThinId {
    /// The highest number.
    pub const MAX: Self = Self(0xFF_FFFF);

    /// Device number `id`; `None` above [`ThinId::MAX`].
    #[must_use]
    pub const fn new(id: u32) -> Option<Self> {
        if id <= Self::MAX.0 { Some(Self(id)) } else { None }
    }

    /// The plain number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }

    pub(crate) fn read(tag: &Tag<'_>, key: &'static str) -> Result<Self, Error> {
        let id = u32::try_from(tag.number(key)?).ok();
        id.and_then(Self::new).ok_or_else(|| tag.refused(key, "a device number below 2^24"))
    }
}

impl fmt::Display for ThinId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

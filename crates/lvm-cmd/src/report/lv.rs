//! One volume, one group, one physical volume.

use std::path::PathBuf;

use extents::{Bytes, ChunkSize};

use crate::{LvName, LvRef, Tag, ThinId, Uuid, VgName};

/// One logical volume, as LVM reports it.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct Lv {
    /// Group and name.
    pub name: LvRef,
    /// LVM's own id of it, which survives a rename.
    pub uuid: Uuid,
    /// Type, permission, activity and more.
    pub attr: LvAttr,
    /// Its size as a device.
    pub size: Bytes,
    /// The unit in which its group sizes volumes.
    pub extent_size: Bytes,
    /// The pool of a thin volume.
    pub pool: Option<LvName>,
    /// What it is a snapshot of, while that exists; also a thin volume's external origin.
    pub origin: Option<LvName>,
    /// A thin volume's number in its pool.
    pub thin_id: Option<ThinId>,
    /// A pool's transaction id; for a thin volume that of its creation.
    pub transaction_id: Option<u64>,
    /// A pool's chunk.
    pub chunk_size: Option<ChunkSize>,
    /// How much of a pool's data, or of a thin volume, is mapped, in percent. Only where it is active.
    pub data_percent: Option<f64>,
    /// How much of a pool's metadata is used, in percent. Only where it is active.
    pub metadata_percent: Option<f64>,
    /// Its tags.
    pub tags: Vec<Tag>,
    /// When it was made, in seconds since 1970, UTC.
    pub created_seconds: Option<i64>,
    /// A pool's metadata volume, a hidden one.
    pub metadata_lv: Option<LvName>,
    /// What a pool, or the pool of a thin volume, does with discards.
    pub discards: Option<Discards>,
}

impl Lv {
    /// Whether it carries this tag.
    #[must_use]
    pub fn has_tag(&self, tag: &Tag) -> bool {
        self.tags.contains(tag)
    }

    /// The pool of a thin volume, with its group.
    #[must_use]
    pub fn pool_ref(&self) -> Option<LvRef> {
        self.pool.as_ref().map(|pool| self.name.sibling(pool.clone()))
    }

    /// The volumes that `lvremove -f` of this one removes too: its classic snapshots, and the thin volumes of other pools that
    /// have it as their external origin (`lv_remove_with_dependencies` in lvm2 `lib/metadata/lv_manip.c`). A thin snapshot in
    /// its own pool stays. `siblings` are all volumes of the group.
    pub fn removed_along<'a>(&'a self, siblings: &'a [Self]) -> impl Iterator<Item = &'a Self> {
        let depends = |lv: &&Self| {
            let is_thin_elsewhere = lv.attr.lv_type() == LvType::ThinVolume && lv.pool != self.pool;
            lv.origin.as_ref() == Some(self.name.lv()) && (lv.attr.is_classic_snapshot() || is_thin_elsewhere)
        };
        siblings.iter().filter(depends)
    }

    /// The external origin of a thin volume: the origin, or its origin's, and so on, that is no thin volume of the same
    /// pool. What the volume has not mapped reads as that origin's data there, not as zeros. `siblings` are all volumes
    /// of the group. (Where one in between is removed, LVM reports the external origin itself.)
    #[must_use]
    pub fn external_origin<'a>(&'a self, siblings: &'a [Self]) -> Option<&'a LvName> {
        let mut volume = self;
        // No chain of origins is longer than there are volumes.
        for _ in 0..=siblings.len() {
            let origin = volume.origin.as_ref().filter(|_| volume.attr.lv_type() == LvType::ThinVolume)?;
            let of_pool = |lv: &&Self| lv.name.lv() == origin && lv.pool.is_some() && lv.pool == self.pool;
            match siblings.iter().find(of_pool) {
                Some(inside) => volume = inside,
                None => return Some(origin),
            }
        }
        None
    }
}

/// What a pool does with a discard.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Discards {
    /// Unmaps, and passes it down to the pool's own device.
    Passdown,
    /// Unmaps only.
    NoPassdown,
    /// Nothing: discarding does not unmap.
    Ignore,
}

/// What a volume is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LvType {
    /// A thin volume; a thin snapshot is one too.
    ThinVolume,
    /// A thin pool.
    ThinPool,
    /// Anything else: LVM's letter for it, `-` for a linear or striped one.
    Other(char),
}

/// Whether a volume may be written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Permission {
    /// Yes.
    ReadWrite,
    /// No.
    ReadOnly,
}

/// The ten letters of `lv_attr` (lvs(8), "NOTES"), and what the volume is by its segment type: the first letter says so only of a
/// volume that nothing else is made of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct LvAttr {
    letters: [u8; 10],
    lv_type: LvType,
}

impl LvAttr {
    pub(super) fn parse(text: &str, segment_type: &str) -> Option<Self> {
        // Later letters, where a newer LVM adds some, say nothing that is asked for here.
        let letters = *text.as_bytes().first_chunk()?;
        let lv_type = match segment_type {
            "thin" => LvType::ThinVolume,
            "thin-pool" => LvType::ThinPool,
            _ => LvType::Other(char::from(letters[0])),
        };
        letters.is_ascii().then_some(Self { letters, lv_type })
    }

    /// What it is.
    #[must_use]
    pub const fn lv_type(self) -> LvType {
        self.lv_type
    }

    /// Whether it is read-only by its metadata (`r`). See [`is_read_only_now`](Self::is_read_only_now).
    #[must_use]
    pub fn permission(self) -> Permission {
        if self.letters[1] == b'r' { Permission::ReadOnly } else { Permission::ReadWrite }
    }

    /// Whether the volume cannot be written at this moment: by its metadata (`r`), or because it was activated
    /// read-only (`R`).
    #[must_use]
    pub fn is_read_only_now(self) -> bool {
        matches!(self.letters[1], b'r' | b'R')
    }

    /// Whether the device mapper has it, suspended or not.
    #[must_use]
    pub fn is_active(self) -> bool {
        matches!(self.letters[4], b'a' | b's' | b'I' | b'S' | b'm' | b'M' | b'd' | b'i' | b'c' | b'C')
    }

    /// Whether the device mapper has it with a table, and not suspended (`a`): it can be read.
    #[must_use]
    pub fn is_live(self) -> bool {
        self.letters[4] == b'a'
    }

    /// Whether the device mapper is known not to have it (`-`). LVM shows `X` where it could not ask.
    #[must_use]
    pub fn is_gone(self) -> bool {
        self.letters[4] == b'-'
    }

    /// Whether somebody has the device open: mounted, or a program.
    #[must_use]
    pub fn is_open(self) -> bool {
        self.letters[5] == b'o'
    }

    /// A pool that zeroes each chunk before it is first mapped (`lvcreate -Zy`). Otherwise what is not written in a new
    /// chunk is somebody's old data.
    #[must_use]
    pub fn zeroes_new_chunks(self) -> bool {
        self.letters[7] == b'z'
    }

    /// A classic snapshot that overflowed: what it held is lost, it can only be removed. Only where it is active.
    #[must_use]
    pub fn is_invalid_snapshot(self) -> bool {
        matches!(self.letters[4], b'I' | b'S')
    }

    /// A classic snapshot, one that copies what is overwritten in its origin.
    #[must_use]
    pub fn is_classic_snapshot(self) -> bool {
        matches!(self.lv_type, LvType::Other('s' | 'S'))
    }

    /// Whether a plain `lvchange -ay` leaves it inactive, as is the default for thin snapshots.
    #[must_use]
    pub fn skips_activation(self) -> bool {
        self.letters[9] == b'k'
    }

    /// LVM's letter for what is wrong with it; `None` for nothing. `F` failed, `D` a pool out of data space, `M` its
    /// metadata read-only, `p` a physical volume is missing.
    #[must_use]
    pub fn trouble(self) -> Option<char> {
        Some(char::from(self.letters[8])).filter(|letter| *letter != '-')
    }
}

impl std::fmt::Display for LvAttr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.letters.iter().try_for_each(|letter| std::fmt::Write::write_char(f, char::from(*letter)))
    }
}

impl std::fmt::Debug for LvAttr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LvAttr({self})")
    }
}

/// One physical volume.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Pv {
    /// LVM's id of it, which is on the device itself.
    pub uuid: Uuid,
    /// Its device; `None` where a group has it and its device is not there.
    pub device: Option<PathBuf>,
    /// The group that has it.
    pub group: Option<VgName>,
    /// Its size.
    pub size: Bytes,
    /// How much of it no volume has.
    pub free: Bytes,
    /// Its tags, which its group keeps.
    pub tags: Vec<Tag>,
}

/// One volume group.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Vg {
    /// Its name.
    pub name: VgName,
    /// LVM's id of it.
    pub uuid: Uuid,
    /// Space in all.
    pub size: Bytes,
    /// Space that no volume has.
    pub free: Bytes,
    /// The unit in which volumes are sized.
    pub extent_size: Bytes,
}

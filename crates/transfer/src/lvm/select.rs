//! Which volumes are read, and whether they can be.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use extents::{Bytes, ChunkSize};
use lvm_cmd::{Discards, Lv, LvName, LvRef, LvType, find, is_active_for_us, volumes};

use super::own::received_as;
use super::{Lvm, LvmError, keeps_its_layer};
use crate::{Error, Geometry};

/// The volumes of one transfer, as LVM reports them.
#[derive(Clone, Debug)]
pub struct Selection {
    /// All volumes of the group, shared by the selections that one report is for.
    pub group: Arc<Vec<Lv>>,
    /// The pool of both.
    pub pool: Lv,
    /// The volume to send.
    pub new: Lv,
    /// Its base; `None` for a full layer.
    pub base: Option<Lv>,
}

impl Selection {
    /// Looks the volumes up: thin ones, in one pool, which is `pool` where one is asked for. Runs one command.
    ///
    /// # Errors
    /// There is no such volume, or it is not of that kind.
    pub fn find(lvm: &Lvm<'_>, new: &LvRef, base: Option<&LvRef>, pool: Option<&LvName>) -> Result<Self, Error> {
        check_one_group(new, base)?;
        Self::among(&Arc::new(volumes(lvm.exec, new.vg())?), new, base, pool)
    }

    /// Looks up several volumes, each with its base. Runs one command for each group.
    ///
    /// # Errors
    /// As [`find`](Self::find).
    pub fn find_all<'n>(
        lvm: &Lvm<'_>,
        names: impl IntoIterator<Item = (&'n LvRef, Option<&'n LvRef>)>,
    ) -> Result<Vec<Self>, Error> {
        let mut groups = BTreeMap::new();
        let mut find = |(new, base): (&LvRef, Option<&LvRef>)| {
            check_one_group(new, base)?;
            if !groups.contains_key(new.vg()) {
                groups.insert(new.vg().clone(), Arc::new(volumes(lvm.exec, new.vg())?));
            }
            Self::among(&groups[new.vg()], new, base, None)
        };
        names.into_iter().map(&mut find).collect()
    }

    /// Looks both volumes up among those of their group, as [`find`](Self::find) does.
    fn among(group: &Arc<Vec<Lv>>, new: &LvRef, base: Option<&LvRef>, pool: Option<&LvName>) -> Result<Self, Error> {
        let new = thin(group, new)?.clone();
        let base = base.map(|base| thin(group, base).cloned()).transpose()?;
        if let Some(base) = &base {
            if base.uuid == new.uuid {
                return Err(LvmError::SameVolume { name: new.name }.into());
            }
            if base.pool != new.pool {
                return Err(LvmError::TwoPools { new: new.name, base: base.name.clone() }.into());
            }
        }
        let its_pool = new.pool_ref().ok_or_else(|| LvmError::NotThin { name: new.name.clone() })?;
        if let Some(asked) = pool.filter(|asked| *asked != its_pool.lv()) {
            return Err(LvmError::OtherPool { name: new.name, pool: its_pool, asked: asked.clone() }.into());
        }
        let pool = find(group, &its_pool)?.clone();
        Ok(Self { group: Arc::clone(group), pool, new, base })
    }

    /// The sizes of both.
    ///
    /// # Errors
    /// LVM does not say the pool's chunk.
    pub fn geometry(&self) -> Result<Geometry, Error> {
        Ok(Geometry {
            size: self.new.size,
            base_size: self.base.as_ref().map_or(Bytes::ZERO, |base| base.size),
            chunk: self.chunk()?,
        })
    }

    /// The pool's chunk.
    ///
    /// # Errors
    /// LVM does not say it.
    pub fn chunk(&self) -> Result<ChunkSize, Error> {
        chunk_of(&self.pool)
    }

    /// The external origin that both volumes read through to where they have mapped nothing.
    ///
    /// # Errors
    /// Only one of them does, or both to different ones: nobody knows then where they differ.
    pub fn external_origin(&self) -> Result<Option<&Lv>, Error> {
        let of = |volume: &Lv| volume.external_origin(&self.group).cloned();
        let (new, base) = (of(&self.new), self.base.as_ref().map(of));
        if let Some(base) = base.filter(|base| *base != new) {
            let named =
                |origin: Option<LvName>| origin.map_or_else(|| "none".to_owned(), |origin| format!("`{origin}`"));
            return Err(
                LvmError::OtherOrigins { name: self.new.name.clone(), new: named(new), base: named(base) }.into()
            );
        }
        new.map(|origin| Ok(find(&self.group, &self.new.name.sibling(origin))?)).transpose()
    }

    /// The volumes that somebody may write to while they are read.
    pub fn live<'s>(&'s self, lvm: &Lvm<'_>) -> impl Iterator<Item = &'s LvRef> {
        std::iter::once(&self.new).chain(&self.base).filter(|volume| !is_quiet(lvm, volume)).map(|volume| &volume.name)
    }

    /// Checks that a snapshot is needed of the new volume at most: one of the base would be another layer.
    ///
    /// # Errors
    /// Somebody may write to the base.
    pub fn check_base_quiet(&self, lvm: &Lvm<'_>) -> Result<(), Error> {
        match self.base.as_ref().filter(|base| !is_quiet(lvm, base)) {
            Some(base) => Err(LvmError::LiveBase { name: base.name.clone() }.into()),
            None => Ok(()),
        }
    }

    /// Checks that both volumes are what they were when a part of the difference was sent.
    ///
    /// # Errors
    /// One is writable, so nobody knows.
    pub fn check_kept(&self) -> Result<(), Error> {
        match std::iter::once(&self.new).chain(&self.base).find(|volume| !keeps_its_layer(volume)) {
            Some(volume) => Err(LvmError::MayHaveChanged { name: volume.name.clone() }.into()),
            None => Ok(()),
        }
    }

    /// Checks that no volume can change while it is read.
    ///
    /// # Errors
    /// The first one that can, or does.
    pub fn check_quiet(&self, lvm: &Lvm<'_>) -> Result<(), Error> {
        for volume in std::iter::once(&self.new).chain(&self.base) {
            if !is_quiet(lvm, volume) {
                return Err(LvmError::Live { name: volume.name.clone(), in_use: volume.attr.is_open() }.into());
            }
        }
        Ok(())
    }
}

/// Where a layer is received.
#[derive(Clone, Debug)]
pub struct Destination {
    /// All volumes of the group.
    pub group: Vec<Lv>,
    /// What a delta is applied on; `None` for a full layer.
    pub base: Option<Lv>,
    /// Where the new volume will be.
    pub pool: Lv,
}

impl Destination {
    /// Looks the base and its pool up, or the pool alone, and whether the new volume's name is free. Runs one command.
    ///
    /// # Errors
    /// There is no such volume, or it is not of that kind; or there is one of the new name, or that is too long.
    pub fn find(lvm: &Lvm<'_>, base: Option<&LvRef>, pool: &LvRef, new: &LvName) -> Result<Self, Error> {
        let on = base.unwrap_or(pool);
        let found = Self::among(volumes(lvm.exec, on.vg())?, base, pool)?;
        let (pool, group) = (&found.pool, &found.group);
        let name = pool.name.sibling(new.clone());
        name.check_length()?;
        if let Some(there) = group.iter().find(|volume| volume.name == name) {
            let error = match received_as(there, new).cloned() {
                Some(tag) => LvmError::Finished { name, tag },
                None => LvmError::Exists { name },
            };
            return Err(error.into());
        }
        Ok(found)
    }

    /// The same of a group that was looked at, whatever names there are in it.
    ///
    /// # Errors
    /// As [`find`](Self::find).
    pub fn among(group: Vec<Lv>, base: Option<&LvRef>, pool: &LvRef) -> Result<Self, Error> {
        let base = base.map(|base| thin(&group, base).cloned()).transpose()?;
        let pool = match &base {
            Some(base) => base.pool_ref().ok_or_else(|| LvmError::NotThin { name: base.name.clone() })?,
            None => pool.clone(),
        };
        let pool = lvm_cmd::find(&group, &pool)?.clone();
        chunk_of(&pool)?;
        Ok(Self { group, base, pool })
    }

    /// The pool's chunk.
    ///
    /// # Errors
    /// LVM does not say it.
    pub fn chunk(&self) -> Result<ChunkSize, Error> {
        chunk_of(&self.pool)
    }

    /// Whether the pool unmaps what is discarded.
    #[must_use]
    pub fn unmaps(&self) -> bool {
        self.pool.discards != Some(Discards::Ignore)
    }
}

/// Whether nobody writes to the volume: it is read-only, inactive (or active only for us), or a snapshot that nobody has
/// open.
#[must_use]
pub fn is_quiet(lvm: &Lvm<'_>, volume: &Lv) -> bool {
    let attr = volume.attr;
    attr.permission() == lvm_cmd::Permission::ReadOnly
        || !attr.is_active()
        || is_active_for_us(lvm.state, volume)
        || (volume.origin.is_some() && !attr.is_open())
}

pub(super) fn chunk_of(pool: &Lv) -> Result<ChunkSize, Error> {
    pool.chunk_size.ok_or_else(|| LvmError::NotAPool { name: pool.name.clone() }.into())
}

fn check_one_group(new: &LvRef, base: Option<&LvRef>) -> Result<(), Error> {
    match base.filter(|base| base.vg() != new.vg()) {
        Some(base) => Err(LvmError::TwoGroups { new: new.clone(), base: base.clone() }.into()),
        None => Ok(()),
    }
}

fn thin<'a>(group: &'a [Lv], name: &LvRef) -> Result<&'a Lv, Error> {
    let volume = find(group, name)?;
    match volume.attr.lv_type() {
        LvType::ThinVolume => Ok(volume),
        _ => Err(LvmError::NotThin { name: volume.name.clone() }.into()),
    }
}

/// Whether `new` is not older than `base`. Where it is, the user most likely turned them round; names say nothing.
#[must_use]
pub fn newest_first(new: &Lv, base: &Lv) -> bool {
    let is_snapshot_of = |snapshot: &Lv, origin: &Lv| snapshot.origin.as_ref() == Some(origin.name.lv());
    // An origin goes on being written when its snapshot is made, so its content is newer, and it itself is older.
    if is_snapshot_of(base, new) || is_snapshot_of(new, base) {
        return is_snapshot_of(base, new);
    }
    match (new.created_seconds, base.created_seconds) {
        (Some(new), Some(base)) => new.cmp(&base) != Ordering::Less,
        _ => true,
    }
}

//! From what is asked for to what is recorded.

use std::path::PathBuf;

use cli::{Exit, Failure, Hooks, OrFail, Outcome};
use extents::{Bytes, human};
use lvm_cmd::{LvRef, LvType, find, groups, volumes};
use snapshot::{MountPoint, Phase, Record, TmpFile};

use crate::context::{Context, left, of_site};
use crate::ids::{random_hex, random_uuid};
use crate::mount_point::{is_to_be_made, mount_point, resolved};

/// A snapshot that somebody asks for, by whichever command.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) origin: LvRef,
    pub(crate) snapshot: LvRef,
    /// How much space a classic one has; `None` for a thin one.
    pub(crate) size: Option<Bytes>,
    /// Where that comes from.
    pub(crate) space: Space,
    /// Where it is to be mounted.
    pub(crate) mount: Option<PathBuf>,
    pub(crate) writable: bool,
    /// Whether the file systems above the origin are frozen meanwhile.
    pub(crate) freeze: bool,
    pub(crate) hooks: Hooks,
}

/// Where the space of a classic snapshot comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Space {
    /// What is free in the volume group.
    Group,
    /// A temporary file.
    File {
        /// Which must not be there.
        path: PathBuf,
        /// Whether its space is written, or only reserved.
        write: bool,
        /// The loop device to take; any free one without.
        loop_device: Option<PathBuf>,
    },
}

/// How much longer a temporary file is than the snapshot in it: LVM's label and metadata, and what is lost to whole
/// extents.
const MARGIN_BYTES: u64 = 16 << 20;

/// The length of a temporary file for a snapshot of `size` in a group with extents of `extent`.
fn file_len(size: Bytes, extent: Bytes) -> Bytes {
    let extents = size.get().div_ceil(extent.get().max(1));
    Bytes::new(extents.saturating_mul(extent.get()).saturating_add(MARGIN_BYTES.max(extent.get())))
}

impl Wanted {
    /// What is recorded of it before anything is made.
    ///
    /// # Errors
    /// It cannot be made, and why; nothing was changed.
    pub(crate) fn record(&self, context: &Context) -> Outcome<Record> {
        let (origin, snapshot) = (&self.origin, &self.snapshot);
        let refused = |text: String| Failure::msg(Exit::Failed, text);
        if origin == snapshot {
            return Err(Failure::msg(Exit::Usage, format!("the snapshot cannot be called as its origin, `{origin}`")));
        }
        if let Some(old) = context.journal.read(snapshot).map_err(|error| of_site(error.into()))? {
            return Err(match old.phase {
                Phase::Made => refused(format!("`{snapshot}` is there already, made {}", old.since)),
                _ => left(&old, refused("a run that made or removed it was interrupted".to_owned())),
            });
        }
        let group = volumes(&context.exec, origin.vg()).map_err(transfer::Error::from)?;
        let source = find(&group, origin).map_err(transfer::Error::from)?;
        if group.iter().any(|lv| lv.name == *snapshot) {
            return Err(refused(format!("there is a volume `{snapshot}` already")).hint("choose another name"));
        }
        match source.attr.lv_type() {
            LvType::ThinPool => return Err(refused(format!("`{origin}` is a pool, not a volume"))),
            _ if source.attr.is_classic_snapshot() => {
                return Err(refused(format!("`{origin}` is a classic snapshot itself; LVM makes none of one")));
            }
            LvType::ThinVolume => {}
            LvType::Other(_) if self.size.is_none() => {
                return Err(Failure::msg(
                    Exit::Usage,
                    format!("`{origin}` is no thin volume: its snapshot needs space for what is overwritten"),
                )
                .hint("say how much: `--size 4g`"));
            }
            LvType::Other(_) => {}
        }
        let file = match &self.space {
            Space::Group => None,
            Space::File { path, write, loop_device } => {
                let tmp = self.tmp_file(context, resolved(path)?)?;
                Some(TmpFile { write: *write, loop_device: loop_device.clone(), ..tmp })
            }
        };
        let mount = self.mount.as_ref().map(|at| -> Outcome<_> {
            let at = resolved(at)?;
            Ok(match source.attr.is_active() {
                true => mount_point(context, &origin.dm_path(), &at)?,
                // What is on it is seen when the snapshot is there.
                false => {
                    let make = is_to_be_made(&at)?;
                    MountPoint { path: at, make, made: None, file_system: String::new(), options: String::new() }
                }
            })
        });
        Ok(Record {
            id: random_hex(16)?,
            snapshot: snapshot.clone(),
            origin: origin.clone(),
            origin_uuid: source.uuid.clone(),
            since: cli::now_utc(),
            cow_size: self.size,
            writable: self.writable,
            file,
            mount: mount.transpose()?,
            phase: Phase::Making,
            steps: std::collections::BTreeMap::new(),
        })
    }

    fn tmp_file(&self, context: &Context, path: PathBuf) -> Outcome<TmpFile> {
        let group = groups(&context.exec).map_err(transfer::Error::from)?;
        let extent = group.iter().find(|group| group.name == *self.origin.vg()).map(|group| group.extent_size);
        let len = file_len(self.size.unwrap_or_default(), extent.unwrap_or_default());
        if path.symlink_metadata().is_ok() {
            return Err(Failure::msg(Exit::Failed, format!("`{}` is there already", path.display()))
                .hint("name a file that is not there: it is made, and removed with the snapshot"));
        }
        let folder = path.parent().unwrap_or(&path);
        let space = rustix::fs::statvfs(folder).or_fail(Exit::Failed)?;
        let free = Bytes::new(space.f_bavail.saturating_mul(space.f_frsize) / 10 * 9);
        if len > free {
            return Err(Failure::msg(
                Exit::Surroundings,
                format!(
                    "`{}` needs {}, and nine tenths of what is free in `{}` are {}",
                    path.display(),
                    human(len),
                    folder.display(),
                    human(free)
                ),
            ));
        }
        Ok(TmpFile { path, len, write: false, loop_device: None, pv: random_uuid()?, made: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_room_for_the_snapshot_and_what_lvm_needs() {
        let mib = |count: u64| Bytes::new(count << 20);
        for (size, extent, len) in [(100, 4, 116), (101, 4, 120), (100, 64, 192), (1, 1, 17)] {
            assert_eq!(file_len(mib(size), mib(extent)), mib(len), "{size} in extents of {extent}");
        }
    }
}

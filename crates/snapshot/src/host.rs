//! The steps on a real host.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use extents::Bytes;
use lvm_cmd::{
    ExecError, Executor, Kind, LoopDevice, LoopError, Lv, MOUNTINFO, MountError, NameError, NewVolume, Permission, Pv,
    ReportError, Room, Uuid, VolumeError, activate, attach_loop, create_classic, create_pv, create_snapshot,
    detach_loop, drop_missing, extend_group, forget_loop, grow_loop, loop_devices, mount, mounted, names_on,
    physical_volumes, reduce_group, remove_pv, resize_pv, tag_pv, unmount, volumes,
};

use crate::beside::{self, found};
use crate::work::Site;
use crate::{
    Action, Facts, FileId, FileSystem, Found, Journal, JournalError, MountPoint, Physical, PlanError, Record, Step,
    TmpFile, tagged_id,
};

/// What is written at once.
const WRITE_BYTES: usize = 4 << 20;
/// How long a loop device may take to go after it was detached, since others look at every device that changes.
const DETACH_TRIES: u32 = 50;
const DETACH_PAUSE: Duration = Duration::from_millis(100);

/// The host, by its programs.
pub struct HostSite<'a> {
    exec: &'a dyn Executor,
    /// Told how much of the temporary file is written; says whether to go on.
    written: &'a dyn Fn(Bytes) -> bool,
    /// Physical volumes of other snapshots whose files are known to be gone.
    lost: BTreeSet<Uuid>,
}

impl std::fmt::Debug for HostSite<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HostSite").finish_non_exhaustive()
    }
}

impl<'a> HostSite<'a> {
    /// The host behind an executor. `written` is told how much of a temporary file is there, and says whether to go on.
    pub fn new(exec: &'a dyn Executor, written: &'a dyn Fn(Bytes) -> bool) -> Self {
        Self { exec, written, lost: BTreeSet::new() }
    }

    /// Notes which of these snapshots have lost their space for ever. Before that, a snapshot that misses its space cannot be removed
    /// while its group misses another physical volume: LVM would write the group, and mark as missing what is only not
    /// attached yet.
    ///
    /// # Errors
    /// A file system cannot be looked at.
    pub fn note_lost(&mut self, records: &[Record]) -> Result<(), SiteError> {
        for (record, file) in records.iter().filter_map(|record| Some((record, record.file.as_ref()?))) {
            if matches!(self.file(record)?, Found::Absent | Found::Other) && self.loops(record)?.is_empty() {
                self.lost.insert(file.pv.clone());
            }
        }
        Ok(())
    }

    /// Whether its space is one of those.
    #[must_use]
    pub fn is_lost(&self, record: &Record) -> bool {
        record.file.as_ref().is_some_and(|file| self.lost.contains(&file.pv))
    }

    /// Makes the temporary file of a snapshot longer, while it is in use, and the physical volume on it.
    ///
    /// # Errors
    /// There is no room for it, or LVM refuses; what it has grown by goes with it.
    pub fn grow(&self, record: &mut Record, journal: &Journal, by: Bytes) -> Result<(), SiteError> {
        let Some(tmp) = &mut record.file else { return Ok(()) };
        let old = tmp.len;
        tmp.len = Bytes::new(old.get().saturating_add(by.get()));
        let tmp = tmp.clone();
        journal.keep(record)?;
        let file = fs::OpenOptions::new().write(true).open(&tmp.path);
        self.allocate(&mut file.map_err(system(&tmp.path))?, old, &tmp)?;
        let device = self.loop_device(record)?;
        grow_loop(self.exec, &device)?;
        resize_pv(self.exec, &device)?;
        sync_file(record)
    }

    /// Gives the file its space from there on.
    fn allocate(&self, file: &mut fs::File, from: Bytes, tmp: &TmpFile) -> Result<(), SiteError> {
        let failed = |source| SiteError::Allocate { path: tmp.path.clone(), len: tmp.len, source };
        if tmp.write {
            let zeros = vec![0; WRITE_BYTES];
            let mut at = from.get();
            file.seek(SeekFrom::Start(at)).map_err(failed)?;
            while at < tmp.len.get() {
                if !(self.written)(Bytes::new(at)) {
                    return Err(SiteError::Stopped);
                }
                let count = WRITE_BYTES.min(usize::try_from(tmp.len.get() - at).unwrap_or(WRITE_BYTES));
                file.write_all(&zeros[..count]).map_err(failed)?;
                at += count as u64;
            }
        } else {
            rustix::fs::fallocate(&*file, rustix::fs::FallocateFlags::empty(), from.get(), tmp.len.get() - from.get())
                .map_err(|error| failed(error.into()))?;
        }
        file.sync_all().map_err(failed)
    }

    fn make_file(&self, record: &mut Record, journal: &Journal) -> Result<(), SiteError> {
        let Some(tmp) = record.file.clone() else { return Ok(()) };
        let unfinished = beside::unfinished(&tmp.path, &record.id);
        let (mut file, id) = beside::make_file(&unfinished).map_err(system(&unfinished))?;
        record.file = Some(TmpFile { made: Some(id), ..tmp.clone() });
        journal.keep(record)?;
        reserve_in_place(&file).map_err(system(&unfinished))?;
        self.allocate(&mut file, Bytes::ZERO, &tmp)?;
        beside::name(&unfinished, &tmp.path).map_err(system(&tmp.path))
    }

    fn make_folder(record: &mut Record, journal: &Journal) -> Result<(), SiteError> {
        let Some(at) = record.mount.clone() else { return Ok(()) };
        let unfinished = beside::unfinished(&at.path, &record.id);
        let id = beside::make_folder(&unfinished).map_err(system(&unfinished))?;
        record.mount = Some(MountPoint { made: Some(id), ..at.clone() });
        journal.keep(record)?;
        beside::name(&unfinished, &at.path).map_err(system(&at.path))
    }

    fn make_volume(&self, record: &Record) -> Result<(), SiteError> {
        let tags = [record.tag()?];
        let permission = if record.writable { Permission::ReadWrite } else { Permission::ReadOnly };
        let name = record.snapshot.lv();
        let room = match (&record.file, record.cow_size) {
            (Some(_), _) => Room::AllOf(&self.loop_device(record)?),
            (None, Some(size)) => Room::Size(size),
            (None, None) => {
                let active = record.mount.is_some();
                let new = NewVolume { tags: &tags, permission, active, skip_activation: true };
                return Ok(create_snapshot(self.exec, &record.origin, name, &new)?);
            }
        };
        Ok(create_classic(self.exec, &record.origin, name, room, &tags, permission)?)
    }

    /// The loop devices that have the temporary file.
    fn loops(&self, record: &Record) -> Result<Vec<PathBuf>, SiteError> {
        let Some(TmpFile { path, made: Some(made), .. }) = &record.file else { return Ok(Vec::new()) };
        let names = [path.clone(), beside::unfinished(path, &record.id), removed(path)];
        let is_ours = |device: &LoopDevice| device.inode == made.inode && names.contains(&device.file);
        Ok(loop_devices(self.exec)?.into_iter().filter(is_ours).map(|device| device.device).collect())
    }

    fn loop_device(&self, record: &Record) -> Result<PathBuf, SiteError> {
        let found = self.loops(record)?.into_iter().next();
        found.ok_or_else(|| SiteError::NoLoop {
            path: record.file.as_ref().map(|file| file.path.clone()).unwrap_or_default(),
        })
    }

    /// What is there of the physical volume, and whether the group misses the space of another snapshot that may come back.
    fn physical(&self, record: &Record) -> Result<(Physical, bool), SiteError> {
        let all = physical_volumes(self.exec)?;
        let (group, pv) = (record.snapshot.vg(), record.file.as_ref().map(|tmp| &tmp.pv));
        // The lost space of another snapshot is no hindrance: as long as that has a volume on it, LVM drops nothing.
        let misses = |other: &&Pv| {
            let is_missing = other.device.is_none() && other.group.as_ref() == Some(group);
            is_missing && Some(&other.uuid) != pv && !self.lost.contains(&other.uuid)
        };
        let misses_more = all.iter().any(|other| misses(&other));
        let misses_space = all.iter().filter(misses).any(|other| other.tags.iter().any(|tag| tagged_id(tag).is_some()));
        let Some(ours) = all.iter().find(|other| Some(&other.uuid) == pv) else {
            return Ok((Physical::Absent, misses_space));
        };
        let physical = match (&ours.device, &ours.group) {
            (Some(_), None) => Physical::Alone,
            (Some(_), Some(_)) => Physical::InGroup,
            (None, _) => {
                let others = names_on(self.exec, &ours.uuid)?;
                let others = others.iter().any(|name| name != record.snapshot.lv().as_str());
                Physical::Missing { entangled: misses_more || others }
            }
        };
        Ok((physical, misses_space))
    }

    fn volume(&self, record: &Record) -> Result<(Found, Option<Lv>), SiteError> {
        let tag = record.tag()?;
        let group = volumes(self.exec, record.snapshot.vg())?;
        let named = group.into_iter().find(|lv| lv.name == record.snapshot);
        let found = match &named {
            None => Found::Absent,
            Some(lv) if lv.has_tag(&tag) => Found::Ours,
            Some(_) => Found::Other,
        };
        Ok((found, named))
    }

    /// What has this name, where the file system is the one that it was made on: before that is mounted, nothing is known.
    fn found(&self, path: &Path, made: Option<FileId>, on: Option<&FileSystem>) -> Result<Found, SiteError> {
        let find = || found(path, made).map_err(system(path));
        if find()? == Found::Ours {
            return Ok(Found::Ours);
        }
        let Some(on) = on else { return Ok(Found::Unreachable) };
        let is_mounted =
            || Ok::<_, SiteError>(FileSystem::of(self.exec, Path::new(MOUNTINFO), path)?.as_ref() == Some(on));
        // Before and after: it may be mounted, or unmounted, at this moment.
        let (before, found, after) = (is_mounted()?, find()?, is_mounted()?);
        Ok(if before && after || found == Found::Ours { found } else { Found::Unreachable })
    }

    /// What is at the path of its temporary file.
    fn file(&self, record: &Record) -> Result<Found, SiteError> {
        let Some(tmp) = &record.file else { return Ok(Found::Absent) };
        Ok(match self.found(&tmp.path, tmp.made, tmp.lies_on.as_ref())? {
            // Nothing was made there, or nobody wants it back.
            Found::Unreachable if tmp.abandoned || !record.steps.contains_key(&Step::File) => Found::Absent,
            found => found,
        })
    }

    fn detach(&self, record: &Record) -> Result<(), SiteError> {
        for device in self.loops(record)? {
            if let Some(tmp) = &record.file {
                forget_loop(self.exec, &device, &tmp.path)?;
            }
            detach_loop(self.exec, &device)?;
        }
        // losetup(8) does not wait: a device that is open goes when it is closed.
        for _ in 0..DETACH_TRIES {
            if self.loops(record)?.is_empty() {
                return Ok(());
            }
            thread::sleep(DETACH_PAUSE);
        }
        Err(SiteError::LoopInUse { device: self.loop_device(record)? })
    }
}

impl Site for HostSite<'_> {
    type Error = SiteError;

    fn make(&self, step: Step, record: &mut Record, journal: &Journal) -> Result<(), SiteError> {
        match step {
            Step::File => self.make_file(record, journal),
            Step::Loop => self.act(&Action::Attach, record),
            Step::PhysicalVolume => {
                if let Some(tmp) = &record.file {
                    create_pv(self.exec, &self.loop_device(record)?, &tmp.pv)?;
                }
                sync_file(record)
            }
            Step::Group => {
                let device = self.loop_device(record)?;
                extend_group(self.exec, record.snapshot.vg(), &device)?;
                tag_pv(self.exec, &device, &record.tag()?)?;
                sync_file(record)
            }
            Step::Volume => {
                self.make_volume(record)?;
                sync_file(record)
            }
            Step::Folder => Self::make_folder(record, journal),
            Step::Mount => self.act(&Action::Mount, record),
        }
    }

    fn look(&self, record: &Record) -> Result<Facts, SiteError> {
        let (volume, there) = self.volume(record)?;
        let (physical, misses_other_space) = self.physical(record)?;
        let mut facts = Facts {
            physical,
            misses_other_space,
            loops: self.loops(record)?,
            volume,
            is_active: there.as_ref().is_some_and(|lv| lv.attr.is_active()),
            ..Facts::default()
        };
        if let Some(tmp) = &record.file {
            facts.file = self.file(record)?;
            facts.unfinished_file = is_there(&beside::unfinished(&tmp.path, &record.id))?;
        }
        if facts.is_active && volume == Found::Ours {
            let node = record.snapshot.dm_path();
            let all = mounted(Path::new(MOUNTINFO))?;
            facts.mounts = all.into_iter().filter(|mount| mount.is_of(&node)).map(|mount| mount.at).collect();
            // The last one first: it may lie on another.
            facts.mounts.reverse();
        }
        if let Some(at) = record.mount.as_ref().filter(|at| at.make) {
            // Below what is mounted there nobody sees it; it is looked at again when that is gone.
            facts.folder = match facts.mounts.contains(&at.path) {
                true if at.made.is_some() => Found::Ours,
                _ => match self.found(&at.path, at.made, at.lies_on.as_ref())? {
                    // Nothing was made there.
                    Found::Unreachable if !record.steps.contains_key(&Step::Folder) => Found::Absent,
                    Found::Unreachable if at.lies_on.is_none() => found(&at.path, at.made).map_err(system(&at.path))?,
                    found => found,
                },
            };
            facts.unfinished_folder = is_there(&beside::unfinished(&at.path, &record.id))?;
        }
        Ok(facts)
    }

    fn act(&self, action: &Action, record: &Record) -> Result<(), SiteError> {
        let (exec, group) = (self.exec, record.snapshot.vg());
        match (action, &record.file, &record.mount) {
            (Action::Unmount(at), ..) => Ok(unmount(exec, at)?),
            (Action::RemoveFolder, _, Some(at)) => remove_ours(&at.path, at.made, |path| fs::remove_dir(path)),
            (Action::RemoveUnfinishedFolder, _, Some(at)) => {
                let unfinished = beside::unfinished(&at.path, &record.id);
                fs::remove_dir(&unfinished).map_err(system(&unfinished))
            }
            (Action::RemoveVolume, ..) => Ok(lvm_cmd::remove(exec, &record.snapshot, &record.tag()?)?),
            (Action::DropMissing, ..) => match self.physical(record)?.0 {
                Physical::Missing { entangled: false } => Ok(drop_missing(exec, group)?),
                _ => Err(SiteError::Changed { what: format!("the group `{group}`") }),
            },
            (Action::ReduceGroup, ..) => Ok(reduce_group(exec, group, &self.loop_device(record)?)?),
            (Action::RemovePhysical, ..) => Ok(remove_pv(exec, &self.loop_device(record)?)?),
            (Action::Detach, ..) => self.detach(record),
            (Action::RemoveFile, Some(tmp), _) => remove_ours(&tmp.path, tmp.made, |path| fs::remove_file(path)),
            (Action::RemoveUnfinishedFile, Some(tmp), _) => {
                let unfinished = beside::unfinished(&tmp.path, &record.id);
                fs::remove_file(&unfinished).map_err(system(&unfinished))
            }
            (Action::Attach, Some(tmp), _) => {
                attach_loop(exec, &tmp.path, tmp.loop_device.as_deref(), tmp.block_size)?;
                Ok(())
            }
            (Action::Activate, ..) => {
                // LVM activates a classic snapshot with its origin only.
                let name = if record.cow_size.is_some() { &record.origin } else { &record.snapshot };
                Ok(activate(exec, name)?)
            }
            (Action::Mount, _, Some(at)) => {
                Ok(mount(exec, &record.snapshot.dm_path(), &at.path, &at.file_system, &at.options)?)
            }
            // Of what the record does not have, there is nothing to do; a folder is made as a step.
            _ => Ok(()),
        }
    }
}

/// What btrfs calls itself, `BTRFS_SUPER_MAGIC` in the kernel's `magic.h`.
const BTRFS: u64 = 0x9123_683e;

/// Lets an empty file keep the space that it is given. btrfs writes to new places instead, so that nothing is reserved, unless
/// the file is told to have no copy on write; that works only before anything is written.
fn reserve_in_place(file: &fs::File) -> io::Result<()> {
    // `f_type` has another type on each architecture.
    #[allow(clippy::cast_sign_loss, clippy::unnecessary_cast, reason = "a magic number")]
    let kind = rustix::fs::fstatfs(file)?.f_type as u64 & u64::from(u32::MAX);
    if kind == BTRFS {
        let flags = rustix::fs::ioctl_getflags(file)?;
        rustix::fs::ioctl_setflags(file, flags | rustix::fs::IFlags::NOCOW)?;
    }
    Ok(())
}

/// LVM writes around the device's cache, and thereby into that of the file, from which a power cut would take it.
fn sync_file(record: &Record) -> Result<(), SiteError> {
    let Some(tmp) = &record.file else { return Ok(()) };
    fs::File::open(&tmp.path).and_then(|file| file.sync_all()).map_err(system(&tmp.path))
}

fn remove_ours(
    path: &Path,
    made: Option<FileId>,
    remove: impl FnOnce(&Path) -> io::Result<()>,
) -> Result<(), SiteError> {
    match found(path, made).map_err(system(path))? {
        Found::Absent => Ok(()),
        Found::Ours => remove(path).and_then(|()| beside::sync_parent(path)).map_err(system(path)),
        Found::Other | Found::Unreachable => Err(SiteError::Changed { what: format!("`{}`", path.display()) }),
    }
}

fn is_there(path: &Path) -> Result<bool, SiteError> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(false),
        Err(error) => Err(system(path)(error)),
    }
}

/// As the kernel calls a file that has no name any more.
fn removed(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(" (deleted)");
    name.into()
}

fn system(path: &Path) -> impl FnOnce(io::Error) -> SiteError {
    let path = path.to_owned();
    move |source| SiteError::System { path, source }
}

/// Why a step was not done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SiteError {
    /// A file or a folder.
    #[error("cannot make, look at or remove `{}`", path.display())]
    System {
        /// It.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No space for the temporary file.
    #[error("cannot give `{}` its {}", path.display(), extents::human(*len))]
    Allocate {
        /// The file.
        path: PathBuf,
        /// Its length.
        len: Bytes,
        /// What the system said.
        source: io::Error,
    },
    /// The file has no loop device.
    #[error("`{}` is attached to no loop device any more", path.display())]
    NoLoop {
        /// The file.
        path: PathBuf,
    },
    /// Somebody has it open.
    #[error("`{}` is in use and was not detached", device.display())]
    LoopInUse {
        /// The loop device.
        device: PathBuf,
    },
    /// It is not what it was a moment ago.
    #[error("somebody else has changed {what} meanwhile; nothing of it was removed")]
    Changed {
        /// What.
        what: String,
    },
    /// It was told to stop.
    #[error("stopped")]
    Stopped,
    /// The record cannot be kept.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// There is no plan.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A volume.
    #[error(transparent)]
    Volume(#[from] VolumeError),
    /// What LVM reports.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// A program.
    #[error(transparent)]
    Exec(#[from] ExecError),
    /// A loop device.
    #[error(transparent)]
    Loop(#[from] LoopError),
    /// A mount.
    #[error(transparent)]
    Mount(#[from] MountError),
    /// A name of ours.
    #[error(transparent)]
    Name(#[from] NameError),
}

impl SiteError {
    /// What kind of failure this is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Volume(error) => error.kind(),
            Self::Report(error) => error.kind(),
            Self::Exec(error) => error.kind(),
            Self::Loop(error) => error.kind(),
            Self::Mount(error) => error.kind(),
            Self::LoopInUse { .. } => Kind::Busy,
            Self::Allocate { .. } => Kind::Environment,
            _ => Kind::Failed,
        }
    }
}

//! A host of which one knows everything, and which dies after so many steps.

use std::cell::{Cell, RefCell};
use std::path::PathBuf;

use extents::Bytes;
use snapshot::{
    Action, Facts, FileId, Found, Journal, JournalError, MountPoint, Phase, Physical, PlanError, Record, Site, Step,
    TmpFile,
};

/// All that is there.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct World {
    pub(crate) file: Found,
    pub(crate) unfinished_file: bool,
    pub(crate) has_loop: bool,
    pub(crate) label: bool,
    pub(crate) in_group: bool,
    pub(crate) volume: Found,
    pub(crate) is_active: bool,
    pub(crate) folder: Found,
    pub(crate) unfinished_folder: bool,
    pub(crate) mounted: bool,
    /// Whether the file system of the file and the folder is not mounted yet.
    pub(crate) is_hidden: bool,
    /// Whether the space of another snapshot in the group is not attached.
    pub(crate) misses_other_space: bool,
}

impl World {
    /// As after a boot.
    pub(crate) fn boot(&mut self) {
        (self.has_loop, self.is_active, self.mounted) = (false, false, false);
    }
}

#[derive(Debug)]
pub(crate) enum Fault {
    /// The run died.
    Killed,
    /// The host refused.
    Refused(&'static str),
    /// Nothing can be planned.
    Plan(PlanError),
}

impl From<JournalError> for Fault {
    fn from(error: JournalError) -> Self {
        panic!("{error}")
    }
}

impl From<PlanError> for Fault {
    fn from(error: PlanError) -> Self {
        Self::Plan(error)
    }
}

pub(crate) struct Model {
    pub(crate) world: RefCell<World>,
    /// How many moments the run still lives; `None`: for ever.
    life: Cell<Option<u32>>,
}

impl Model {
    pub(crate) fn new(world: World, life: Option<u32>) -> Self {
        Self { world: RefCell::new(world), life: Cell::new(life) }
    }

    fn live(&self) -> Result<(), Fault> {
        match self.life.get() {
            Some(0) => Err(Fault::Killed),
            left => {
                self.life.set(left.map(|left| left - 1));
                Ok(())
            }
        }
    }

    fn change(&self, when: bool, refused: &'static str, change: impl FnOnce(&mut World)) -> Result<(), Fault> {
        self.live()?;
        if !when {
            return Err(Fault::Refused(refused));
        }
        change(&mut self.world.borrow_mut());
        self.live()
    }
}

const ID: FileId = FileId { inode: 7, born_ns: None };

impl Site for Model {
    type Error = Fault;

    fn make(&self, step: Step, record: &mut Record, journal: &Journal) -> Result<(), Fault> {
        let now = self.world.borrow().clone();
        match step {
            Step::File => {
                self.change(!now.unfinished_file, "is there", |world| world.unfinished_file = true)?;
                record.file.as_mut().unwrap().made = Some(ID);
                journal.keep(record)?;
                self.change(now.file == Found::Absent, "is there", |world| {
                    (world.unfinished_file, world.file) = (false, Found::Ours);
                })
            }
            Step::Loop => self.act(&Action::Attach, record),
            Step::PhysicalVolume => self.change(now.has_loop, "no loop", |world| world.label = true),
            Step::Group => self.change(now.has_loop && now.label, "no label", |world| world.in_group = true),
            Step::Volume => {
                let room = record.file.is_none() || now.in_group;
                self.change(room && now.volume == Found::Absent, "taken, or no room", |world| {
                    (world.volume, world.is_active) = (Found::Ours, true);
                })
            }
            Step::Folder => {
                self.change(!now.unfinished_folder, "is there", |world| world.unfinished_folder = true)?;
                record.mount.as_mut().unwrap().made = Some(ID);
                journal.keep(record)?;
                self.change(now.folder == Found::Absent, "is there", |world| {
                    (world.unfinished_folder, world.folder) = (false, Found::Ours);
                })
            }
            Step::Mount => self.act(&Action::Mount, record),
        }
    }

    fn look(&self, record: &Record) -> Result<Facts, Fault> {
        self.live()?;
        let world = self.world.borrow().clone();
        let made = |found, made: bool| match found {
            _ if world.is_hidden => Found::Unreachable,
            Found::Ours if !made => Found::Other,
            found => found,
        };
        Ok(Facts {
            file: made(world.file, record.file.as_ref().is_some_and(|file| file.made.is_some())),
            unfinished_file: world.unfinished_file && !world.is_hidden,
            loops: world.has_loop.then(|| PathBuf::from("/dev/loop7")).into_iter().collect(),
            physical: match (world.label, world.in_group, world.has_loop) {
                (_, true, true) => Physical::InGroup,
                (_, true, false) => Physical::Missing { entangled: false },
                (true, false, true) => Physical::Alone,
                _ => Physical::Absent,
            },
            misses_other_space: world.misses_other_space,
            volume: world.volume,
            is_active: world.is_active,
            folder: made(world.folder, record.mount.as_ref().is_some_and(|mount| mount.made.is_some())),
            unfinished_folder: world.unfinished_folder && !world.is_hidden,
            mounts: record.mount.iter().filter(|_| world.mounted).map(|mount| mount.path.clone()).collect(),
        })
    }

    fn act(&self, action: &Action, _: &Record) -> Result<(), Fault> {
        let now = self.world.borrow().clone();
        match action {
            Action::Unmount(_) => self.change(now.mounted, "not mounted", |world| world.mounted = false),
            Action::RemoveFolder => {
                self.change(now.folder == Found::Ours && !now.mounted, "busy", |world| world.folder = Found::Absent)
            }
            Action::RemoveUnfinishedFolder => self.change(true, "", |world| world.unfinished_folder = false),
            // LVM does it, and marks the other space as missing.
            Action::RemoveVolume | Action::DropMissing | Action::ReduceGroup if now.misses_other_space => {
                panic!("{action:?} while another space is not attached")
            }
            Action::RemoveVolume => {
                let can = now.volume == Found::Ours && !now.mounted;
                self.change(can, "in use", |world| (world.volume, world.is_active) = (Found::Absent, false))
            }
            Action::DropMissing => {
                let can = now.in_group && !now.has_loop && now.volume != Found::Ours;
                self.change(can, "not missing, or in use", |world| (world.in_group, world.label) = (false, false))
            }
            Action::ReduceGroup => {
                let can = now.in_group && now.has_loop && now.volume != Found::Ours;
                self.change(can, "in use", |world| world.in_group = false)
            }
            Action::RemovePhysical => {
                self.change(now.has_loop && !now.in_group, "in a group", |world| world.label = false)
            }
            Action::Detach => self.change(now.has_loop && !now.label, "LVM has it", |world| world.has_loop = false),
            Action::RemoveFile => self.change(now.file == Found::Ours && !now.has_loop, "attached", |world| {
                (world.file, world.label) = (Found::Absent, false);
            }),
            Action::RemoveUnfinishedFile => self.change(true, "", |world| world.unfinished_file = false),
            Action::Attach => {
                self.change(now.file == Found::Ours && !now.has_loop, "no file", |world| world.has_loop = true)
            }
            Action::Activate => self.change(now.has_loop >= now.in_group, "partial", |world| world.is_active = true),
            Action::MakeFolder => panic!("a folder is made as a step"),
            Action::Mount => {
                let can = now.is_active && now.folder != Found::Absent && !now.mounted;
                self.change(can, "not active, or no folder", |world| world.mounted = true)
            }
        }
    }
}

/// A snapshot of `vg0/data`; with a temporary file, and a mount in a folder that is made, or that is there.
pub(crate) fn record(with_file: bool, mount: Option<bool>) -> Record {
    let len = Bytes::new(64 << 20);
    Record {
        id: "0123456789abcdef".to_owned(),
        snapshot: "vg0/snap".parse().unwrap(),
        origin: "vg0/data".parse().unwrap(),
        origin_uuid: "aaaaaa-bbbb-cccc-dddd-eeee-ffff-gggggg".parse().unwrap(),
        since: "2026-11-21T03:00:00Z".to_owned(),
        cow_size: with_file.then_some(len),
        writable: false,
        file: with_file.then(|| TmpFile {
            path: "/var/tmp/space.img".into(),
            len,
            write: false,
            loop_device: None,
            block_size: None,
            pv: "aaaaaa-bbbb-cccc-dddd-eeee-ffff-hhhhhh".parse().unwrap(),
            made: None,
            lies_on: None,
            abandoned: false,
        }),
        mount: mount.map(|make| MountPoint {
            path: "/mnt/snap".into(),
            make,
            made: None,
            lies_on: None,
            file_system: "ext4".to_owned(),
            options: "ro,noload".to_owned(),
        }),
        phase: Phase::Making,
        steps: std::collections::BTreeMap::new(),
    }
}

/// What is there before.
pub(crate) fn before(record: &Record) -> World {
    let stands = record.mount.as_ref().is_some_and(|mount| !mount.make);
    World { folder: if stands { Found::Other } else { Found::Absent }, ..World::default() }
}

/// All kinds of snapshots.
pub(crate) fn records() -> impl Iterator<Item = Record> {
    [None, Some(true), Some(false)].into_iter().flat_map(|mount| [record(true, mount), record(false, mount)])
}

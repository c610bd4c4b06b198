//! From what is asked for to what is recorded.

use std::path::PathBuf;

use cli::{Exit, Failure, Hooks, Outcome};
use extents::Bytes;
use lvm_cmd::LvRef;
use snapshot::check::{Asked, AskedFile, FilePlace, MountPlace, Seen, There, file_len, findings, mount_options};
use snapshot::{MountPoint, Phase, Record, TmpFile};

use crate::check::seen;
use crate::context::{Context, lies_on, of_site};
use crate::ids::{random_hex, random_uuid};
use crate::refusal::refuse;

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

impl Wanted {
    /// What the checks are told of it.
    pub(crate) fn asked(&self) -> Asked {
        let file = match &self.space {
            Space::Group => None,
            Space::File { path, loop_device, .. } => {
                Some(AskedFile { path: path.clone(), loop_device: loop_device.clone() })
            }
        };
        Asked {
            origin: self.origin.clone(),
            snapshot: self.snapshot.clone(),
            size: self.size,
            file,
            mount: self.mount.clone(),
            freeze: self.freeze,
        }
    }

    /// What is recorded of it before anything is made. Who calls this has the snapshot's lock.
    ///
    /// # Errors
    /// A check refuses it; nothing was changed.
    pub(crate) fn record(&self, context: &Context) -> Outcome<Record> {
        let asked = self.asked();
        let known = context.journal.read(&self.snapshot).map_err(|error| of_site(error.into()).to_string()).transpose();
        let seen = seen(context, &asked, known, None)?;
        refuse(&findings(&asked, &seen))?;
        self.record_of(context, seen)
    }

    /// What is recorded where nothing is refused.
    fn record_of(&self, context: &Context, seen: Seen) -> Outcome<Record> {
        let unseen = || Failure::msg(Exit::Failed, "what the snapshot needs was not looked up");
        let group = seen.group.and_then(Result::ok).ok_or_else(unseen)?;
        let origin = group.origin.map_err(|_| unseen())?;
        let file = match (&self.space, seen.file, group.space) {
            (Space::File { write, loop_device, .. }, Some(FilePlace { path: Ok(path), .. }), Some(space)) => {
                let len = file_len(self.size.unwrap_or_default(), space.extent);
                let loop_device = loop_device.clone();
                let (write, pv, lies_on) = (*write, random_uuid()?, lies_on(context, &path)?);
                let block_size = group.block_size;
                Some(TmpFile { path, len, write, loop_device, block_size, pv, made: None, lies_on, abandoned: false })
            }
            (Space::File { .. }, ..) => return Err(unseen()),
            (Space::Group, ..) => None,
        };
        let mount = match (&self.mount, seen.mount) {
            (Some(_), Some(MountPlace { path: Ok(path), there, .. })) => {
                // Of an origin that is not active it is seen when the snapshot is there.
                let file_system = seen.file_system.and_then(Result::ok).flatten().unwrap_or_default();
                let options = mount_options(&file_system).unwrap_or_default().to_owned();
                let lies_on = lies_on(context, &path)?;
                Some(MountPoint { path, make: there == There::Absent, made: None, lies_on, file_system, options })
            }
            (Some(_), _) => return Err(unseen()),
            (None, _) => None,
        };
        Ok(Record {
            id: random_hex(16)?,
            snapshot: self.snapshot.clone(),
            origin: self.origin.clone(),
            origin_uuid: origin.uuid,
            since: cli::now_utc(),
            cow_size: self.size,
            writable: self.writable,
            file,
            mount,
            phase: Phase::Making,
            steps: std::collections::BTreeMap::new(),
        })
    }
}

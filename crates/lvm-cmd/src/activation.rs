//! Activating a volume for as long as it is needed.

use std::path::PathBuf;

use crate::activation_lists::likely_list;
use crate::share::Share;
use crate::{
    ActivationListError, Command, ExecError, Executor, Kind, LockError, Lv, LvRef, Patience, Program, ReportError,
    StateDir, Uuid, volumes,
};

/// How a volume is activated.
#[derive(Clone, Debug)]
pub struct ActivationOptions<'a> {
    /// The folder in which its node is to appear.
    pub nodes: PathBuf,
    /// Where runs see each other.
    pub state: &'a StateDir,
    /// How long to wait for the node, and for others to close the volume before it is deactivated.
    pub patience: Patience<'a>,
}

impl<'a> ActivationOptions<'a> {
    /// The node in `/dev/mapper`.
    #[must_use]
    pub fn new(state: &'a StateDir, patience: Patience<'a>) -> Self {
        Self { nodes: PathBuf::from("/dev/mapper"), state, patience }
    }
}

/// A volume that is active, and is deactivated again when this is dropped, if it was inactive before and no other run of
/// ours needs it still.
#[derive(Debug)]
#[must_use = "the volume is deactivated as soon as this is dropped"]
pub struct Activation<'a> {
    exec: &'a dyn Executor,
    name: LvRef,
    uuid: Uuid,
    node: PathBuf,
    options: ActivationOptions<'a>,
    /// Nothing where the volume was active by itself.
    share: Option<Share>,
}

impl<'a> Activation<'a> {
    /// Activates `volume`, skip-activation flag or not, unless it is active, and waits for its device node. Runs no
    /// command where it is active and its node is there, else one, and one more (`udevadm settle`) where the node does
    /// not come at once.
    ///
    /// # Errors
    /// LVM fails, the node does not appear, or the other runs cannot be told.
    pub fn ensure(
        exec: &'a dyn Executor,
        volume: &Lv,
        options: ActivationOptions<'a>,
    ) -> Result<Self, ActivationError> {
        let name = volume.name.clone();
        let node = options.nodes.join(name.dm_name());
        let switch = Share::switch(options.state, options.patience)?;
        let joined = Share::join(options.state, volume)?;
        if joined.is_none() && volume.attr.is_active() && !node.exists() {
            // Slow to come, or gone again since the report, with the run that had activated it.
            settle(exec, &options.patience);
        }
        let (share, is_there) = match joined {
            Some(share) => (Some(share), node.exists()),
            None if volume.attr.is_active() && node.exists() => (None, true),
            None => (Some(Share::found(options.state, volume)?), false),
        };
        if !is_there {
            // Not read-only, though LVM could (`activation/read_only_volume_list`): a thin pool that becomes active along
            // with such a volume is then loaded read-only too, which the kernel refuses (lvm2 2.03.16).
            let command = Command::new(Program::Lvchange).args(["-ay", "-K", &name.to_string()]);
            if let Err(source) = exec.run(&command)
                && !(source.was_run() && is_active(exec, &name, &volume.uuid).unwrap_or(false))
            {
                share.into_iter().filter(|share| share.is_last().unwrap_or(false)).for_each(Share::end);
                let list = likely_list(exec, &source, name.vg());
                return Err(ActivationError::Activate { name, list, source });
            }
        }
        let this = Self { exec, name, uuid: volume.uuid.clone(), node, options, share };
        drop(switch);
        this.wait_for_node()?;
        Ok(this)
    }

    /// The device node.
    #[must_use]
    pub fn path(&self) -> &std::path::Path {
        &self.node
    }

    /// Deactivates the volume if it was inactive before and this is the last of our runs to use it, and says whether
    /// that worked. As often as `patience` allows while something, such as udev's blkid, has it open. Runs one command a
    /// try, or none.
    ///
    /// # Errors
    /// LVM fails, or the volume stays in use.
    pub fn release(mut self) -> Result<(), ActivationError> {
        self.deactivate()
    }

    fn wait_for_node(&self) -> Result<(), ActivationError> {
        let mut tries = self.options.patience.tries();
        let mut settled = false;
        while !self.node.exists() {
            if !settled {
                settle(self.exec, &self.options.patience);
                settled = true;
                // LVM passes over what its settings keep inactive, and exits 0.
                if !self.node.exists() && !is_active(self.exec, &self.name, &self.uuid).unwrap_or(true) {
                    return Err(ActivationError::Kept { name: self.name.clone() });
                }
            } else if !tries.pause() {
                return Err(ActivationError::NoNode { name: self.name.clone(), node: self.node.clone() });
            }
        }
        Ok(())
    }

    fn deactivate(&mut self) -> Result<(), ActivationError> {
        let Some(share) = self.share.take() else { return Ok(()) };
        let _switch = Share::switch(self.options.state, self.options.patience)?;
        if !share.is_last()? {
            return Ok(());
        }
        let done = self.lvchange_an();
        let inherited = share.is_inherited();
        share.end();
        match done {
            // Somebody else's by now.
            Err(error) if inherited && error.kind() == Kind::Busy => Ok(()),
            done => done,
        }
    }

    /// What is open is tried again, and what was so until just now.
    fn lvchange_an(&self) -> Result<(), ActivationError> {
        let mut tries = self.options.patience.tries();
        let command = Command::new(Program::Lvchange).args(["-an", &self.name.to_string()]);
        let mut is_first = true;
        loop {
            let Err(source) = self.exec.run(&command) else { return Ok(()) };
            let failed = |in_use, source| Err(ActivationError::Deactivate { name: self.name.clone(), in_use, source });
            if !source.was_run() {
                return failed(false, source);
            }
            self.exec.forget();
            let Ok(group) = volumes(self.exec, self.name.vg()) else { return failed(false, source) };
            let in_use = match group.iter().find(|lv| lv.uuid == self.uuid) {
                Some(lv) if !lv.attr.is_gone() => lv.attr.is_open(),
                _ => return Ok(()),
            };
            if !((in_use || is_first) && tries.pause()) {
                return failed(in_use, source);
            }
            is_first = false;
        }
    }
}

/// Whether a new report says that the volume is active.
fn is_active(exec: &dyn Executor, name: &LvRef, uuid: &Uuid) -> Result<bool, ReportError> {
    exec.forget();
    let group = volumes(exec, name.vg())?;
    Ok(group.iter().any(|lv| lv.uuid == *uuid && lv.attr.is_live()))
}

impl Drop for Activation<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.deactivate() {
            tracing::error!(%error, cause = error.cause(), "a volume stays active");
        }
    }
}

/// Waits until udev has worked off its queue. A help, not a proof, so that its failure is none of ours.
fn settle(exec: &dyn Executor, patience: &Patience<'_>) {
    let seconds = patience.limit().as_secs().clamp(1, 30);
    let command = Command::new(Program::Udevadm).args(["settle", &format!("--timeout={seconds}")]);
    if let Err(error) = exec.run(&command) {
        tracing::debug!(%error, "udev does not settle");
    }
}

/// Why a volume is not active, or not inactive.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ActivationError {
    /// Other runs cannot be told, or keep it locked.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// LVM does not activate it.
    #[error("cannot activate `{name}`")]
    Activate {
        /// The volume.
        name: LvRef,
        /// The list in lvm.conf that is the likely cause, if there is one.
        list: Option<Box<ActivationListError>>,
        /// Why not.
        source: ExecError,
    },
    /// It is active and has no device node.
    #[error("`{name}` is active, but `{}` does not appear; is udev running?", node.display())]
    NoNode {
        /// The volume.
        name: LvRef,
        /// What should be there.
        node: PathBuf,
    },
    /// LVM passes over it.
    #[error(
        "cannot activate `{name}`: LVM leaves it inactive, as `activation/volume_list` in lvm.conf does with what it does \
         not list; see `lvmconfig activation/volume_list`"
    )]
    Kept {
        /// The volume.
        name: LvRef,
    },
    /// LVM does not deactivate it.
    #[error("cannot deactivate `{name}`, which stays active; later: `lvchange -an {name}`")]
    Deactivate {
        /// The volume.
        name: LvRef,
        /// Whether something has it open, as a report said afterwards.
        in_use: bool,
        /// Why not.
        source: ExecError,
    },
}

impl ActivationError {
    /// What kind of failure this is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Deactivate { in_use: true, .. } => Kind::Busy,
            Self::Activate { list: Some(list), .. } => list.kind(),
            Self::Activate { source, .. } | Self::Deactivate { source, .. } => source.kind(),
            Self::NoNode { .. } | Self::Kept { .. } => Kind::Environment,
            Self::Lock(source) => source.kind(),
        }
    }

    /// What to do next, where a setting of the host is the likely cause.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Activate { list, .. } => list.as_ref().map(|list| list.hint()),
            _ => None,
        }
    }

    fn cause(&self) -> String {
        std::error::Error::source(self).map_or_else(String::new, ToString::to_string)
    }
}

//! Activating a volume for as long as it is needed.

use std::path::PathBuf;

use crate::activated::Activated;
use crate::{Command, ExecError, Executor, Kind, LockError, Lv, LvRef, Patience, Program, StateDir};

/// How a volume is activated.
#[derive(Clone, Debug)]
pub struct ActivationOptions<'a> {
    /// The folder in which its node is to appear.
    pub nodes: PathBuf,
    /// Where other runs see that it is used, and by whom it was activated.
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

/// A volume that is active. When this is dropped it is deactivated, unless its user had activated it or another of our
/// runs uses it; the last one then does.
#[derive(Debug)]
#[must_use = "the volume is deactivated as soon as this is dropped"]
pub struct Activation<'a> {
    exec: &'a dyn Executor,
    name: LvRef,
    node: PathBuf,
    options: ActivationOptions<'a>,
    /// `None` once released.
    used: Option<Activated>,
}

impl<'a> Activation<'a> {
    /// Activates `volume`, skip-activation flag or not, unless its report says that it is active, and waits for its
    /// device node. Runs no command where it is active and its node is there, else one, and one more (`udevadm
    /// settle`) where the node does not come at once.
    ///
    /// # Errors
    /// LVM fails, or the node does not appear.
    pub fn ensure(
        exec: &'a dyn Executor,
        volume: &Lv,
        options: ActivationOptions<'a>,
    ) -> Result<Self, ActivationError> {
        let name = volume.name.clone();
        let locked = |source| ActivationError::Lock { name: name.clone(), source };
        let mut used = Activated::share(options.state, &volume.uuid, options.patience).map_err(locked)?;
        let node = options.nodes.join(name.dm_name());
        // Where another run has deactivated it since the report, the node is gone.
        if !volume.attr.is_active() || !node.exists() {
            // Before it is, or a run that is killed in between leaves it for ever.
            used.set().map_err(locked)?;
            // Not read-only, though LVM could (`activation/read_only_volume_list`): a thin pool that becomes active along
            // with such a volume is then loaded read-only too, which the kernel refuses (lvm2 2.03.16).
            let command = Command::new(Program::Lvchange).args(["-ay", "-K", &name.to_string()]);
            if let Err(source) = exec.run(&command) {
                if used.is_alone() {
                    used.forget();
                }
                return Err(ActivationError::Activate { name, source });
            }
        }
        let this = Self { exec, name, node, options, used: Some(used) };
        this.wait_for_node()?;
        Ok(this)
    }

    /// Deactivates `volume` where a run of ours activated it and was killed, and says whether it did. Runs one command,
    /// or none. What somebody else has open by now is theirs.
    ///
    /// # Errors
    /// LVM fails.
    pub fn end_left_over(exec: &dyn Executor, volume: &Lv, state: &StateDir) -> Result<bool, ActivationError> {
        let name = &volume.name;
        let left = Activated::left(state, &volume.uuid);
        let Some(left) = left.map_err(|source| ActivationError::Lock { name: name.clone(), source })? else {
            return Ok(false);
        };
        let deactivates = volume.attr.is_active() && !volume.attr.is_open();
        if deactivates {
            let command = Command::new(Program::Lvchange).args(["-an", &name.to_string()]);
            exec.run(&command).map_err(|source| ActivationError::Deactivate { name: name.clone(), source })?;
        }
        left.forget();
        Ok(deactivates)
    }

    /// The device node.
    #[must_use]
    pub fn path(&self) -> &std::path::Path {
        &self.node
    }

    /// Deactivates the volume if it was inactive before and no other run uses it, and says whether that worked. As often
    /// as `patience` allows while something, such as udev's blkid, has it open. Runs one command a try, or none.
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
            } else if !tries.pause() {
                return Err(ActivationError::NoNode { name: self.name.clone(), node: self.node.clone() });
            }
        }
        Ok(())
    }

    fn deactivate(&mut self) -> Result<(), ActivationError> {
        let Some(used) = self.used.take() else { return Ok(()) };
        if !used.is_alone() {
            return Ok(());
        }
        if used.is_ours() {
            let mut tries = self.options.patience.tries();
            let command = Command::new(Program::Lvchange).args(["-an", &self.name.to_string()]);
            while let Err(source) = self.exec.run(&command) {
                if !source.is_in_use() || !tries.pause() {
                    return Err(ActivationError::Deactivate { name: self.name.clone(), source });
                }
            }
        }
        used.forget();
        Ok(())
    }
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
    /// Whether other runs use it is not known.
    #[error("`{name}` cannot be used beside other runs")]
    Lock {
        /// The volume.
        name: LvRef,
        /// Why not.
        source: LockError,
    },
    /// LVM does not activate it.
    #[error("cannot activate `{name}`")]
    Activate {
        /// The volume.
        name: LvRef,
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
    /// LVM does not deactivate it.
    #[error("cannot deactivate `{name}`, which stays active; later: `lvchange -an {name}`")]
    Deactivate {
        /// The volume.
        name: LvRef,
        /// Why not.
        source: ExecError,
    },
}

impl ActivationError {
    /// What kind of failure this is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Lock { source, .. } => source.kind(),
            Self::Activate { source, .. } | Self::Deactivate { source, .. } => source.kind(),
            Self::NoNode { .. } => Kind::Environment,
        }
    }

    fn cause(&self) -> String {
        std::error::Error::source(self).map_or_else(String::new, ToString::to_string)
    }
}

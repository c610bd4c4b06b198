//! Activating a volume for as long as it is needed.

use std::path::PathBuf;

use crate::{Command, ExecError, Executor, Kind, Lv, LvRef, Patience, Program};

/// How a volume is activated.
#[derive(Clone, Debug)]
pub struct ActivationOptions<'a> {
    /// The folder in which its node is to appear.
    pub nodes: PathBuf,
    /// How long to wait for the node, and for others to close the volume before it is deactivated.
    pub patience: Patience<'a>,
}

impl<'a> ActivationOptions<'a> {
    /// The node in `/dev/mapper`.
    #[must_use]
    pub fn new(patience: Patience<'a>) -> Self {
        Self { nodes: PathBuf::from("/dev/mapper"), patience }
    }
}

/// A volume that is active, and is deactivated again when this is dropped, if it was inactive before.
#[derive(Debug)]
#[must_use = "the volume is deactivated as soon as this is dropped"]
pub struct Activation<'a> {
    exec: &'a dyn Executor,
    name: LvRef,
    node: PathBuf,
    options: ActivationOptions<'a>,
    ours: bool,
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
        let ours = !volume.attr.is_active();
        if ours {
            // Not read-only, though LVM could (`activation/read_only_volume_list`): a thin pool that becomes active along
            // with such a volume is then loaded read-only too, which the kernel refuses (lvm2 2.03.16).
            exec.run(&Command::new(Program::Lvchange).args(["-ay", "-K", &name.to_string()]))
                .map_err(|source| ActivationError::Activate { name: name.clone(), source })?;
        }
        let node = options.nodes.join(name.dm_name());
        let this = Self { exec, name, node, options, ours };
        this.wait_for_node()?;
        Ok(this)
    }

    /// The device node.
    #[must_use]
    pub fn path(&self) -> &std::path::Path {
        &self.node
    }

    /// Deactivates the volume if it was inactive before, and says whether that worked. As often as `patience` allows
    /// while something, such as udev's blkid, has it open. Runs one command a try, or none.
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
        if !std::mem::take(&mut self.ours) {
            return Ok(());
        }
        let mut tries = self.options.patience.tries();
        let command = Command::new(Program::Lvchange).args(["-an", &self.name.to_string()]);
        loop {
            match self.exec.run(&command) {
                Ok(_) => return Ok(()),
                Err(error) if error.is_in_use() && tries.pause() => {}
                Err(source) => return Err(ActivationError::Deactivate { name: self.name.clone(), source }),
            }
        }
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
            Self::Activate { source, .. } | Self::Deactivate { source, .. } => source.kind(),
            Self::NoNode { .. } => Kind::Environment,
        }
    }

    fn cause(&self) -> String {
        std::error::Error::source(self).map_or_else(String::new, ToString::to_string)
    }
}

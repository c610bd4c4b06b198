//! The lists of lvm.conf that keep the volumes of a group inactive, or read-only.

use crate::{Command, ExecError, Executor, Kind, Program, VgName};

/// Checks that `activation/volume_list` and `activation/read_only_volume_list` in lvm.conf let the volumes of a group be active and
/// writable. Where LVM does not answer, nothing is refused here: its other commands then say why. Runs one command.
///
/// LVM itself (2.03.16) fails late, and without naming the list: it loads a thin pool of a listed group read-only, which the kernel
/// refuses, and turns the origin of a classic snapshot read-only while it is in use.
///
/// # Errors
/// One of the lists forbids it. A list of single volumes or tags forbids nothing here: which volumes it means is seen only when
/// they are there.
pub fn check_activation_lists(exec: &dyn Executor, group: &VgName) -> Result<(), ActivationListError> {
    // Merged: with `--config`, as every command has it, lvmconfig shows nothing else.
    let command = Command::new(Program::Lvmconfig).args(["--typeconfig", "full", "--mergedconfig"]);
    let Ok(output) = exec.run(&command.args(["activation/volume_list", "activation/read_only_volume_list"])) else {
        return Ok(());
    };
    let text = String::from_utf8_lossy(&output.stdout);
    let list = |name: &str| {
        let line = text.lines().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix('='))?;
        // LVM writes each entry in quotes, and a list of one with or without brackets.
        Some(line.split('"').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>())
    };
    let is_group = |entry: &String| entry == group.as_str();
    let may_match = |entry: &String| {
        is_group(entry) || entry.starts_with('@') || entry.split_once('/').is_some_and(|(vg, _)| vg == group.as_str())
    };
    let refused = |list| Err(ActivationListError { group: group.clone(), list });
    match (list("volume_list"), list("read_only_volume_list")) {
        (Some(active), _) if !active.iter().any(may_match) => refused("volume_list"),
        (_, Some(read_only)) if read_only.iter().any(is_group) => refused("read_only_volume_list"),
        _ => Ok(()),
    }
}

/// Looks for a list of lvm.conf that is the likely cause of a failed command on a group. Runs one command, or none where LVM
/// itself was not run.
pub(crate) fn likely_list(exec: &dyn Executor, failed: &ExecError, group: &VgName) -> Option<Box<ActivationListError>> {
    if failed.was_run() { check_activation_lists(exec, group).err().map(Box::new) } else { None }
}

/// A list in lvm.conf keeps the volumes of a group inactive, or read-only.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "lvm.conf keeps the volumes of group `{group}` {}: see `lvmconfig activation/{list}`",
    self.effect()
)]
pub struct ActivationListError {
    group: VgName,
    /// The name of the list in the section `activation`.
    list: &'static str,
}

impl ActivationListError {
    fn effect(&self) -> &'static str {
        if self.list == "volume_list" { "inactive" } else { "read-only" }
    }

    /// What to do where a command of LVM failed on the group, and this is the likely cause.
    #[must_use]
    pub fn hint(&self) -> String {
        let Self { group, list } = self;
        let effect = self.effect();
        format!(
            "see `lvmconfig activation/{list}`: it keeps the volumes of group `{group}` {effect}, which is the likely cause"
        )
    }

    /// What kind of failure this is: always [`Kind::Environment`].
    #[must_use]
    pub const fn kind(&self) -> Kind {
        Kind::Environment
    }
}

//! Who runs the command.

use crate::{Exit, Failure, Outcome};

/// Refuses to go on without the rights that LVM needs.
///
/// # Errors
/// The effective user is not root.
pub fn require_root(image_mode: &str) -> Outcome {
    if rustix::process::geteuid().is_root() {
        return Ok(());
    }
    Err(Failure::msg(Exit::Surroundings, "LVM needs root")
        .hint(format!("run it with `sudo`; {image_mode} needs no root")))
}

//! The name of an image that is to be made.

use std::path::Path;

use crate::{Exit, Failure, Outcome};

/// Refuses `-`: an image is not written from its beginning to its end, so it cannot go to standard output.
///
/// # Errors
/// [`Exit::Usage`]: `path` is `-`.
pub fn check_image_name(path: &Path) -> Outcome {
    if path.as_os_str() != "-" {
        return Ok(());
    }
    let why = "cannot write an image to standard output: it is not written from its beginning to its end";
    Err(Failure::msg(Exit::Usage, why).hint("name a file; `./-` is a file of that name"))
}

/// Why an image cannot have the name of a file that is there.
#[must_use]
pub fn image_exists(path: &Path) -> Failure {
    let hint = if path.is_dir() { "name a file in it" } else { "give another name, or remove it" };
    Failure::msg(Exit::Failed, format!("`{}` exists already", path.display())).hint(hint)
}

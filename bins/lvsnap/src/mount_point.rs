//! Where and how a file system is mounted beside its origin.

use std::path::Path;

use cli::Outcome;
use lvm_cmd::MOUNTINFO;
use snapshot::MountPoint;
use snapshot::check::{
    There, file_system_findings, look_at_mount_point, look_at_node, mount_options, mount_point_findings,
};

use crate::context::{Context, lies_on, of_site};
use crate::refusal::refuse;

/// Where the file system on a device is to be mounted.
///
/// # Errors
/// There is none, or one that cannot be mounted like that.
pub(crate) fn mount_point(context: &Context, node: &Path, at: &Path) -> Outcome<MountPoint> {
    let place = look_at_mount_point(at, Path::new(MOUNTINFO)).map_err(of_site)?;
    refuse(&mount_point_findings(at, &place))?;
    let (file_system, options) = how_to_mount(context, node)?;
    let path = place.path.unwrap_or_else(|_| at.to_owned());
    let lies_on = lies_on(context, &path)?;
    Ok(MountPoint { path, make: place.there == There::Absent, made: None, lies_on, file_system, options })
}

/// What is on a device, and the options for it.
///
/// # Errors
/// There is nothing, or what cannot be mounted.
pub(crate) fn how_to_mount(context: &Context, node: &Path) -> Outcome<(String, String)> {
    let found = look_at_node(&context.exec, node);
    refuse(&file_system_findings(node, Some(&found)))?;
    let file_system = found.ok().flatten().unwrap_or_default();
    let options = mount_options(&file_system).unwrap_or_default().to_owned();
    Ok((file_system, options))
}

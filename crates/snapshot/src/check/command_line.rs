//! What the command line says: what it cannot mean is refused when it is read, or by the form of a path.

use std::path::Path;

use super::finding::{Of, of};
use super::{Asked, Check, Finding, Refusal, quoted};

pub(super) fn findings(asked: &Asked) -> Vec<Finding> {
    let given = |of: Of| of.ok("given");
    let mount_point = of(Check::MountPointGiven, "--mount");
    let size = of(Check::SizeIsSize, "--size");
    let loop_device = of(Check::LoopDeviceForFile, "--loop-device");
    vec![
        given(of(Check::GroupGiven, asked.origin.vg())),
        given(of(Check::OriginGiven, asked.origin.lv())),
        given(of(Check::NameGiven, asked.snapshot.lv())),
        if asked.mount.is_some() { given(mount_point) } else { mount_point.not_needed("no mount is wanted") },
        given(of(Check::CommandGiven, "create")),
        match asked.size {
            Some(size_bytes) => size.ok(format!("{size_bytes} bytes")),
            None => size.not_needed("no size is given"),
        },
        match (asked.loop_device(), &asked.file) {
            (Some(_), _) => loop_device.ok("with a temporary file"),
            (None, _) => loop_device.not_needed("any loop device will do"),
        },
        of(Check::CreateRemovesNothing, "create").ok("it has no such option"),
        of(Check::RemoveMakesNothing, "remove").ok("it has no such option"),
        of(Check::CommandKnown, "create").ok("known"),
        absolute(Check::FileAbsolute, asked.file.as_ref().map(|file| file.path.as_path())),
        absolute(Check::LoopDeviceAbsolute, asked.loop_device()),
        absolute(Check::MountPointAbsolute, asked.mount.as_deref()),
        match (&asked.origin, &asked.snapshot) {
            (origin, snapshot) if origin.vg() == snapshot.vg() => of(Check::NameInGroup, snapshot).ok("the same group"),
            (origin, snapshot) => of(Check::NameInGroup, snapshot).refused(
                Refusal::Usage,
                format!("`{snapshot}` cannot be a snapshot of `{origin}`: that is in another volume group"),
            ),
        },
        match (&asked.origin, &asked.snapshot) {
            (origin, snapshot) if origin == snapshot => of(Check::NameNotOrigin, snapshot)
                .refused(Refusal::Usage, format!("the snapshot cannot be called as its origin, `{origin}`")),
            (origin, snapshot) => of(Check::NameNotOrigin, snapshot).ok(format!("another name than `{}`", origin.lv())),
        },
        name_length(asked),
    ]
}

fn name_length(asked: &Asked) -> Finding {
    let (origin, snapshot) = (&asked.origin, &asked.snapshot);
    let of = of(Check::NameLength, snapshot);
    let (of_snapshot, of_origin) = match asked.size {
        Some(_) => (snapshot.check_length_as_classic(), origin.check_length_as_classic_origin()),
        None => (snapshot.check_length(), Ok(())),
    };
    match (of_snapshot, of_origin) {
        (Ok(()), Ok(())) => of.ok("short enough"),
        (Err(error), _) => of.refused(Refusal::Usage, error).hint("give the snapshot a shorter name"),
        (Ok(()), Err(error)) => of.refused(Refusal::Usage, error).hint("rename the origin"),
    }
}

/// Relative to what it would be, nobody knows after a boot.
pub(super) fn absolute(check: Check, path: Option<&Path>) -> Finding {
    match path {
        None => of(check, "-").not_needed("none is named"),
        Some(path) if path.is_absolute() => of(check, path.display()).ok("absolute"),
        Some(path) => {
            of(check, path.display()).refused(Refusal::Usage, format!("{} is no absolute path", quoted(path)))
        }
    }
}

//! Everything that is looked at before a snapshot is made: [`look`] looks it up and changes nothing, [`findings`] judges
//! it, and is pure.

mod command_line;
mod file;
mod finding;
mod id;
mod look;
mod mount;
mod names;
mod origin;
mod removal;
mod seen;

pub use file::file_len;
pub use finding::{Conclusion, Finding, Refusal, refusals};
pub use id::{Check, Stage};
pub use look::{Look, look, look_at_mount_point, look_at_node};
pub use mount::{file_system_findings, mount_options, mount_point_findings};
pub use seen::{
    Asked, AskedFile, FilePlace, Group, GroupSpace, LoopPlace, Made, MountPlace, NodeKind, Origin, Pool, Seen, There,
};

/// What each check of [`Check::ALL`] concludes, in that order.
#[must_use]
pub fn findings(asked: &Asked, seen: &Seen) -> Vec<Finding> {
    let mut all = command_line::findings(asked);
    all.extend(names::findings(asked, seen));
    all.extend(origin::findings(asked, seen));
    all.extend(file::findings(asked, seen));
    all.extend(mount::findings(asked, seen));
    all.extend(removal::findings(asked, seen));
    // Each part gives its own; what comes first in the list is said first, and decides what a command fails with.
    all.sort_by_key(|finding| finding.check);
    all
}

/// For people, in backticks.
fn quoted(path: &std::path::Path) -> String {
    format!("`{}`", path.display())
}

//! `lvsnap mount` and `lvsnap umount`.

use std::path::PathBuf;

use cli::{Common, Exit, Failure, Outcome, Stop, say};
use lvm_cmd::LvRef;
use snapshot::{HostSite, Site};

use crate::context::{Context, of_site, volume};
use crate::mount_point::mount_point;

/// Mount a snapshot, read-only and so that nothing on it is replayed
#[derive(clap::Args, Debug)]
pub(crate) struct MountArgs {
    /// The snapshot
    #[arg(value_name = "VG/SNAPSHOT")]
    snapshot: String,

    /// An empty folder, or one to make, which goes again with the mount
    #[arg(value_name = "DIR")]
    at: PathBuf,
}

/// Unmount a snapshot, wherever it is mounted
#[derive(clap::Args, Debug)]
pub(crate) struct UmountArgs {
    /// The snapshot
    #[arg(value_name = "VG/SNAPSHOT")]
    snapshot: String,

    /// Leave the directory that was made for the mount, even if its file system is no longer mounted
    #[arg(long)]
    keep_folder: bool,
}

/// Mounts it.
///
/// # Errors
/// See the exit status in the help.
pub(crate) fn mount(args: &MountArgs, common: Common, stop: &Stop) -> Outcome {
    let name = volume(&args.snapshot, None)?;
    let context = Context::new(stop)?;
    let _lock = context.lock(&name)?;
    let mut record = context.record(&name)?;
    let site = HostSite::new(&context.exec, &|_| true);
    let facts = site.look(&record).map_err(of_site)?;
    if let Some(at) = facts.mounts.first() {
        return Err(Failure::msg(Exit::Failed, format!("`{name}` is mounted at `{}` already", at.display())));
    }
    if !facts.is_active {
        site.act(&snapshot::Action::Activate, &record).map_err(of_site)?;
    }
    if record.mount.is_some() {
        // A refusal must not cost the record of the mount before.
        mount_point(&context, &name.dm_path(), &args.at)?;
        // Where it was mounted before, as ahead of a reboot: a folder that was made there goes.
        snapshot::unmount(&site, &mut record, &context.journal).map_err(of_site)?;
    }
    let at = mount_point(&context, &name.dm_path(), &args.at)?;
    let path = at.path.clone();
    snapshot::mount(&site, at, &mut record, &context.journal).map_err(|(cause, undoing)| {
        let cause = of_site(cause);
        match undoing {
            None => cause,
            Some(undoing) => left_mounted(&name, cause).hint(format!("besides: {}", of_site(undoing))),
        }
    })?;
    if !common.quiet {
        say(&format!("lvsnap: `{name}` is mounted at `{}`", path.display()));
    }
    Ok(())
}

/// Unmounts it.
///
/// # Errors
/// See the exit status in the help.
pub(crate) fn unmount(args: &UmountArgs, common: Common, stop: &Stop) -> Outcome {
    let name = volume(&args.snapshot, None)?;
    let context = Context::new(stop)?;
    let _lock = context.lock(&name)?;
    let mut record = context.record(&name)?;
    if args.keep_folder {
        record.keep_folder();
    }
    let site = HostSite::new(&context.exec, &|_| true);
    snapshot::unmount(&site, &mut record, &context.journal).map_err(of_site)?;
    if !common.quiet {
        say(&format!("lvsnap: `{name}` is not mounted any more"));
    }
    Ok(())
}

/// What is left of a mount goes by `umount`; the snapshot itself stays.
fn left_mounted(name: &LvRef, cause: Failure) -> Failure {
    cause
        .leaving(format!("something of the mount of `{name}` is left"))
        .hint(format!("`lvsnap umount {name}` removes it, and leaves the snapshot"))
}

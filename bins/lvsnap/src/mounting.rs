//! `lvsnap mount` and `lvsnap umount`.

use std::path::PathBuf;

use cli::{Common, Exit, Failure, Outcome, say};
use snapshot::{HostSite, Site, Step, make_step, unmounting};

use crate::context::{Context, left, of_site, volume};
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
}

/// Mounts it.
///
/// # Errors
/// See the exit status in the help.
pub(crate) fn mount(args: &MountArgs, common: Common) -> Outcome {
    let name = volume(&args.snapshot, None)?;
    let context = Context::new()?;
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
    let at = mount_point(&context, &name.dm_path(), &args.at)?;
    record.mount = Some(at.clone());
    let steps = [Step::Folder, Step::Mount];
    let wanted = record.to_make().filter(|step| steps.contains(step)).collect::<Vec<_>>();
    for step in wanted {
        if let Err(cause) = make_step(&site, step, &mut record, &context.journal).map_err(of_site) {
            return Err(match unmounted(&context, &site, &mut record) {
                Ok(()) => cause,
                Err(undoing) => left(&record, cause).hint(format!("besides: {undoing}")),
            });
        }
    }
    if !common.quiet {
        say(&format!("lvsnap: `{name}` is mounted at `{}`", at.path.display()));
    }
    Ok(())
}

/// Unmounts it.
///
/// # Errors
/// See the exit status in the help.
pub(crate) fn unmount(args: &UmountArgs, common: Common) -> Outcome {
    let name = volume(&args.snapshot, None)?;
    let context = Context::new()?;
    let _lock = context.lock(&name)?;
    let mut record = context.record(&name)?;
    let site = HostSite::new(&context.exec, &|_| true);
    unmounted(&context, &site, &mut record)?;
    if !common.quiet {
        say(&format!("lvsnap: `{name}` is not mounted any more"));
    }
    Ok(())
}

fn unmounted(context: &Context, site: &HostSite<'_>, record: &mut snapshot::Record) -> Outcome {
    let facts = site.look(record).map_err(of_site)?;
    for action in unmounting(record, &facts).map_err(|error| of_site(error.into()))? {
        snapshot::carry_out(site, &action, record, &context.journal).map_err(of_site)?;
    }
    record.mount = None;
    record.steps.retain(|step, _| *step < Step::Folder);
    context.journal.keep(record).map_err(|error| of_site(error.into()))
}

//! `lvsnap remove`.

use cli::{Common, Outcome, Stop, say};
use snapshot::{HostSite, remove};

use crate::context::{Context, left, of_site, volume};

/// Remove a snapshot, and all that was made for it
///
/// It is unmounted, wherever it is mounted, and removed; its space is taken out of the group; the loop device, the temporary file
/// and the folder that was made for the mount go. Nothing goes that lvsnap did not make.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The snapshot
    #[arg(value_name = "VG/SNAPSHOT")]
    snapshot: String,

    /// Leave the folder that was made for the mount
    #[arg(long)]
    keep_folder: bool,
}

/// Removes it.
///
/// # Errors
/// See the exit status in the help.
pub(crate) fn run(args: &Args, common: Common, stop: &Stop) -> Outcome {
    let name = volume(&args.snapshot, None)?;
    let context = Context::new(stop)?;
    let _lock = context.lock(&name)?;
    let mut record = context.record(&name)?;
    if args.keep_folder {
        record.keep_folder();
    }
    let site = HostSite::new(&context.exec, &|_| true);
    remove(&site, &mut record, &context.journal).map_err(|cause| left(&record, of_site(cause)))?;
    if !common.quiet {
        say(&format!("lvsnap: removed `{name}`, and all that was made for it"));
    }
    Ok(())
}

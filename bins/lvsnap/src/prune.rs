//! `lvsnap prune`.

use std::path::PathBuf;

use cli::{Common, Outcome, say};
use jiff::Timestamp;
use lvm_cmd::LvRef;

use crate::context::volume;
use crate::dump::folder::{Folder, Owner};
use crate::dump::rotate::{self, Decided, Maxima};
use crate::table;
use crate::zone;

/// Remove dumps that are beyond the maxima, and say of each dump why it stays or goes
///
/// The newest dump always stays, and one whose time is in the future. A dump is a weekly one or a daily one as its name says.
#[derive(clap::Args, Debug)]
#[command(after_long_help = AFTER)]
pub(crate) struct Args {
    /// The folder that was given to `lvsnap dump`
    #[arg(value_name = "DEST")]
    dest: PathBuf,

    /// The volume
    #[arg(value_name = "VG/LV")]
    volume: String,

    #[command(flatten)]
    maxima: Maxima,

    /// Say what would go and why, and change nothing
    #[arg(short = 'n', long)]
    dry_run: bool,

    /// Whose clock the dumps' names are of, such as Europe/Berlin or +02:00 [default: this machine's zone]
    #[arg(long, value_name = "ZONE")]
    zone: Option<String>,

    /// Take over dumps that do not say which volume they are of, as those of the original script, where their names can be of
    /// several
    #[arg(long)]
    adopt: bool,
}

const AFTER: &str = "\
Examples:
  lvsnap prune /backup vg0/root --daily-max 6 --weekly-max 4 --dry-run
  lvsnap prune /backup vg0/root --daily-max 6 --weekly-max 4

Without maxima no dump goes.";

/// Prunes them.
///
/// # Errors
/// See the exit status in the help.
pub(crate) fn run(args: &Args, common: Common) -> Outcome {
    let name = volume(&args.volume, None)?;
    let now = Timestamp::now().to_zoned(zone::zone(args.zone.as_deref())?).datetime();
    let owner = Owner::here(&name);
    let folder = match args.dry_run {
        true => Folder::look(&args.dest, &name, &owner, args.adopt)?,
        // Where there is no folder there is nothing to do, and none is made.
        false if Folder::look(&args.dest, &name, &owner, args.adopt)?.is_none() => None,
        false => Some(Folder::open(&args.dest, &name, &owner, args.adopt)?),
    };
    let dumps = folder.as_ref().map(Folder::dumps).transpose()?.unwrap_or_default();
    let decided = rotate::plan(&dumps, None, args.maxima, now)?;
    if args.dry_run || !common.quiet {
        cli::print(&table(&decided, &name))?;
    }
    let mut gone = decided.iter().filter(|decided| !decided.stays).count();
    if let (Some(folder), false) = (&folder, args.dry_run) {
        gone = rotate::carry_out(folder, &decided, args.maxima)?.len();
    }
    if !common.quiet {
        let would = if args.dry_run { "would go" } else { "are gone" };
        say(&format!("lvsnap: {gone} of {} dumps of `{name}` {would}", decided.len()));
    }
    Ok(())
}

fn table(decided: &[Decided], volume: &LvRef) -> String {
    let head = ["WHAT", "DUMP", "WHY"].map(str::to_owned);
    let line = |decided: &Decided| {
        let what = if decided.stays { "keep" } else { "remove" };
        [what.to_owned(), decided.dump.file(volume), decided.reasons.clone()]
    };
    table::table(&std::iter::once(head).chain(decided.iter().map(line)).collect::<Vec<_>>())
}

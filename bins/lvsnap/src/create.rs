//! `lvsnap create`.

use std::path::PathBuf;

use cli::{Common, Outcome, Stop, say};
use snapshot::Record;

use crate::context::{Context, volume};
use crate::making::make;
use crate::space::SpaceArgs;
use crate::wanted::Wanted;

/// Make a snapshot, thin or classic, and mount it
///
/// Of a thin volume a thin snapshot is made, which needs no space of its own; with --size, or of any other volume, a classic one,
/// which copies what is overwritten in its origin and is lost when its space is full. The group may have no space left: then the
/// snapshot lies in a temporary file, which becomes a physical volume of the group until the snapshot is removed.
#[derive(clap::Args, Debug)]
#[command(after_long_help = AFTER)]
pub(crate) struct Args {
    /// The volume, live or not
    #[arg(value_name = "VG/LV")]
    origin: String,

    /// The snapshot's name; one that is taken is refused, whoever took it
    #[arg(value_name = "NAME")]
    name: String,

    #[command(flatten)]
    options: Options,
}

/// How it is made.
#[derive(clap::Args, Debug)]
pub(crate) struct Options {
    #[command(flatten)]
    space: SpaceArgs,

    /// Mount it there, read-only; the folder is made, and removed again, where it is not there
    #[arg(long, value_name = "DIR")]
    mount: Option<PathBuf>,

    /// Leave the snapshot writable
    #[arg(long)]
    writable: bool,

    /// Freeze the file systems above the volume, on encryption or a partition, while the snapshot is made. One directly on
    /// the volume is frozen by the device mapper in any case
    #[arg(long)]
    freeze: bool,

    #[command(flatten)]
    hooks: cli::Hooks,
}

const AFTER: &str = "\
Examples:
  lvsnap create vg0/thin before-upgrade
  lvsnap create vg0/data nightly --size 4g --mount /mnt/nightly
  lvsnap create vg0/data nightly --size 4g --tmp-file /backup/space.img --mount /mnt/nightly
  lvsnap create vg0/db nightly --size 4g --pre 'systemctl stop db' --post 'systemctl start db'

Before anything is made, all is looked at that `lvsnap check` shows, with the same options. Whatever fails, all that was made goes again. What a run that was killed has left, `lvsnap recover` removes.

A temporary file must not lie on the origin or on the same volume group: what is written there would fill the snapshot. As long
as it is a part of the group, the group cannot be activated without it: after a boot `lvsnap recover` attaches it again.";

/// Makes the snapshot.
///
/// # Errors
/// See the exit status in the help.
pub(crate) fn run(args: &Args, common: Common, stop: &Stop) -> Outcome {
    let wanted = args.wanted()?;
    let context = Context::new(stop)?;
    let _lock = context.lock(&wanted.snapshot)?;
    let record = make(&context, &wanted, common, stop)?;
    if !common.quiet {
        say(&format!("lvsnap: {}", said(&record)));
    }
    Ok(())
}

impl Args {
    /// What is wanted.
    ///
    /// # Errors
    /// The command line cannot mean anything.
    pub(crate) fn wanted(&self) -> Outcome<Wanted> {
        self.options.wanted(&self.origin, &self.name)
    }
}

impl Options {
    /// What is wanted by them, of `origin`, under `name`.
    ///
    /// # Errors
    /// They cannot mean anything.
    pub(crate) fn wanted(&self, origin: &str, name: &str) -> Outcome<Wanted> {
        let origin = volume(origin, None)?;
        let snapshot = volume(name, Some(origin.vg()))?;
        Ok(Wanted {
            size: self.space.size,
            space: self.space.space(&snapshot)?,
            origin,
            snapshot,
            mount: self.mount.clone(),
            writable: self.writable,
            freeze: self.freeze,
            hooks: self.hooks.clone(),
        })
    }
}

fn said(record: &Record) -> String {
    let kind = if record.cow_size.is_some() { "classic" } else { "thin" };
    let space = record.file.as_ref().map(|file| format!(", in `{}`", file.path.display())).unwrap_or_default();
    let mounted = record.mount.as_ref().map(|at| format!(", mounted at `{}`", at.path.display())).unwrap_or_default();
    format!(
        "`{}` is a {kind} snapshot of `{}`{space}{mounted}; `lvsnap remove {}` removes it",
        record.snapshot, record.origin, record.snapshot
    )
}

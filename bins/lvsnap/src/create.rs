//! `lvsnap create`.

use std::path::PathBuf;

use cli::{Common, Exit, Failure, Outcome, Stop, say};
use extents::Bytes;
use snapshot::Record;

use crate::context::{Context, volume};
use crate::making::make;
use crate::wanted::{Space, Wanted};

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
    /// Make a classic snapshot with so much space for what is overwritten
    #[arg(long, value_name = "SIZE", value_parser = extents::parse_size)]
    size: Option<Bytes>,

    /// Take that space from a temporary file, which must not be there, rather than from the group
    #[arg(long, value_name = "FILE", requires = "size", conflicts_with = "tmp_dir")]
    tmp_file: Option<PathBuf>,

    /// The same, with a file of lvsnap's choice in this folder
    #[arg(long, value_name = "DIR", requires = "size")]
    tmp_dir: Option<PathBuf>,

    /// How the temporary file gets its space. A file system on another machine may reserve nothing, and must be written to
    #[arg(long, value_name = "HOW", default_value = "fallocate")]
    allocate: Allocate,

    /// The loop device to take for the temporary file [default: a free one]
    #[arg(long, value_name = "DEVICE")]
    loop_device: Option<PathBuf>,

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

#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
enum Allocate {
    /// Reserve it, at once
    Fallocate,
    /// Write zeros
    Write,
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
    let context = Context::new()?;
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
        let path = match (&self.tmp_file, &self.tmp_dir) {
            (Some(file), _) => Some(file.clone()),
            (None, Some(folder)) => Some(folder.join(format!("{}.lvsnap", snapshot.dm_name()))),
            (None, None) => None,
        };
        let space = match path {
            Some(path) => {
                let write = self.allocate == Allocate::Write;
                Space::File { path, write, loop_device: self.loop_device.clone() }
            }
            None if self.loop_device.is_some() => {
                return Err(Failure::msg(Exit::Usage, "`--loop-device` is for `--tmp-file` or `--tmp-dir`"));
            }
            None => Space::Group,
        };
        Ok(Wanted {
            origin,
            snapshot,
            size: self.size,
            space,
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

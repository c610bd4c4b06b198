//! `lvsnap create`.

use std::cell::Cell;
use std::path::PathBuf;

use block_copy::Progress as _;
use cli::{Common, Exit, Failure, OrFail, Outcome, Progress, Stop, say};
use extents::{Bytes, human};
use lvm_cmd::{LvRef, LvType, find, groups, volumes};
use snapshot::{HostSite, MountPoint, Phase, Record, Step, TmpFile, begin, finish, make_step, remove};
use transfer::lvm::{Lvm, Run};

use crate::context::{Context, left, of_site, volume};
use crate::wanted::{file_len, how_to_mount, is_to_be_made, mount_point, random_hex, random_uuid, resolved};

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

Whatever fails, all that was made goes again. What a run that was killed has left, `lvsnap recover` removes.

A temporary file must not lie on the origin or on the same volume group: what is written there would fill the snapshot. As long
as it is a part of the group, the group cannot be activated without it: after a boot `lvsnap recover` attaches it again.";

/// Makes the snapshot.
///
/// # Errors
/// See the exit status in the help.
pub(crate) fn run(args: &Args, common: Common, stop: &Stop) -> Outcome {
    let origin = volume(&args.origin, None)?;
    let snapshot = volume(&args.name, Some(origin.vg()))?;
    let context = Context::new()?;
    let lvm = Lvm::new(&context.exec, &context.state, stop.flag());
    let this = Run::start(&lvm)?;
    let _lock = context.lock(&snapshot)?;
    let mut record = args.record(&context, &origin, &snapshot)?;

    let made = {
        let len = record.file.as_ref().filter(|file| file.write).map(|file| file.len);
        let progress = len.map(|len| Progress::new("writing the temporary file", Some(len), common, stop.clone()));
        let last = Cell::new(Bytes::ZERO);
        let written = |at: Bytes| {
            let more = Bytes::new(at.get().saturating_sub(last.replace(at).get()));
            progress.iter().for_each(|progress| progress.advance(more));
            !stop.requested()
        };
        let site = HostSite::new(&context.exec, &written);
        args.make(&Making { context: &context, site: &site, lvm: &lvm, run: &this, stop }, &mut record)
    };
    let site = HostSite::new(&context.exec, &|_| true);
    if let Err(cause) = made {
        return Err(match remove(&site, &mut record, &context.journal) {
            Ok(()) => cause,
            Err(undoing) => left(&record, cause).hint(format!("besides: {}", of_site(undoing))),
        });
    }
    if !common.quiet {
        say(&format!("lvsnap: {}", said(&record)));
    }
    Ok(())
}

/// The volume is there only now; before, its origin may not have been active.
fn look_at_file_system(context: &Context, record: &mut Record) -> Outcome {
    let (file_system, options) = how_to_mount(context, &record.snapshot.dm_path())?;
    if let Some(at) = &mut record.mount {
        (at.file_system, at.options) = (file_system, options);
    }
    Ok(())
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

/// What the steps are done with.
struct Making<'m> {
    context: &'m Context,
    site: &'m HostSite<'m>,
    lvm: &'m Lvm<'m>,
    run: &'m Run,
    stop: &'m Stop,
}

impl Args {
    fn make(&self, with: &Making<'_>, record: &mut Record) -> Outcome {
        let journal = &with.context.journal;
        let make = |step, record: &mut Record| make_step(with.site, step, record, journal).map_err(of_site);
        begin(record, journal).map_err(|error| of_site(error.into()))?;
        for step in record.to_make() {
            if with.stop.requested() {
                return Err(Failure::msg(Exit::Failed, "stopped"));
            }
            match step {
                Step::Volume => self.hooks.around(&record.origin.to_string(), || {
                    let origin = record.origin.clone();
                    let freeze = || with.run.freeze_above(with.lvm, [&origin], &cli::written_to());
                    let frozen = self.freeze.then(freeze).transpose()?;
                    let made = make(step, record);
                    let thawed = frozen.map_or(Ok(()), |frozen| frozen.thaw().map_err(transfer::Error::from));
                    cli::undone(made, thawed)
                })?,
                Step::Mount => {
                    look_at_file_system(with.context, record)?;
                    make(step, record)?;
                }
                _ => make(step, record)?,
            }
        }
        finish(record, journal).map_err(|error| of_site(error.into()))
    }

    /// What is to be made, where it can be.
    fn record(&self, context: &Context, origin: &LvRef, snapshot: &LvRef) -> Outcome<Record> {
        let refused = |text: String| Failure::msg(Exit::Failed, text);
        if origin == snapshot {
            return Err(Failure::msg(Exit::Usage, format!("the snapshot cannot be called as its origin, `{origin}`")));
        }
        if let Some(old) = context.journal.read(snapshot).map_err(|error| of_site(error.into()))? {
            return Err(match old.phase {
                Phase::Made => refused(format!("`{snapshot}` is there already, made {}", old.since)),
                _ => left(&old, refused("a run that made or removed it was interrupted".to_owned())),
            });
        }
        let group = volumes(&context.exec, origin.vg()).map_err(transfer::Error::from)?;
        let source = find(&group, origin).map_err(transfer::Error::from)?;
        if group.iter().any(|lv| lv.name == *snapshot) {
            return Err(refused(format!("there is a volume `{snapshot}` already")).hint("choose another name"));
        }
        match source.attr.lv_type() {
            LvType::ThinPool => return Err(refused(format!("`{origin}` is a pool, not a volume"))),
            _ if source.attr.is_classic_snapshot() => {
                return Err(refused(format!("`{origin}` is a classic snapshot itself; LVM makes none of one")));
            }
            LvType::ThinVolume => {}
            LvType::Other(_) if self.size.is_none() => {
                return Err(Failure::msg(
                    Exit::Usage,
                    format!("`{origin}` is no thin volume: its snapshot needs space for what is overwritten"),
                )
                .hint("say how much: `--size 4g`"));
            }
            LvType::Other(_) => {}
        }
        let file = match (&self.tmp_file, &self.tmp_dir) {
            (Some(file), _) => Some(resolved(file)?),
            (None, Some(folder)) => Some(resolved(&folder.join(format!("{}.lvsnap", snapshot.dm_name())))?),
            (None, None) => None,
        };
        if self.loop_device.is_some() && file.is_none() {
            return Err(Failure::msg(Exit::Usage, "`--loop-device` is for `--tmp-file` or `--tmp-dir`"));
        }
        let file = file.map(|path| self.tmp_file_at(context, origin, path)).transpose()?;
        let mount = self.mount.as_ref().map(|at| -> Outcome<_> {
            let at = resolved(at)?;
            Ok(match source.attr.is_active() {
                true => mount_point(context, &origin.dm_path(), &at)?,
                // What is on it is seen when the snapshot is there.
                false => {
                    let make = is_to_be_made(&at)?;
                    MountPoint { path: at, make, made: None, file_system: String::new(), options: String::new() }
                }
            })
        });
        Ok(Record {
            id: random_hex(16)?,
            snapshot: snapshot.clone(),
            origin: origin.clone(),
            origin_uuid: source.uuid.clone(),
            since: cli::now_utc(),
            cow_size: self.size,
            writable: self.writable,
            file,
            mount: mount.transpose()?,
            phase: Phase::Making,
            steps: std::collections::BTreeMap::new(),
        })
    }

    fn tmp_file_at(&self, context: &Context, origin: &LvRef, path: PathBuf) -> Outcome<TmpFile> {
        let group = groups(&context.exec).map_err(transfer::Error::from)?;
        let extent = group.iter().find(|group| group.name == *origin.vg()).map(|group| group.extent_size);
        let len = file_len(self.size.unwrap_or_default(), extent.unwrap_or_default());
        if path.symlink_metadata().is_ok() {
            return Err(Failure::msg(Exit::Failed, format!("`{}` is there already", path.display()))
                .hint("name a file that is not there: it is made, and removed with the snapshot"));
        }
        let folder = path.parent().unwrap_or(&path);
        let space = rustix::fs::statvfs(folder).or_fail(Exit::Failed)?;
        let free = Bytes::new(space.f_bavail.saturating_mul(space.f_frsize) / 10 * 9);
        if len > free {
            return Err(Failure::msg(
                Exit::Surroundings,
                format!(
                    "`{}` needs {}, and nine tenths of what is free in `{}` are {}",
                    path.display(),
                    human(len),
                    folder.display(),
                    human(free)
                ),
            ));
        }
        Ok(TmpFile {
            path,
            len,
            write: self.allocate == Allocate::Write,
            loop_device: self.loop_device.clone(),
            pv: random_uuid()?,
            made: None,
        })
    }
}

//! `lvsnap dump`.

pub(crate) mod archive;
mod files;
pub(crate) mod folder;
mod hyperlayer;
pub(crate) mod install;
pub(crate) mod name;
pub(crate) mod rotate;
mod sequence;
mod watch;

use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use cli::{Common, Exit, Failure, OrFail, Outcome, Stop, say};
use jiff::Timestamp;
use lvm_cmd::{LvRef, LvType, Password, Save, find, volumes};
use snapshot::{Action, HostSite, Phase, Record, Site, remove};

use crate::context::{Context, left, of_site, volume};
use crate::making::make;
use crate::mount_point::how_to_mount;
use crate::space::SpaceArgs;
use crate::wanted::Wanted;
use crate::zone;
use archive::stopped;
use folder::{Folder, Owner};
use name::DumpName;
use rotate::Maxima;
use sequence::{Archived, Source};

/// Dump a volume: a snapshot, an archive of it, the snapshot's removal, and then the rotation
///
/// The archive is called `DEST/VG-LV-dumps/VG-LV-dump-weekly-DATE_TIME.fsa` on a Sunday, `...-daily-...` on any other day. It has
/// that name only when it is whole and durable, and only then older dumps go. A dump that failed, was stopped, or whose snapshot
/// overflowed is deleted, does not count, and no other goes because of it. The snapshot is removed in any case.
#[derive(clap::Args, Debug)]
#[command(after_long_help = AFTER)]
pub(crate) struct Args {
    /// The volume, live or not
    #[arg(value_name = "VG/LV")]
    volume: String,

    /// The folder for the dumps; with --with hyperlayer the store
    #[arg(value_name = "DEST")]
    dest: PathBuf,

    /// What writes the dump
    #[arg(long, value_name = "PROGRAM", default_value = "fsarchiver")]
    with: With,

    #[command(flatten)]
    archive: ArchiveArgs,

    /// Freeze the file systems above the volume, on encryption or a partition, while the snapshot is made. One directly on
    /// the volume is frozen by the device mapper in any case
    #[arg(long)]
    freeze: bool,

    #[command(flatten)]
    hooks: cli::Hooks,

    #[command(flatten)]
    maxima: Maxima,

    /// Whose days and Sundays are meant, such as Europe/Berlin or +02:00 [default: this machine's zone]
    #[arg(long, value_name = "ZONE")]
    zone: Option<String>,
}

#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
enum With {
    /// An archive of the file system, which can be restored to a volume of another size
    Fsarchiver,
    /// A layer in a store, by `lvbackup backup`; of thin volumes only
    Hyperlayer,
}

/// What only fsarchiver has.
#[derive(clap::Args, Debug)]
struct ArchiveArgs {
    #[command(flatten)]
    space: SpaceArgs,

    /// Give a classic snapshot more space as soon as it is 80 % full, as long as there is some: in its group, or, of a
    /// temporary file, on the file's file system
    #[arg(long, requires = "size")]
    auto_extend: bool,

    /// The snapshot's name [default: `LV_snapshot`]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    /// How much is compressed, 0 (fast) to 9 (small, with much memory) [default: fsarchiver's own]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=9))]
    level: Option<u8>,

    /// Encrypt the archive by the password in the first line of this file, 6 to 64 bytes
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,

    /// Make DEST where it is not there. Without this it is not made: a file system may have to be mounted there first
    #[arg(long)]
    make_dest: bool,

    /// Install fsarchiver where it is missing, by apt-get, dnf or zypper
    #[arg(long)]
    install_missing: bool,
}

const AFTER: &str = "\
Examples:
  lvsnap dump vg0/root /backup --size 4g --tmp-dir /mnt/other-disk --level 3 --daily-max 6 --weekly-max 4
  lvsnap dump vg0/data /backup --size 4g --auto-extend --password-file /etc/dump-password
  lvsnap dump vg0/thin /backup --zone Europe/Berlin
  lvsnap dump vg0/thin /backup/store --with hyperlayer --daily-max 6 --weekly-max 4
  lvsnap restore /backup/vg0-root-dumps/vg0-root-dump-daily-2026-11-21_03-00-00.fsa vg0/root

Without --daily-max and --weekly-max no dump goes. `lvsnap prune DEST VG/LV --dry-run` says which ones would go, and why.

The snapshot is writable, so that the file system's journal can be replayed in it. A classic one is looked at every second: at
80 % it is warned, or extended; where it overflows, the dump is stopped, deleted, and the exit status is 1.

What a dump that was killed has left, the next one removes: its snapshot, by its record, and its file, `.unfinished-...`.

A folder of dumps belongs to one volume on one machine, as `.lvsnap-owner.json` in it says: others are refused, since names alone
do not tell a-b/c from a/b-c.";

impl ArchiveArgs {
    /// The first option that was given, where none may be.
    fn first(&self) -> Option<&'static str> {
        let given = [
            ("--size", self.space.size.is_some()),
            ("--auto-extend", self.auto_extend),
            ("--name", self.name.is_some()),
            ("--level", self.level.is_some()),
            ("--password-file", self.password_file.is_some()),
            ("--make-dest", self.make_dest),
            ("--install-missing", self.install_missing),
        ];
        given.into_iter().find(|(_, given)| *given).map(|(option, _)| option)
    }
}

/// Dumps it.
///
/// # Errors
/// See the exit status in the help.
pub(crate) fn run(args: &Args, common: Common, stop: &Stop) -> Outcome {
    match args.with {
        With::Fsarchiver => Dump::new(args, common, stop)?.run(),
        With::Hyperlayer => layer(args, stop),
    }
}

/// The password in the first line of a file.
///
/// # Errors
/// There is none that fsarchiver would take.
pub(crate) fn password(file: &Path) -> Outcome<Password> {
    let doing = |failure: Failure| failure.context(format!("cannot take a password from `{}`", file.display()));
    let text = std::fs::read(file).or_fail(Exit::Usage).map_err(doing)?;
    let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    Password::new(line).or_fail(Exit::Usage).map_err(doing)
}

fn layer(args: &Args, stop: &Stop) -> Outcome {
    let name = volume(&args.volume, None)?;
    if let Some(option) = args.archive.first() {
        return Err(Failure::msg(Exit::Usage, format!("`{option}` is for `--with fsarchiver`"))
            .hint("`lvbackup backup --help` says what a store takes"));
    }
    let zone = zone::name(&zone::zone(args.zone.as_deref())?).unwrap_or_else(|| "UTC".to_owned());
    let context = Context::new(stop)?;
    let group = volumes(&context.exec, name.vg()).map_err(transfer::Error::from)?;
    let source = find(&group, &name).map_err(transfer::Error::from)?;
    if source.attr.lv_type() != LvType::ThinVolume {
        return Err(Failure::msg(
            Exit::Refused,
            format!(
                "`{name}` is no thin volume: a store takes layers, and only a thin pool knows what they are made of"
            ),
        )
        .hint("`--with fsarchiver` dumps any volume with a file system on it"));
    }
    let mut options: Vec<OsString> = args.freeze.then(|| "--freeze".into()).into_iter().collect();
    for (option, value) in [("--pre", &args.hooks.pre), ("--post", &args.hooks.post)] {
        options.extend(value.iter().flat_map(|value| [OsString::from(option), value.into()]));
    }
    let commands = hyperlayer::commands(&name.to_string(), &args.dest, &options, args.maxima, &zone);
    hyperlayer::run(&hyperlayer::program(), &commands, stop)
}

/// A dump by fsarchiver.
struct Dump<'d> {
    args: &'d Args,
    common: Common,
    stop: &'d Stop,
    context: Context,
    wanted: Wanted,
    password: Option<Password>,
    folder: Folder,
    /// Taken once: its class and its time are of the same moment.
    dump: DumpName,
}

impl<'d> Dump<'d> {
    /// All that can be refused before anything is made.
    fn new(args: &'d Args, common: Common, stop: &'d Stop) -> Outcome<Self> {
        let origin = volume(&args.volume, None)?;
        let of = &args.archive;
        let name = of.name.clone().unwrap_or_else(|| format!("{}_snapshot", origin.lv()));
        let snapshot = volume(&name, Some(origin.vg()))?;
        let wanted = Wanted {
            size: of.space.size,
            space: of.space.space(&snapshot)?,
            origin,
            snapshot,
            mount: None,
            writable: true,
            freeze: args.freeze,
            hooks: args.hooks.clone(),
        };
        let password = of.password_file.as_deref().map(password).transpose()?;
        let zone = zone::zone(args.zone.as_deref())?;
        let context = Context::new(stop)?;
        install::ensure(&context.exec, install::manager(&context.exec), of.install_missing, common)?;
        refuse_origin(&context, &wanted.origin, wanted.size.is_some(), &args.dest)?;
        if of.make_dest {
            folder::make_dest(&args.dest)?;
        }
        let folder = Folder::open(&args.dest, &wanted.origin, &Owner::here(&wanted.origin), false)?;
        let dump = DumpName::new(Timestamp::now().to_zoned(zone).datetime());
        if folder.file(dump).exists() {
            return Err(Failure::msg(Exit::Failed, format!("`{}` is there already", folder.file(dump).display())));
        }
        Ok(Self { args, common, stop, context, wanted, password, folder, dump })
    }

    fn say(&self, text: &str) {
        if !self.common.quiet {
            say(&format!("lvsnap: {text}"));
        }
    }

    fn run(&self) -> Outcome {
        sequence::dump(self, &self.folder, self.dump, self.args.maxima, &|text| self.say(text))
    }

    /// What a run that died has left of a snapshot of this name. One that somebody made to keep is not touched; making
    /// another is then refused.
    fn remove_dead(&self) -> Outcome {
        let name = &self.wanted.snapshot;
        let _ = self.context.journal.remove_half(name);
        let Some(mut record) = self.context.journal.read(name).map_err(|error| of_site(error.into()))? else {
            return Ok(());
        };
        if record.phase == Phase::Made {
            return Ok(());
        }
        let site = HostSite::new(&self.context.exec, &|_| true);
        remove(&site, &mut record, &self.context.journal).map_err(|cause| left(&record, of_site(cause)))?;
        self.say(&format!("removed the snapshot `{name}`, which a run that died had left"));
        Ok(())
    }

    /// The archive under its unfinished name.
    fn written(&self, record: &mut Record, archive: &Path, begin: &dyn Fn() -> Outcome) -> Outcome {
        // From here on it is to go, whatever becomes of this run.
        record.phase = Phase::Removing;
        self.context.journal.keep(record).map_err(|error| of_site(error.into()))?;
        let site = HostSite::new(&self.context.exec, &|_| true);
        if !site.look(record).map_err(of_site)?.is_active {
            site.act(&Action::Activate, record).map_err(of_site)?;
        }
        // Of an origin that is not active the file system is seen only now.
        how_to_mount(&self.context, &record.snapshot.dm_path())?;
        let of = &self.args.archive;
        begin()?;
        let save = Save {
            device: &record.snapshot.dm_path(),
            archive,
            jobs: std::thread::available_parallelism().unwrap_or(std::num::NonZeroUsize::MIN),
            level: of.level,
            password: self.password.as_ref(),
        };
        archive::save(&self.context.exec, &save, record, &self.context.journal, of.auto_extend, self.stop)
    }
}

impl Source for Dump<'_> {
    fn archive(&self, archive: &Path, begin: &dyn Fn() -> Outcome) -> Outcome<Archived> {
        let _lock = self.context.lock(&self.wanted.snapshot)?;
        self.remove_dead()?;
        let mut record = make(&self.context, &self.wanted, self.common, self.stop)?;
        let written = self.written(&mut record, archive, begin);
        let site = HostSite::new(&self.context.exec, &|_| true);
        let removed = remove(&site, &mut record, &self.context.journal);
        Ok(Archived { written, removed: removed.map_err(|cause| left(&record, of_site(cause))) })
    }

    fn check(&self, archive: &Path) -> Outcome {
        archive::check(&self.context.exec, archive, self.password.as_ref())?;
        if self.stop.requested() { Err(stopped()) } else { Ok(()) }
    }
}

/// What would end in a dump of itself, or in a snapshot that nobody can read.
fn refuse_origin(context: &Context, origin: &LvRef, is_classic: bool, dest: &Path) -> Outcome {
    let group = volumes(&context.exec, origin.vg()).map_err(transfer::Error::from)?;
    let source = find(&group, origin).map_err(transfer::Error::from)?;
    if !source.attr.is_active() {
        // LVM activates a classic snapshot with its origin only, and that is not ours to do.
        return match is_classic {
            true => Err(Failure::msg(Exit::Failed, format!("`{origin}` is not active"))
                .hint(format!("`lvchange --activate y {origin}` activates it"))),
            false => Ok(()),
        };
    }
    // fsarchiver mounts the snapshot: what cannot be mounted beside its origin is refused before anything is made.
    how_to_mount(context, &origin.dm_path())?;
    let device = |of: std::io::Result<std::fs::Metadata>| of.ok();
    let origin_number = device(std::fs::metadata(origin.dm_path())).map(|found| found.rdev());
    let dest_number = device(std::fs::metadata(dest)).map(|found| found.dev());
    match origin_number.is_some() && origin_number == dest_number {
        true => Err(Failure::msg(
            Exit::Refused,
            format!(
                "`{}` lies on `{origin}` itself: the dump would fill the snapshot that it is made from",
                dest.display()
            ),
        )
        .hint("choose a folder on another disk")),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_the_first_line() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        for (content, is_one) in [
            ("secret1\n", true),
            ("secret1", true),
            ("secret1\nmore\n", true),
            ("short\n", false),
            ("\nsecret1\n", false),
        ] {
            std::fs::write(&file, content).unwrap();
            assert_eq!(password(&file).ok(), is_one.then(|| Password::new(b"secret1").unwrap()), "{content:?}");
        }
        let shown = format!("{:?}", password(&file.with_file_name("none")).unwrap_err());
        assert!(!shown.contains("secret"));
    }
}

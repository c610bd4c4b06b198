//! `lvsnap restore`.

use std::fs::File;
use std::io::{BufRead, IsTerminal};
use std::path::{Path, PathBuf};

use cli::{Common, Exit, Failure, OrFail, Outcome, Stop, say};
use extents::human;
use lvm_cmd::{
    ArchivedFileSystem, Command, ExecError, Executor, Kind, Lv, LvRef, LvType, MOUNTINFO, Password, Program,
    archive_info, ends_whole, file_system, find, mounted, spawn_restore, volumes,
};

use crate::context::{Context, volume};
use crate::dump::archive::Child;
use crate::dump::{install, password};

/// Restore a dump to a volume, whatever is on that
///
/// It is shown what will be overwritten, and asked. The volume is there already, is active and in nobody's use, and may have
/// another size than the one that was dumped, as long as what is in the dump has room. What was restored is checked, where the
/// file system's own checker is there.
#[derive(clap::Args, Debug)]
#[command(after_long_help = AFTER)]
pub(crate) struct Args {
    /// The archive that `lvsnap dump` made
    #[arg(value_name = "DUMP")]
    dump: PathBuf,

    /// The volume to overwrite
    #[arg(value_name = "VG/LV")]
    volume: String,

    /// Do not ask
    #[arg(long)]
    yes: bool,

    /// The password of an encrypted dump is the first line of this file
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

const AFTER: &str = "\
Examples:
  lvsnap restore /backup/vg0-root-dumps/vg0-root-dump-daily-2026-11-21_03-00-00.fsa vg0/root
  lvcreate -L 20g -n data-monday vg0; lvsnap restore DUMP vg0/data-monday --yes

Layers in a store are restored by `lvbackup restore STORE VG/POOL NAME`.

Exit status 5: it was interrupted or failed half-way, and what is on the volume is neither the old nor the new.";

/// Restores it.
///
/// # Errors
/// See the exit status in the help.
pub(crate) fn run(args: &Args, common: Common, stop: &Stop) -> Outcome {
    let name = volume(&args.volume, None)?;
    refuse_store(&args.dump)?;
    let password = args.password_file.as_deref().map(password).transpose()?;
    let context = Context::new(stop)?;
    let exec = &context.exec;
    install::ensure(exec, install::manager(exec), false, common)?;
    let _lock = context.lock(&name)?;
    let archived = archived(exec, &args.dump, password.as_ref())?;
    let target = target(exec, &name)?;
    if archived.used > target.size {
        let (used, size) = (human(archived.used), human(target.size));
        return Err(Failure::msg(Exit::Refused, format!("the dump has {used} of data, `{name}` has {size} in all")));
    }
    let there = file_system(exec, &name.dm_path()).or_fail(Exit::Failed)?;
    let shown = shown(&args.dump, &archived, &target, there.as_deref());
    if !args.yes {
        confirm(&shown, &name)?;
        // Somebody may have taken it meanwhile.
        self::target(exec, &name)?;
    } else if !common.quiet {
        say(&shown);
    }
    let node = name.dm_path();
    let child = Child::new(spawn_restore(exec, &args.dump, &node, password.as_ref()).or_fail(Exit::Failed)?);
    // From here on the volume is written to.
    restored(child, &node, stop).and_then(|()| checked(exec, &archived.format, &node, common)).map_err(|cause| {
        cause
            .leaving(format!("`{name}` is overwritten, and what is on it is not whole"))
            .hint("the same command again overwrites it anew")
    })?;
    if !common.quiet {
        say(&format!("lvsnap: `{}` is restored to `{name}`", args.dump.display()));
    }
    Ok(())
}

fn refuse_store(dump: &Path) -> Outcome {
    let there = std::fs::metadata(dump);
    let is_store = there.as_ref().is_ok_and(std::fs::Metadata::is_dir) || dump.to_string_lossy().contains("://");
    if is_store {
        return Err(Failure::msg(Exit::Usage, format!("`{}` is no dump, but a folder or a store", dump.display()))
            .hint("name the archive itself; a layer in a store is restored by `lvbackup restore STORE VG/POOL NAME`"));
    }
    let there = there.or_fail(Exit::Failed);
    there.map(drop).map_err(|failure| failure.context(format!("cannot look at `{}`", dump.display())))
}

fn archived(exec: &dyn Executor, dump: &Path, password: Option<&Password>) -> Outcome<ArchivedFileSystem> {
    let info = archive_info(exec, dump, password).or_fail(Exit::Refused).map_err(|failure| {
        failure
            .context(format!("cannot take `{}` for a dump", dump.display()))
            .hint("an encrypted one needs its password, `--password-file FILE`")
    })?;
    if !ends_whole(dump).or_fail(Exit::Failed)? {
        return Err(Failure::msg(Exit::Refused, format!("`{}` was cut: its end is missing", dump.display())));
    }
    match <[_; 1]>::try_from(info.file_systems) {
        Ok([only]) => Ok(only),
        Err(found) => {
            let text = format!("expected one file system in `{}`, found {}", dump.display(), found.len());
            Err(Failure::msg(Exit::Refused, text).hint("`fsarchiver restfs` restores each of them"))
        }
    }
}

/// The volume, if it may be overwritten.
fn target(exec: &dyn Executor, name: &LvRef) -> Outcome<Lv> {
    let group = volumes(exec, name.vg()).map_err(transfer::Error::from)?;
    let lv = find(&group, name).map_err(transfer::Error::from)?.clone();
    let refused = |why: &str| Failure::msg(Exit::Failed, format!("`{name}` {why}"));
    match lv.attr.lv_type() {
        LvType::ThinPool => return Err(refused("is a pool, not a volume")),
        _ if lv.attr.is_classic_snapshot() => return Err(refused("is a classic snapshot")),
        _ => {}
    }
    if lv.attr.is_read_only_now() {
        return Err(refused("is read-only").hint("something may need it as it is; `lvcreate` makes another volume"));
    }
    if !lv.attr.is_active() {
        return Err(refused("is not active").hint(format!("`lvchange --activate y {name}` activates it")));
    }
    let mounts = mounted(Path::new(MOUNTINFO)).or_fail(Exit::Failed)?;
    let node = name.dm_path();
    if let Some(mount) = mounts.iter().find(|mount| mount.is_of(&node)) {
        let at = mount.at.display();
        return Err(refused(&format!("is mounted at `{at}`")).hint(format!("`umount {at}` unmounts it")));
    }
    if lv.attr.is_open() {
        return Err(refused("is open: a program, or a device above it, has it"));
    }
    Ok(lv)
}

fn shown(dump: &Path, archived: &ArchivedFileSystem, target: &Lv, there: Option<&str>) -> String {
    format!(
        "lvsnap: from `{}`: {} of {}, {} of it used\nlvsnap: to `{}`: {} in all, on it now: {}; all of that is lost",
        dump.display(),
        archived.format,
        human(archived.size),
        human(archived.used),
        target.name,
        human(target.size),
        there.unwrap_or("nothing that is known"),
    )
}

fn confirm(shown: &str, name: &LvRef) -> Outcome {
    say(shown);
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Err(Failure::msg(Exit::Usage, "nobody can be asked: this is no terminal").hint("`--yes` overwrites it"));
    }
    say(&format!("lvsnap: type `{name}` to overwrite it:"));
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).or_fail(Exit::Failed)?;
    match answer.trim() == name.to_string() {
        true => Ok(()),
        false => Err(Failure::msg(Exit::Failed, format!("`{name}` is as it was: that was another answer"))),
    }
}

fn restored(child: Child, node: &Path, stop: &Stop) -> Outcome {
    child.finish(stop, || Ok(()))?;
    File::open(node).and_then(|device| device.sync_all()).or_fail(Exit::Failed)
}

/// The file system is of the kind that was dumped, and its own checker finds nothing.
fn checked(exec: &dyn Executor, format: &str, node: &Path, common: Common) -> Outcome {
    let found = file_system(exec, node).or_fail(Exit::Failed)?.unwrap_or_default();
    if found != format {
        return Err(Failure::msg(Exit::Failed, format!("expected {format} on it, found `{found}`")));
    }
    let checker = match format {
        "ext2" | "ext3" | "ext4" => Command::new(Program::E2fsck).args(["-f", "-n"]).arg(node),
        "xfs" => Command::new(Program::XfsRepair).arg("-n").arg(node),
        _ => return Ok(()),
    };
    match exec.run(&checker) {
        Ok(_) => Ok(()),
        Err(error @ ExecError::Missing { .. }) => {
            if !common.quiet {
                say(&format!("lvsnap: what was restored is not checked: {error}"));
            }
            Ok(())
        }
        Err(error) if error.kind() == Kind::Environment => Err(Failure::new(Exit::Surroundings, error)),
        Err(error) => Err(Failure::new(Exit::Failed, error).context("what was restored is damaged")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lvm_cmd::Scripted;

    const QUIET: Common = Common { verbose: 0, quiet: true, progress: cli::Shown::Auto };

    #[test]
    fn what_was_restored_is_looked_at() {
        let node = Path::new("/dev/mapper/a-b");
        let blkid =
            |found: &str| format!("$ blkid --probe --match-tag TYPE --output value /dev/mapper/a-b\n| {found}\n= 0\n");
        for (format, script, is_good) in [
            ("ext4", blkid("ext4") + "$ e2fsck -f -n /dev/mapper/a-b\n= 0\n", true),
            ("ext4", blkid("ext4") + "$ e2fsck -f -n /dev/mapper/a-b\n= 4\n", false),
            ("ext4", blkid("ext4") + "$ e2fsck -f -n /dev/mapper/a-b\n= missing\n", true),
            ("xfs", blkid("xfs") + "$ xfs_repair -n /dev/mapper/a-b\n= 1\n", false),
            ("xfs", blkid("ext4"), false),
            ("vfat", blkid("vfat"), true),
        ] {
            let exec = Scripted::from_transcript(&script).unwrap();
            assert_eq!(checked(&exec, format, node, QUIET).is_ok(), is_good, "{script}");
        }
    }

    #[test]
    fn a_store_is_no_dump() {
        let folder = tempfile::tempdir().unwrap();
        for store in [folder.path(), Path::new("s3://bucket/store")] {
            let failure = refuse_store(store).unwrap_err();
            assert_eq!(failure.exit(), Exit::Usage);
            assert!(failure.render("lvsnap").contains("lvbackup restore"));
        }
        assert_eq!(refuse_store(&folder.path().join("none")).unwrap_err().exit(), Exit::Failed);
    }

    #[test]
    fn only_what_nobody_uses_is_overwritten() {
        for (attr, word) in [
            ("twi-a-tz--", "pool"),
            ("swi-a-s---", "classic snapshot"),
            ("-ri-a-----", "read-only"),
            ("-wi-------", "not active"),
            ("-wi-ao----", "open"),
        ] {
            let row = testkit::lv_row(&[("lv_name", "data"), ("lv_attr", attr)]);
            let exec = Scripted::from_transcript(&testkit::lvs_step(&[row])).unwrap();
            let failure = target(&exec, &"vg0/data".parse().unwrap()).unwrap_err();
            assert!(failure.to_string().contains(word), "{attr}: {failure}");
        }
    }

    #[test]
    fn without_a_terminal_nobody_is_asked() {
        if !std::io::stdin().is_terminal() {
            assert_eq!(confirm("", &"a/b".parse().unwrap()).unwrap_err().exit(), Exit::Usage);
        }
    }
}

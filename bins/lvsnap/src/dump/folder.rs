//! The folder of a volume's dumps: whose it is, what is in it, and who works on it.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use block_copy::rename_new;
use cli::{Exit, Failure, OrFail, Outcome};
use lvm_cmd::LvRef;
use serde_json::{Value, json};

use super::files::{Files, HostFiles};
use super::name::{self, DumpName};
use super::rotate::Maxima;

/// The file that says whose dumps they are, and that is locked while somebody works on them. Names alone do not say it:
/// `a-b/c` and `a/b-c` give the same, and so do two machines.
const OWNER: &str = ".lvsnap-owner.json";

/// Whose dumps a folder has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Owner {
    pub(crate) volume: String,
    pub(crate) host: String,
}

impl Owner {
    /// Of this volume, on this machine.
    pub(crate) fn here(volume: &LvRef) -> Self {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        Self { volume: volume.to_string(), host }
    }

    fn text(&self) -> String {
        format!("{}\n", json!({ "version": 1, "volume": self.volume, "host": self.host }))
    }

    fn parse(text: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(text).ok().filter(|value: &Value| value["version"] == 1)?;
        let text = |key: &str| value[key].as_str().map(str::to_owned);
        Some(Self { volume: text("volume")?, host: text("host")? })
    }
}

/// A volume's dumps.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    volume: LvRef,
    files: Box<dyn Files>,
    /// Locked, unless it is only looked at.
    _lock: Option<File>,
}

impl Folder {
    /// The folder below `dest`, made where it is not there, for this run alone.
    ///
    /// # Errors
    /// `dest` is not there, another volume's dumps are in it, or nobody knows whose they are, or somebody works on it.
    pub(crate) fn open(dest: &Path, volume: &LvRef, owner: &Owner, adopt: bool) -> Outcome<Self> {
        let path = Self::path(dest, volume)?;
        // Whoever reads a dump reads everything that was on the volume.
        match DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => sync(dest)?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => {
                return Err(Failure::new(Exit::Failed, error).context(format!("cannot make `{}`", path.display())));
            }
        }
        let mut folder = Self { path, volume: volume.clone(), files: Box::new(HostFiles), _lock: None };
        let file = folder.path.join(OWNER);
        if !file.exists() {
            folder.refuse_unknown(adopt)?;
            folder.write_owner(owner, &file)?;
        }
        // NFS gives a lock only on a file that may be written.
        let lock = OpenOptions::new().read(true).write(true).open(&file).or_fail(Exit::Failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let text = format!("another run works on the dumps in `{}`", folder.path.display());
                return Err(Failure::msg(Exit::Surroundings, text).hint("try again when it has ended"));
            }
            Err(TryLockError::Error(error)) => return Err(Failure::new(Exit::Failed, error)),
        }
        folder.refuse_others(owner)?;
        folder._lock = Some(lock);
        Ok(folder)
    }

    /// The folder as it is, to look at; `None` where there is none.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub(crate) fn look(dest: &Path, volume: &LvRef, owner: &Owner, adopt: bool) -> Outcome<Option<Self>> {
        let path = Self::path(dest, volume)?;
        if !path.is_dir() {
            return Ok(None);
        }
        let folder = Self { path, volume: volume.clone(), files: Box::new(HostFiles), _lock: None };
        if folder.path.join(OWNER).exists() {
            folder.refuse_others(owner)?;
        } else {
            folder.refuse_unknown(adopt)?;
        }
        Ok(Some(folder))
    }

    fn path(dest: &Path, volume: &LvRef) -> Outcome<PathBuf> {
        let there = fs::metadata(dest).or_fail(Exit::Failed);
        let there = there.map_err(|failure| {
            failure
                .context(format!("cannot look at `{}`", dest.display()))
                .hint("it is not made, but by `--make-dest`: a file system may have to be mounted there first")
        })?;
        match there.is_dir() {
            true => Ok(dest.canonicalize().or_fail(Exit::Failed)?.join(name::folder(volume))),
            false => Err(Failure::msg(Exit::Failed, format!("`{}` is no folder", dest.display()))),
        }
    }

    /// Dumps of the original are taken over where their name can be of one volume only.
    fn refuse_unknown(&self, adopt: bool) -> Outcome {
        let dumps = self.dumps()?;
        if dumps.is_empty() || adopt || !name::is_ambiguous(&self.volume) {
            return Ok(());
        }
        let text = format!(
            "the {} dumps in `{}` do not say whether they are of `{}` or of another volume that gives the same names",
            dumps.len(),
            self.path.display(),
            self.volume
        );
        Err(Failure::msg(Exit::Refused, text)
            .hint("choose another DEST")
            .hint(format!("or say that they all are of `{0}`: `lvsnap prune DEST {0} --adopt`", self.volume)))
    }

    fn refuse_others(&self, owner: &Owner) -> Outcome {
        let path = self.path.join(OWNER);
        let found = Owner::parse(&fs::read_to_string(&path).or_fail(Exit::Failed)?);
        if found.as_ref() == Some(owner) {
            return Ok(());
        }
        let text = match found {
            Some(Owner { volume, host }) => {
                format!("the dumps in `{}` are of `{volume}` on `{host}`", self.path.display())
            }
            None => format!("`{}` cannot be read: nobody knows whose dumps these are", path.display()),
        };
        Err(Failure::msg(Exit::Refused, format!("{text}, expected `{}` on `{}`", owner.volume, owner.host))
            .hint("choose another DEST: they would be rotated together")
            .hint(format!("where the machine was renamed, or all dumps are yours, remove `{}`", path.display())))
    }

    fn write_owner(&self, owner: &Owner, file: &Path) -> Outcome {
        let doing = |failure: Failure| failure.context(format!("cannot write `{}`", file.display()));
        let beside = self.path.join(format!("{OWNER}.{}", std::process::id()));
        let written = || -> io::Result<()> {
            let mut new = OpenOptions::new().write(true).create(true).truncate(true).mode(0o644).open(&beside)?;
            io::Write::write_all(&mut new, owner.text().as_bytes())?;
            new.sync_all()
        };
        let named = written().or_fail(Exit::Failed).and_then(|()| rename_new(&beside, file).or_fail(Exit::Failed));
        if let Err(failure) = named {
            let _ = fs::remove_file(&beside);
            // Another run was first; whose it is is seen when it is read.
            return if file.exists() { Ok(()) } else { Err(doing(failure)) };
        }
        Ok(())
    }

    /// Where a dump lies, or is to lie.
    pub(crate) fn file(&self, dump: DumpName) -> PathBuf {
        self.path.join(dump.file(&self.volume))
    }

    /// Where it lies before it is whole.
    pub(crate) fn unfinished(&self, dump: DumpName) -> PathBuf {
        self.path.join(dump.unfinished(&self.volume))
    }

    /// All dumps, the oldest first.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub(crate) fn dumps(&self) -> Outcome<Vec<DumpName>> {
        self.named(DumpName::parse)
    }

    fn named(&self, parse: fn(&str, &LvRef) -> Option<DumpName>) -> Outcome<Vec<DumpName>> {
        let names = self.files.list(&self.path).or_fail(Exit::Failed);
        let names = names.map_err(|failure| failure.context(format!("cannot list `{}`", self.path.display())))?;
        let mut dumps: Vec<_> = names.iter().filter_map(|name| parse(name, &self.volume)).collect();
        dumps.sort_unstable();
        Ok(dumps)
    }

    /// Removes what runs that were killed have left: who has the lock is the only one that writes here. Gives their names.
    ///
    /// # Errors
    /// One cannot be removed.
    pub(crate) fn remove_unfinished(&self) -> Outcome<Vec<PathBuf>> {
        let dead = self.named(DumpName::parse_unfinished)?.into_iter();
        dead.map(|dump| self.abandon(dump).map(|()| self.unfinished(dump))).collect()
    }

    /// Removes a dump, durably.
    ///
    /// # Errors
    /// It cannot be removed.
    pub(crate) fn remove(&self, dump: DumpName) -> Outcome {
        self.remove_file(&self.file(dump))?;
        let synced = self.files.sync_directory(&self.path).or_fail(Exit::Failed);
        synced.map_err(|failure| failure.context(format!("cannot sync `{}`", self.path.display())))
    }

    /// Removes a dump under its unfinished name, which may be gone already.
    ///
    /// # Errors
    /// It is still there.
    pub(crate) fn abandon(&self, dump: DumpName) -> Outcome {
        self.remove_file(&self.unfinished(dump))
    }

    fn remove_file(&self, path: &Path) -> Outcome {
        match self.files.remove(path) {
            // Over a network, the answer to a removal that was done may be lost.
            Err(error) if is_there(path) => {
                Err(Failure::new(Exit::Failed, error).context(format!("cannot remove `{}`", path.display())))
            }
            _ => Ok(()),
        }
    }

    /// Makes the file for a dump, under its unfinished name, so that only its owner can read it; fsarchiver leaves that so.
    ///
    /// # Errors
    /// It cannot be made.
    pub(crate) fn begin(&self, dump: DumpName) -> Outcome {
        let path = self.unfinished(dump);
        let made = self.files.create_new(&path).or_fail(Exit::Failed);
        made.map_err(|failure| failure.context(format!("cannot make `{}`", path.display())))
    }

    /// Makes a dump that is whole durable, and gives it its name. Gives its length in bytes.
    ///
    /// # Errors
    /// Exit 5: the dump has its name, and may lose it in a power failure. Otherwise it has its unfinished name; no other dump
    /// is replaced.
    pub(crate) fn finish(&self, dump: DumpName) -> Outcome<u64> {
        let (unfinished, file) = (self.unfinished(dump), self.file(dump));
        let synced = self.files.sync(&unfinished).or_fail(Exit::Failed);
        let len =
            synced.map_err(|failure| failure.context(format!("cannot make `{}` durable", unfinished.display())))?;
        match self.files.rename_new(&unfinished, &file) {
            Err(source) if is_there(&unfinished) || !is_there(&file) => {
                let renamed = Failure::new(Exit::Failed, source);
                return Err(renamed.context(format!("cannot rename `{}`", unfinished.display())));
            }
            // Done, whatever the answer was.
            _ => {}
        }
        let synced = self.files.sync_directory(&self.path);
        let synced =
            synced.map_err(|source| block_copy::Error::NotDurable { name: file, folder: self.path.clone(), source });
        synced.map(|()| len).map_err(|error| transfer::Error::from(error).into())
    }

    /// The command that removes the dumps which are beyond the maxima.
    pub(crate) fn prune_command(&self, maxima: Maxima) -> String {
        let dest = self.path.parent().unwrap_or(&self.path).display();
        let rules = maxima.both().map(|(daily, weekly)| format!(" --daily-max {daily} --weekly-max {weekly}"));
        format!("`lvsnap prune {dest} {}{}`", self.volume, rules.unwrap_or_default())
    }

    /// These dumps, over other file operations.
    #[cfg(test)]
    pub(crate) fn over(self, files: Box<dyn Files>) -> Self {
        Self { files, ..self }
    }
}

fn is_there(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// Makes the folder for dumps of all volumes, and those that it lies in, durably.
///
/// # Errors
/// It is not there.
pub(crate) fn make_dest(dest: &Path) -> Outcome {
    let made = durable::make_directory(dest, 0o777).or_fail(Exit::Failed);
    made.map_err(|failure| failure.context(format!("cannot make `{}`", dest.display())))
}

fn sync(folder: &Path) -> Outcome {
    let synced = durable::sync_directory(folder);
    synced.or_fail(Exit::Failed).map_err(|failure| failure.context(format!("cannot sync `{}`", folder.display())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    fn volume(text: &str) -> LvRef {
        text.parse().unwrap()
    }

    fn open(dest: &Path, name: &str) -> Outcome<Folder> {
        Folder::open(dest, &volume(name), &Owner::here(&volume(name)), false)
    }

    #[test]
    fn a_folder_belongs_to_one_volume_of_one_machine() {
        let dest = tempfile::tempdir().unwrap();
        drop(open(dest.path(), "a-b/c").unwrap());
        drop(open(dest.path(), "a-b/c").unwrap());
        let refused = open(dest.path(), "a/b-c").unwrap_err();
        assert_eq!(refused.exit(), Exit::Refused);
        assert!(refused.to_string().contains("are of `a-b/c`"), "{refused}");
        let other = Owner { host: "other".to_owned(), ..Owner::here(&volume("a-b/c")) };
        assert_eq!(Folder::open(dest.path(), &volume("a-b/c"), &other, true).unwrap_err().exit(), Exit::Refused);
        assert!(Folder::look(dest.path(), &volume("a/b-c"), &Owner::here(&volume("a/b-c")), true).is_err());
        assert!(Folder::look(dest.path(), &volume("x/y"), &Owner::here(&volume("x/y")), true).unwrap().is_none());
    }

    #[test]
    fn dumps_of_the_original_are_taken_over_where_it_is_clear_whose_they_are() {
        for (name, is_clear) in [("vg0/root", true), ("a-b/c", false), ("a/b-c", false)] {
            let dest = tempfile::tempdir().unwrap();
            let (lv, owner) = (volume(name), Owner::here(&volume(name)));
            let folder = dest.path().join(name::folder(&lv));
            fs::create_dir(&folder).unwrap();
            fs::write(folder.join(DumpName::new("2020-01-01T01:00:00".parse().unwrap()).file(&lv)), "").unwrap();
            assert_eq!(open(dest.path(), name).is_ok(), is_clear, "{name}");
            assert_eq!(Folder::open(dest.path(), &lv, &owner, true).unwrap().dumps().unwrap().len(), 1);
            assert!(open(dest.path(), name).is_ok(), "{name}: adopted once");
        }
    }

    #[test]
    fn a_destination_is_made_when_that_is_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let dest = folder.path().join("a/b");
        assert!(open(&dest, "vg0/root").unwrap_err().render("lvsnap").contains("--make-dest"));
        make_dest(&dest).unwrap();
        make_dest(&dest).unwrap();
        drop(open(&dest, "vg0/root").unwrap());
        fs::write(folder.path().join("file"), "").unwrap();
        make_dest(&folder.path().join("file")).unwrap_err();
    }

    #[test]
    fn one_works_on_it_at_a_time_and_removes_what_a_dead_one_left() {
        let dest = tempfile::tempdir().unwrap();
        let folder = open(dest.path(), "vg0/root").unwrap();
        assert_eq!(open(dest.path(), "vg0/root").unwrap_err().exit(), Exit::Surroundings);
        let dump = DumpName::new("2026-11-21T03:00:00".parse().unwrap());
        fs::write(folder.unfinished(dump), "half").unwrap();
        fs::write(folder.path.join(".unfinished-other.fsa"), "somebody's").unwrap();
        assert_eq!(folder.dumps().unwrap(), []);
        assert_eq!(folder.remove_unfinished().unwrap(), [folder.unfinished(dump)]);
        assert!(folder.path.join(".unfinished-other.fsa").exists());
        // What has the name is not replaced.
        folder.begin(dump).unwrap();
        assert_eq!(fs::metadata(folder.unfinished(dump)).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(&folder.path).unwrap().mode() & 0o777, 0o700);
        fs::write(folder.file(dump), "old").unwrap();
        folder.finish(dump).unwrap_err();
        assert_eq!(fs::read(folder.file(dump)).unwrap(), b"old");
        folder.remove(dump).unwrap();
        folder.finish(dump).unwrap();
        assert_eq!(folder.dumps().unwrap(), [dump]);
    }

    #[test]
    fn it_is_locked_by_a_file_that_may_be_written() {
        // On NFS an exclusive flock(2) on another one is EBADF.
        let dest = tempfile::tempdir().unwrap();
        let folder = open(dest.path(), "vg0/root").unwrap();
        let flags = rustix::fs::fcntl_getfl(folder._lock.as_ref().unwrap()).unwrap();
        assert!(flags.contains(rustix::fs::OFlags::RDWR), "{flags:?}");
    }

    #[test]
    fn a_folder_that_is_not_there_is_not_made() {
        let dest = tempfile::tempdir().unwrap();
        assert_eq!(open(&dest.path().join("not mounted"), "vg0/root").unwrap_err().exit(), Exit::Failed);
    }
}

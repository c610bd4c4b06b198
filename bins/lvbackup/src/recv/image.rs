//! A chain as an image.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use block_copy::{Access, PartialFile, Queue, ReadAt, Volume};
use cli::{Common, Exit, Failure, OrFail, Outcome, Progress, Stop, say};
use extents::Bytes;
use hyperlayer::Header;
use transfer::receive::{FileSite, Ledger, LedgerFile, Partial, PartialBase, Receiver, Rehearsal, identify_image};
use transfer::{Base, needs_no_base};

use super::left::Target;
use super::{Args, done, due, hand_over, want};

/// Where the ledger of an image lies: beside its partial file.
pub(super) fn ledger(target: &Path) -> Outcome<LedgerFile> {
    let mut path = OsString::from(PartialFile::path_for(target).map_err(transfer::Error::from)?);
    path.push(".json");
    Ok(LedgerFile::new(path))
}

pub(super) fn target(path: &Path) -> Target {
    Target { name: path.display().to_string(), options: format!("--to-file {}", path.display()) }
}

/// Receives into `path`.
///
/// # Errors
/// See the exit status in the help.
pub(super) fn run(args: &Args, path: &Path, common: Common, stop: &Stop) -> Outcome {
    cli::check_image_name(path)?;
    let (target, ledger) = (target(path), ledger(path)?);
    let partial_path = PartialFile::path_for(path).map_err(transfer::Error::from)?;
    let found = fs::symlink_metadata(&partial_path).ok();
    let is_there = found.is_some();
    if args.discard_partial {
        if !is_there && !ledger.path().exists() {
            return Err(target.nothing());
        }
        // A discard that was killed leaves an empty file without a ledger.
        if found.is_some_and(|found| found.len() > 0) && !ledger.path().exists() {
            return Err(not_ours(&partial_path, &ledger));
        }
        return discard(PartialFile::open(path).map_err(transfer::Error::from)?, &ledger)
            .map(|()| say(&format!("lvbackup: removed `{}`", partial_path.display())));
    }
    if let Ok(found) = fs::symlink_metadata(path) {
        // A run was killed between its last two steps.
        let whole = ledger.read().ok().flatten().filter(|old| args.resume && old.complete && !is_there);
        if whole.and_then(|old| old.whole).is_some_and(|whole| whole.size.get() == found.len()) {
            ledger.remove().map_err(transfer::Error::from)?;
            done(args, common, &[], &format!("`{}` is whole", path.display()));
            return Ok(());
        }
        // Said early; what comes in the meantime, the file's last step refuses.
        return Err(cli::image_exists(path));
    }
    let progress = Progress::new("receiving", None, common, stop.clone());
    if args.dry_run {
        let base = base(args, None)?;
        let checked = base.as_ref().filter(|_| !args.no_base_check);
        let mut rehearsal = Rehearsal::new(checked.map(|base| base as &dyn ReadAt), Queue::default());
        let received = hand_over(args, &progress, |layer| {
            let identify = |header: &Header| {
                let Some(base) = &base else { return needs_no_base(header).map(|()| None) };
                let ids = args.base_id.iter().cloned().collect();
                let known = Base { name: base.name().display().to_string(), size: base.size(), ids };
                identify_image(header, base, known, args.force_base, &progress).map(Some)
            };
            rehearsal.receive(layer, identify, &progress)
        })?;
        done(args, common, &received, "whole and unaltered; nothing was written");
        return Ok(());
    }

    let file = PartialFile::open(path).map_err(transfer::Error::from)?;
    let was_begun = is_there || ledger.path().exists() || file.len().map_err(transfer::Error::from)? > Bytes::ZERO;
    let (base, partial) = match begin(args, path, &file, is_there, &ledger) {
        Ok(begun) => begun,
        Err(cause) if was_begun => return Err(cause),
        Err(cause) => return Err(given_up(&target, file, &ledger, cause)),
    };
    if partial.complete {
        finish(file, &ledger, &partial)?;
        done(args, common, &[], &format!("`{}` is whole", path.display()));
        return Ok(());
    }

    let (due, was_empty) = (due(args), partial.is_empty());
    let site = FileSite::new(file, base, args.base_id.iter().cloned().collect(), args.force_base, &progress);
    let mut receiver = Receiver::new(site, &ledger, partial, want(args, &due));
    let received = match hand_over(args, &progress, |layer| receiver.receive(layer, &progress)) {
        Ok(received) => received,
        Err(cause) => {
            let (site, partial) = receiver.interrupt();
            if partial.is_empty() {
                let cause = given_up(&target, site.into_file(), &ledger, cause);
                if !was_empty && cause.exit() != Exit::Unfinished {
                    say(&format!("lvbackup: removed `{}`, which cannot be continued", partial_path.display()));
                }
                return Err(cause);
            }
            return Err(target.interrupted(&partial, cause));
        }
    };
    let before = receiver.partial().clone();
    let (site, partial) = receiver.complete().map_err(|cause| {
        // It may count on less than before.
        target.interrupted(&ledger.read().ok().flatten().unwrap_or(before), cause.into())
    })?;
    finish(site.into_file(), &ledger, &partial).map_err(|cause| target.interrupted(&partial, cause))?;
    drop(progress);
    done(args, common, &received, &format!("`{}` is whole", path.display()));
    Ok(())
}

/// What an interrupted receive left in `file`, or a new ledger, and the base.
fn begin(
    args: &Args,
    path: &Path,
    file: &PartialFile,
    is_there: bool,
    ledger: &LedgerFile,
) -> Outcome<(Option<Volume>, Partial)> {
    let target = target(path);
    let old = match ledger.read() {
        Ok(Some(old)) if old.is_empty() && !old.complete && !args.resume => None,
        Ok(Some(old)) if !args.resume => return Err(target.in_the_way(&old)),
        Ok(None) if is_there && file.len().map_err(transfer::Error::from)?.get() > 0 => {
            return Err(not_ours(file.path(), ledger));
        }
        Ok(old) => old,
        Err(error) => return Err(target.lost(transfer::Error::from(error).into())),
    };
    if old.is_none() && args.resume && !is_there {
        return Err(target.nothing());
    }
    if old.as_ref().is_some_and(|old| !old.is_empty()) && file.len().map_err(transfer::Error::from)?.get() == 0 {
        let text = format!("`{}` no longer holds what was received", file.path().display());
        return Err(target.lost(Failure::msg(Exit::Failed, text)));
    }
    let base = base(args, old.as_ref())?;
    let partial = match old {
        Some(old) => old,
        None => {
            let base = base.as_ref().map(|base| PartialBase {
                name: base.name().display().to_string(),
                uuid: None,
                size: base.size(),
            });
            let new = Partial::new(absolute(path)?.display().to_string(), cli::now_utc(), base);
            ledger.keep(&new).map_err(transfer::Error::from)?;
            new
        }
    };
    Ok((base, partial))
}

/// Removes the files of a receive that received nothing.
fn given_up(target: &Target, file: PartialFile, ledger: &LedgerFile, cause: Failure) -> Failure {
    match discard(file, ledger) {
        Ok(()) => cause,
        Err(failure) => target.not_removed(cause, &failure),
    }
}

/// There is a file of that name, and nothing proves that a receive of ours made it.
fn not_ours(partial: &Path, ledger: &LedgerFile) -> Failure {
    let (partial, ledger) = (partial.display(), ledger.path().display());
    Failure::msg(Exit::Failed, format!("`{partial}` is in the way, and no `{ledger}` says that it is ours"))
        .hint(format!("look whose it is; if nobody needs it: `rm {partial}`"))
}

/// The last steps, which can be done again.
fn finish(file: PartialFile, ledger: &LedgerFile, partial: &Partial) -> Outcome {
    let size = partial.whole.as_ref().map_or(Bytes::ZERO, |whole| whole.size);
    file.resize(size).and_then(|()| file.commit()).map_err(transfer::Error::from)?;
    Ok(ledger.remove().map_err(transfer::Error::from)?)
}

/// Removes the ledger before the file: the lock on the file keeps another receive from making a ledger of the same name. An
/// empty file needs no ledger to be known as left by a receive.
fn discard(file: PartialFile, ledger: &LedgerFile) -> Outcome {
    let emptied = file.resize(Bytes::ZERO).and_then(|()| file.sync());
    emptied.and_then(|()| ledger.remove()).and_then(|()| file.remove()).map_err(transfer::Error::from)?;
    Ok(())
}

/// The base that is given, or that the interrupted receive had.
fn base(args: &Args, old: Option<&Partial>) -> Outcome<Option<Volume>> {
    let given = args.base.as_deref().map(|path| absolute(Path::new(path))).transpose()?;
    let had = old.and_then(|old| old.base.as_ref());
    let path = match (given, had) {
        (Some(given), Some(had)) if given != Path::new(&had.name) => {
            let text = format!("the interrupted receive was of `{}`, not of `{}`", had.name, given.display());
            return Err(Failure::msg(Exit::Usage, text).hint("leave `--base` away"));
        }
        (Some(_), None) if old.is_some() => {
            return Err(Failure::msg(Exit::Usage, "the interrupted receive had no base").hint("leave `--base` away"));
        }
        (given, had) => given.or_else(|| had.map(|had| PathBuf::from(&had.name))),
    };
    // With a whole layer in, nobody needs it any more.
    let path = path.filter(|_| old.is_none_or(|old| old.layers == 0));
    Ok(path.map(|path| Volume::open(path, Access::Read)).transpose().map_err(transfer::Error::from)?)
}

fn absolute(path: &Path) -> Outcome<PathBuf> {
    std::path::absolute(path).or_fail(Exit::Failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// While a ledger may be there, no other receive can begin.
    #[test]
    fn the_lock_is_held_until_the_ledger_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let image = folder.path().join("got.img");
        let (file, ledger) = (PartialFile::open(&image).unwrap(), ledger(&image).unwrap());
        file.resize(Bytes::new(4096)).unwrap();
        // What cannot be removed as a file stands for a removal that fails or has not come yet.
        fs::create_dir(ledger.path()).unwrap();
        discard(file, &ledger).unwrap_err();
        let partial = PartialFile::path_for(&image).unwrap();
        assert_eq!(fs::metadata(&partial).unwrap().len(), 0);
        fs::remove_dir(ledger.path()).unwrap();
        discard(PartialFile::open(&image).unwrap(), &ledger).unwrap();
        assert!(!partial.exists());
    }
}

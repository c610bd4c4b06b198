//! The order of what a dump does, and what it leaves when a step fails.

use std::path::Path;

use cli::{Failure, Outcome};
use extents::{Bytes, human};

use super::folder::Folder;
use super::name::DumpName;
use super::rotate::{self, Maxima};

/// What is dumped: a volume by way of a snapshot, or a double of that.
pub(crate) trait Source {
    /// Makes a snapshot, calls `begin`, writes the archive, and removes the snapshot in any case.
    ///
    /// # Errors
    /// No snapshot is made. If something of one is left, the error names it.
    fn archive(&self, archive: &Path, begin: &dyn Fn() -> Outcome) -> Outcome<Archived>;

    /// Whether the archive is complete.
    ///
    /// # Errors
    /// It is not, or a signal asks to stop.
    fn check(&self, archive: &Path) -> Outcome;
}

/// How the two last steps of [`Source::archive`] ended.
pub(crate) struct Archived {
    /// Whether the archive is written.
    pub(crate) written: Outcome,
    /// Whether the snapshot is removed. If not, the error names what is left.
    pub(crate) removed: Outcome,
}

/// Makes a dump, then removes those that are beyond the maxima.
///
/// # Errors
/// There is no such dump, and no other is removed. [`cli::Exit::Unfinished`]: the error names what there is, and the command that
/// does the rest.
pub(crate) fn dump(
    source: &dyn Source,
    folder: &Folder,
    dump: DumpName,
    maxima: Maxima,
    say: &dyn Fn(&str),
) -> Outcome {
    for dead in folder.remove_unfinished()? {
        say(&format!("removed `{}`, which a dump that died had left", dead.display()));
    }
    let unfinished = folder.unfinished(dump);
    let Archived { written, removed } = source.archive(&unfinished, &|| folder.begin(dump))?;
    let finished = written.and_then(|()| source.check(&unfinished)).and_then(|()| folder.finish(dump));
    let len = match finished {
        Ok(len) => len,
        Err(cause) => return Err(undone(folder, dump, cause, removed)),
    };
    let file = folder.file(dump);
    let file = file.display();
    say(&format!("`{file}` is made, {}", human(Bytes::new(len))));
    removed.map_err(|failure| failure.context(format!("`{file}` is whole; no older dump was removed")))?;
    let dumps = folder.dumps().map_err(|cause| {
        let left = "it is not known which older dumps are to go";
        cause.leaving(left).hint(format!("remove them: {}", folder.prune_command(maxima)))
    });
    let decided = dumps.and_then(|dumps| rotate::plan(&dumps, Some(dump), maxima, dump.at));
    let gone = decided.and_then(|decided| rotate::carry_out(folder, &decided, maxima));
    for gone in gone.map_err(|failure| failure.context(format!("`{file}` is whole")))? {
        say(&format!("removed the {} dump of {}", gone.class(), gone.at));
    }
    Ok(())
}

/// Removes the file of a dump that failed. One that has its name already stays.
fn undone(folder: &Folder, dump: DumpName, cause: Failure, removed: Outcome) -> Failure {
    let cause = match folder.abandon(dump) {
        Ok(()) => cause,
        Err(failure) => cause
            .leaving(format!("the failed dump `{}` is left", folder.unfinished(dump).display()))
            .hint(format!("repeat the dump, which removes it: {failure}")),
    };
    match removed {
        Ok(()) => cause,
        Err(failure) => failure.context(cause),
    }
}

#[cfg(test)]
mod adversary;

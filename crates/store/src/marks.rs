//! Marks: what may change about a layer, and how it is changed. Each is a tiny object of its own, so
//! that two who mark do not undo each other.

use std::collections::{BTreeMap, BTreeSet};

use hyperlayer::LayerId;
use object_store::PutMode;

use crate::Store;
use crate::error::{Error, ErrorKind};
use crate::fault::{Fault, Problem};
use crate::lock::SharedLock;
use crate::names::{Attempt, Series, Tag, escape, marks_prefix, parse_mark_key, unescape};

impl Store {
    /// Keeps a layer whatever the retention rules say, until [`unhold`](Self::unhold).
    ///
    /// # Errors
    /// There is no such layer, the lock was lost, or the store cannot be reached.
    pub fn hold(&self, lock: &SharedLock, series: &Series, layer: &LayerId) -> Result<(), Error> {
        self.mark(lock, series, layer, &hold_key(series, layer))
    }

    /// Ends a [`hold`](Self::hold), if there is one.
    ///
    /// # Errors
    /// As there.
    pub fn unhold(&self, lock: &SharedLock, series: &Series, layer: &LayerId) -> Result<(), Error> {
        self.unmark(lock, series, layer, &hold_key(series, layer))
    }

    /// Tags a layer.
    ///
    /// # Errors
    /// As for [`hold`](Self::hold).
    pub fn tag(&self, lock: &SharedLock, series: &Series, layer: &LayerId, tag: &Tag) -> Result<(), Error> {
        self.mark(lock, series, layer, &tag_key(series, layer, tag))
    }

    /// Takes a tag off a layer, if it has it.
    ///
    /// # Errors
    /// As for [`hold`](Self::hold).
    pub fn untag(&self, lock: &SharedLock, series: &Series, layer: &LayerId, tag: &Tag) -> Result<(), Error> {
        self.unmark(lock, series, layer, &tag_key(series, layer, tag))
    }

    /// A mark counts when the lock is seen to count after it was written: whoever takes the lock away later sees the mark.
    fn mark(&self, lock: &SharedLock, series: &Series, layer: &LayerId, key: &str) -> Result<(), Error> {
        self.must_have(series, layer)?;
        self.backend.put(key, Vec::new(), PutMode::Overwrite)?;
        lock.refresh().and_then(|()| self.must_have(series, layer)).map_err(|error| match error {
            // The mark is written: a stop here is not one before anything was done.
            Error::Stopped => self.backend.stopped_in(&format!("look again at the layer after writing `{key}`")),
            error => {
                if error.kind() == ErrorKind::NotFound {
                    let _ = self.backend.delete(key);
                }
                error
            }
        })
    }

    fn unmark(&self, lock: &SharedLock, series: &Series, layer: &LayerId, key: &str) -> Result<(), Error> {
        lock.0.keep_fresh()?;
        self.must_have(series, layer)?;
        self.backend.delete(key)
    }
}

/// The marks on one layer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Marks {
    pub(crate) held: bool,
    pub(crate) tags: BTreeSet<Tag>,
}

pub(crate) fn hold_key(series: &Series, layer: &LayerId) -> String {
    format!("{}/hold", marks_prefix(series, layer))
}

pub(crate) fn tag_key(series: &Series, layer: &LayerId, tag: &Tag) -> String {
    format!("{}/tag-{}", marks_prefix(series, layer), escape(tag.as_str()))
}

/// The key of the mark that an object is being added or removed, so that it may have no manifest.
pub(crate) fn pending_key(series: &Series, layer: &LayerId, attempt: &Attempt) -> String {
    format!("{}/pending-{attempt}", marks_prefix(series, layer))
}

/// What a mark says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Mark {
    Hold,
    Tag(Tag),
    Pending(Attempt),
}

/// The marks that keys say, and the keys that say none.
pub(crate) fn read(keys: impl IntoIterator<Item = String>) -> (BTreeMap<(Series, LayerId), Marks>, Vec<Problem>) {
    let mut marks: BTreeMap<_, Marks> = BTreeMap::new();
    let mut problems = Vec::new();
    for key in keys {
        match parse(&key) {
            Ok((series, layer, mark)) => {
                let marks = marks.entry((series, layer)).or_default();
                match mark {
                    Mark::Hold => marks.held = true,
                    Mark::Tag(tag) => {
                        marks.tags.insert(tag);
                    }
                    Mark::Pending(_) => {}
                }
            }
            Err(fault) => problems.push(Problem { key, fault }),
        }
    }
    (marks, problems)
}

/// Whose mark it is, and which, if it is one.
pub(crate) fn parse(key: &str) -> Result<(Series, LayerId, Mark), Fault> {
    let (series, layer, name) = parse_mark_key(key)?;
    let mark = if name == "hold" {
        Some(Mark::Hold)
    } else if let Some(text) = name.strip_prefix("tag-") {
        unescape(text).and_then(|text| Tag::new(text).ok()).map(Mark::Tag)
    } else {
        name.strip_prefix("pending-").and_then(Attempt::parse).map(Mark::Pending)
    };
    Ok((series, layer, mark.ok_or(Fault::Foreign)?))
}

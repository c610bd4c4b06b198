//! What `lvbackup`'s commands do on a store, and what must be true after them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::time::Duration;

use extents::Bytes;
use hyperlayer::LayerId;
use store::{Encoding, Error, ErrorKind, Fault, Identities, Listing, ReadBack, Store, Stored, Tag};

use crate::kit::{draft, id, series};

/// A command.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Command {
    /// Adds a layer of that name on the newest one.
    Backup(&'static str),
    /// Keeps the newest layer, what is held or tagged, and what these need.
    Prune,
    /// Keeps only the first of these, written anew.
    Merge,
    Hold(&'static str),
    Unhold(&'static str),
    Tag(&'static str),
    Check,
    Restore,
    Unlock,
}

/// The layers from the beginning: `old`, which no rule keeps; `held`; and the chain `a`, `c`.
pub(crate) fn fill(store: &Store) {
    for (layer, parent) in [("old", None), ("held", None), ("a", None), ("c", Some("a"))] {
        add(store, layer, parent).unwrap();
    }
    let lock = store.lock_shared().unwrap();
    store.hold(&lock, &series(), &id("held")).unwrap();
}

fn content(layer: &LayerId) -> String {
    format!("the stream of {layer}")
}

fn merged(layer: &LayerId) -> String {
    format!("{layer}, merged")
}

fn add(store: &Store, layer: &str, parent: Option<&str>) -> Result<Stored, Error> {
    let lock = store.lock_shared()?;
    add_under(store, &lock, layer, parent)
}

fn add_under(store: &Store, lock: &store::SharedLock, layer: &str, parent: Option<&str>) -> Result<Stored, Error> {
    let layer = id(layer);
    let mut writer = store.begin(lock, &series(), &layer, &Encoding::default(), Bytes::new(100))?;
    writer.write_all(content(&layer).as_bytes()).map_err(|error| Error::from_io(error).unwrap())?;
    writer.finish(dated(parent, &layer), ReadBack::Data)
}

/// A draft of a time by the layer's name.
fn dated(parent: Option<&str>, layer: &LayerId) -> store::Draft {
    let order = ["old", "held", "a", "c"];
    let minutes = order.iter().position(|name| *name == layer.as_str()).unwrap_or(order.len());
    let draft = draft(parent);
    store::Draft { created: draft.created + Duration::from_secs(60 * minutes as u64), ..draft }
}

impl Command {
    /// Runs the command, as its part of `lvbackup` does.
    pub(crate) fn run(self, store: &Store) -> Result<(), Error> {
        match self {
            Self::Backup(layer) => {
                let lock = store.lock_shared()?;
                let listing = store.list(Some(&series()))?;
                let parent = newest(&listing)?;
                for stored in listing.chain(&series(), &parent.layer.layer)? {
                    store.look(stored)?;
                }
                add_under(store, &lock, layer, Some(parent.layer.layer.as_str())).map(|_| ())
            }
            Self::Prune => prune(store, false),
            Self::Merge => prune(store, true),
            Self::Hold(layer) => {
                let lock = store.lock_shared()?;
                store.list(None)?;
                store.hold(&lock, &series(), &id(layer))
            }
            Self::Unhold(layer) => {
                let lock = store.lock_shared()?;
                store.list(None)?;
                store.unhold(&lock, &series(), &id(layer))
            }
            Self::Tag(layer) => {
                let lock = store.lock_shared()?;
                store.list(None)?;
                store.tag(&lock, &series(), &id(layer), &Tag::new("keep").unwrap())
            }
            Self::Check => {
                let _lock = store.lock_shared()?;
                let report = store.check()?;
                if report.is_sound() { Ok(()) } else { Err(refused("check")) }
            }
            Self::Restore => {
                let _lock = store.lock_shared()?;
                let listing = store.list(None)?;
                let newest = newest(&listing)?;
                restore(store, &listing, &newest.layer.layer)
            }
            Self::Unlock => {
                let (locks, unknown) = store.locks()?;
                assert!(unknown.is_empty(), "{unknown:?}");
                locks.iter().filter(|lock| lock.dead).try_for_each(|lock| store.remove_lock(lock))
            }
        }
    }
}

/// The newest of the chain.
fn newest(listing: &Listing) -> Result<&Stored, Error> {
    let is_main = |stored: &&Stored| !["old", "held"].contains(&stored.layer.layer.as_str());
    listing.of(&series()).into_iter().rfind(is_main).ok_or_else(|| refused("find the newest"))
}

/// What a command ends with when it finds something wrong.
fn refused(what: &str) -> Error {
    Error::Object { key: what.into(), source: Fault::Missing }
}

/// Reads all that makes up a layer, and compares it.
pub(crate) fn restore(store: &Store, listing: &Listing, layer: &LayerId) -> Result<(), Error> {
    read(store, &listing.chain(&series(), layer)?)
}

fn read(store: &Store, layers: &[&Stored]) -> Result<(), Error> {
    for stored in layers {
        let mut text = String::new();
        let mut reader = store.read(stored, &Identities::none())?;
        reader.read_to_string(&mut text).map_err(|error| Error::from_io(error).unwrap())?;
        let id = &stored.layer.layer;
        assert!(text == content(id) || text == merged(id), "{id} gives {text:?}");
    }
    Ok(())
}

fn prune(store: &Store, merge: bool) -> Result<(), Error> {
    let lock = store.lock_exclusive()?;
    let mut listing = store.list(None)?;
    let unlisted = store.leftovers()?.unlisted;
    if !listing.problems.is_empty() || !unlisted.is_empty() || !store.look_at_all(&listing)?.is_empty() {
        return Err(refused("prune"));
    }
    let newest = newest(&listing)?.clone();
    let kept = |stored: &&Stored| stored.held || !stored.tags.is_empty() || stored.layer.layer == newest.layer.layer;
    let roots: Vec<_> = listing.layers().into_iter().filter(kept).cloned().collect();
    let mut stays: BTreeSet<_> = roots.iter().map(|root| root.layer.layer.clone()).collect();
    for root in &roots {
        let chain = listing.chain(&series(), &root.layer.layer)?;
        if !merge {
            stays.extend(chain.into_iter().map(|stored| stored.layer.layer.clone()));
            continue;
        }
        // Down to the next layer that stays, which may have been written anew already.
        let onto = chain[1..].iter().map(|stored| &stored.layer.layer).find(|id| stays.contains(*id));
        if onto != root.layer.parent.as_ref() {
            let parts: Vec<_> = chain.iter().copied().take_while(|part| Some(&part.layer.layer) != onto).collect();
            read(store, &parts)?;
            let mut writer = store.begin_replacing(&lock, root, &Encoding::default(), Bytes::new(100))?;
            let text = merged(&root.layer.layer);
            writer.write_all(text.as_bytes()).map_err(|error| Error::from_io(error).unwrap())?;
            let draft = dated(onto.map(LayerId::as_str), &root.layer.layer);
            writer.finish(store::Draft { tags: root.tags.clone(), ..draft }, ReadBack::Data)?;
        }
    }
    if merge {
        listing = store.list(None)?;
    }
    // Each before the one that it is applied on.
    for stored in listing.layers().into_iter().rev().cloned().collect::<Vec<_>>() {
        if !stays.contains(&stored.layer.layer) {
            store.remove(&lock, &mut listing, &series(), &stored.layer.layer)?;
        }
    }
    store.remove_garbage(&lock).map(|_| ())
}

/// What became of commands that ran.
pub(crate) type Results = BTreeMap<Command, Result<(), Error>>;

/// Asserts what is promised whatever happened: all that is kept, held or stored can be restored, and what ended well is
/// complete.
pub(crate) fn hold_true(store: &Store, results: &Results) {
    let report = store.check().unwrap();
    assert!(report.problems.is_empty() && report.broken.is_empty(), "{report:?}");
    assert!(report.leftovers.unlisted.is_empty(), "{:?}", report.leftovers);
    let listing = &report.listing;
    let is_there = |layer: &str| listing.find(&series(), &id(layer)).is_some();
    for stored in listing.layers() {
        restore(store, listing, &stored.layer.layer).unwrap();
    }
    assert!(listing.find(&series(), &id("held")).is_some_and(|stored| stored.held), "what was held is held");
    let pruned: Vec<_> = results.keys().filter(|command| matches!(command, Command::Prune | Command::Merge)).collect();
    let backups: Vec<_> = results.keys().filter(|command| matches!(command, Command::Backup(_))).collect();
    let stays: &[&str] = if pruned.is_empty() { &["old", "a", "c"] } else { &[] };
    assert!(stays.iter().all(|layer| is_there(layer)), "nothing was to be removed");
    assert!(!backups.is_empty() || is_there("c"), "the newest stays");
    let mut added = false;
    for (command, result) in results {
        let Ok(()) = result else { continue };
        match command {
            Command::Backup(layer) => {
                added = true;
                // Of two that were added on one, the rules keep the newest.
                assert!(is_there(layer) || (!pruned.is_empty() && backups.len() > 1), "{layer} was stored");
            }
            Command::Hold(layer) if !results.contains_key(&Command::Unhold(layer)) => {
                assert!(listing.find(&series(), &id(layer)).is_some_and(|found| found.held), "{layer} was held");
            }
            Command::Unhold(layer) if !results.contains_key(&Command::Hold(layer)) => {
                assert!(listing.find(&series(), &id(layer)).is_none_or(|found| !found.held), "{layer} was let go");
            }
            Command::Tag(layer) => {
                assert!(listing.find(&series(), &id(layer)).is_some_and(|found| !found.tags.is_empty()), "{layer}");
            }
            Command::Prune | Command::Merge => {
                let kept = listing.find(&series(), &id("old")).is_none_or(|old| old.held || !old.tags.is_empty());
                assert!(kept, "what was to go is gone");
            }
            _ => {}
        }
    }
    assert!(added || is_there("c") || !backups.is_empty());
}

/// Whether a command may end so where others work at the same time, or had their locks taken.
pub(crate) fn is_expected(error: &Error) -> bool {
    matches!(error, Error::LockLost { .. } | Error::NoLayer { .. } | Error::Held { .. })
        || matches!(error.kind(), ErrorKind::Locked)
}

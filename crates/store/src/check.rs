//! Looking for what is wrong with a store, and for what nobody needs.

use std::collections::{BTreeMap, BTreeSet};

use extents::Bytes;
use hyperlayer::LayerId;

use crate::backend::Backend;
use crate::chain::ChainError;
use crate::error::Error;
use crate::fault::{Fault, Problem};
use crate::layer::{Stored, Wrapping};
use crate::lock::{self, LockKind};
use crate::marks::Mark;
use crate::names::{Attempt, LAYERS, LOCKS, LayerKey, MANIFESTS, MARKER, MARKS, Series, manifest_key};
use crate::options::Options;
use crate::{listing::Listing, marks, read, unfinished};

/// What a check of a store without reading its data found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// What was checked.
    pub listing: Listing,
    /// Objects that are not as they must be: missing, of another length, not understood, or none of the store's.
    pub problems: Vec<Problem>,
    /// Layers that cannot be restored, because one below them is missing.
    pub broken: Vec<ChainError>,
    /// What should not be there, and objects without a manifest.
    pub leftovers: Leftovers,
}

impl Report {
    /// Whether every layer can be restored, as far as can be told without reading, and every object belongs to one.
    /// Garbage does no harm.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let Leftovers { unlisted, stray_marks, .. } = &self.leftovers;
        self.problems.is_empty() && self.broken.is_empty() && unlisted.is_empty() && stray_marks.is_empty()
    }
}

/// What no manifest speaks of.
#[derive(Clone, Debug, Default)]
pub struct Leftovers {
    /// What nothing needs.
    pub garbage: Vec<Garbage>,
    /// Objects whose layers have no manifest, by the loss of it or because it was not copied yet.
    pub unlisted: Vec<Unlisted>,
    /// The keys of marks of layers that are not there.
    pub stray_marks: Vec<String>,
}

impl Leftovers {
    /// All of it, as what [`remove_leftovers`](crate::Store::remove_leftovers) removes.
    #[must_use]
    pub fn all(self) -> Vec<Garbage> {
        let unlisted = self.unlisted.into_iter().map(|one| Garbage { key: one.key, len_bytes: Some(one.len.get()) });
        let stray = self.stray_marks.into_iter().map(|key| Garbage { key, len_bytes: Some(0) });
        self.garbage.into_iter().chain(unlisted).chain(stray).collect()
    }
}

/// What is known to be needed by nothing: an object whose adding or removal did not end, one that another took the place
/// of, a mark of such a one, or half a file.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Garbage {
    /// Its key, or its path in the folder.
    pub key: String,
    /// How long it is, in bytes, where that is known.
    pub len_bytes: Option<u64>,
}

/// An object whose layer has no manifest, or one that names an object which is not whole.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unlisted {
    /// The object's key.
    pub key: String,
    /// The series that the key names.
    pub series: Series,
    /// The layer that the key names.
    pub layer: LayerId,
    /// The object's length.
    pub len: Bytes,
    /// What is around the stream, by the key.
    pub wrapping: Wrapping,
}

/// What there is, in the order in which nothing that lives is taken for dead: objects first, then locks, then manifests.
/// A writer has its lock before its object, and its manifest before it gives up its lock.
pub(crate) struct Survey {
    objects: Vec<(String, u64)>,
    staged: Vec<String>,
    marks: Vec<(String, u64)>,
    live: BTreeSet<crate::lock::LockId>,
    writers: bool,
}

impl Survey {
    pub(crate) fn new(backend: &Backend, options: &Options) -> Result<Self, Error> {
        let objects = backend.list(LAYERS)?;
        let of_io = |source| Error::Local { doing: "look for unfinished files", source };
        let root = backend.folder().map(crate::folder::Folder::root);
        let mut staged = root.map_or(Ok(Vec::new()), unfinished::markers).map_err(of_io)?;
        for folder in [LAYERS, MANIFESTS, MARKS, LOCKS] {
            staged.extend(root.map_or(Ok(Vec::new()), |root| unfinished::files(root, folder)).map_err(of_io)?);
        }
        let marks = backend.list(MARKS)?;
        let (locks, unknown) = lock::list(backend, options)?;
        let writers = !unknown.is_empty() || locks.iter().any(|lock| !lock.dead && lock.kind == LockKind::Shared);
        let live = locks.into_iter().filter(|lock| !lock.dead).map(|lock| lock.id).collect();
        Ok(Self { objects, staged, marks, live, writers })
    }

    /// What no manifest speaks of, by manifests that were read after this survey.
    pub(crate) fn leftovers(&self, backend: &Backend, listing: &Listing) -> Result<Leftovers, Error> {
        let lengths: BTreeMap<_, _> = self.objects.iter().map(|(key, len)| (key.as_str(), *len)).collect();
        let layers = listing.layers();
        let named: BTreeSet<_> = layers.iter().map(|stored| stored.layer.key.as_str()).collect();
        // A manifest that was not understood may name any object of its layer.
        let doubtful: BTreeSet<_> = listing.problems.iter().map(|problem| problem.key.as_str()).collect();
        let may_be_used = |series: &Series, layer: &LayerId, attempt: &Attempt| {
            self.live.contains(&attempt.lock) || doubtful.contains(manifest_key(series, layer).as_str())
        };
        let marks: Vec<_> = self.marks.iter().filter_map(|(key, _)| Some((key, marks::parse(key).ok()?))).collect();
        let pending = marks.iter().filter_map(|(_, (series, layer, mark))| match mark {
            Mark::Pending(attempt) if !may_be_used(series, layer, attempt) => Some((series, layer, attempt)),
            _ => None,
        });
        let pending: BTreeSet<_> = pending.collect();
        let replaced = |object: &LayerKey| {
            let whole = |Stored { layer, .. }: &Stored| {
                lengths.get(layer.key.as_str()).is_some_and(|len| read::same_length(layer, *len).is_ok())
            };
            listing.find(&object.series, &object.layer).is_some_and(whole)
        };

        let mut found = Leftovers::default();
        for (key, len) in self.objects.iter().filter(|(key, _)| !named.contains(key.as_str())) {
            let Ok(object) = LayerKey::parse(key) else { continue };
            if may_be_used(&object.series, &object.layer, &object.attempt) {
                continue;
            }
            if pending.contains(&(&object.series, &object.layer, &object.attempt)) || replaced(&object) {
                found.garbage.push(Garbage { key: key.clone(), len_bytes: Some(*len) });
            } else {
                let LayerKey { series, layer, wrapping, .. } = object;
                found.unlisted.push(Unlisted { key: key.clone(), series, layer, len: Bytes::new(*len), wrapping });
            }
        }
        if !found.unlisted.is_empty() {
            // A run that failed meanwhile has removed its own.
            let still: BTreeSet<_> = backend.list(LAYERS)?.into_iter().map(|(key, _)| key).collect();
            found.unlisted.retain(|one| still.contains(&one.key));
        }
        let staged = self.staged.iter().filter(|path| match unfinished::final_name(path) {
            Some(name) if name.starts_with(LAYERS) => {
                LayerKey::parse(name).is_ok_and(|object| !may_be_used(&object.series, &object.layer, &object.attempt))
            }
            // A small file is half written for a moment only; while somebody writes, it may be that moment.
            _ => !self.writers,
        });
        found.garbage.extend(staged.map(|path| Garbage { key: path.clone(), len_bytes: None }));
        for (key, (series, layer, mark)) in &marks {
            let unlisted = || found.unlisted.iter().any(|one| (&one.series, &one.layer) == (series, layer));
            let is_doubtful = doubtful.contains(manifest_key(series, layer).as_str());
            let is_pending = pending.iter().any(|(of, id, _)| (*of, *id) == (series, layer));
            let is_garbage = match mark {
                Mark::Pending(attempt) => pending.contains(&(series, layer, attempt)),
                Mark::Hold | Mark::Tag(_) if self.writers || is_doubtful || listing.find(series, layer).is_some() => {
                    continue;
                }
                Mark::Hold | Mark::Tag(_) => is_pending && !unlisted(),
            };
            if is_garbage {
                found.garbage.push(Garbage { key: (*key).clone(), len_bytes: Some(0) });
            } else if !matches!(mark, Mark::Pending(_)) && !unlisted() {
                found.stray_marks.push((*key).clone());
            }
        }
        Ok(found)
    }

    /// What is wrong with objects, by manifests that were read after this survey.
    pub(crate) fn problems(&self, backend: &Backend, listing: &Listing) -> Result<Vec<Problem>, Error> {
        let found: BTreeMap<_, _> = self.objects.iter().map(|(key, len)| (key.as_str(), *len)).collect();
        let mut problems = listing.problems.clone();
        for Stored { layer, .. } in listing.layers() {
            let key = layer.key.clone();
            // A layer that was added since is looked at by itself.
            let len = found.get(key.as_str()).copied().map_or_else(|| backend.len(&key), |len| Ok(Some(len)))?;
            match len.ok_or(Fault::Missing).and_then(|len| read::same_length(layer, len)) {
                Ok(()) => {}
                Err(fault) => problems.push(Problem { key, fault }),
            }
        }
        let foreign = self.objects.iter().filter(|(key, _)| LayerKey::parse(key).is_err());
        problems.extend(foreign.map(|(key, _)| Problem { key: key.clone(), fault: Fault::Foreign }));
        let folders = [LAYERS, MANIFESTS, MARKS, LOCKS];
        for (key, _) in backend.list("")? {
            let known = key == MARKER || folders.iter().any(|folder| key.split('/').next() == Some(*folder));
            if !known {
                problems.push(Problem { key, fault: Fault::Foreign });
            }
        }
        Ok(problems)
    }
}

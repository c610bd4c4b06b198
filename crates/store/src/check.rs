//! Looking for what is wrong with a store, and for what nobody needs.

use std::collections::{BTreeMap, BTreeSet};

use crate::backend::Backend;
use crate::chain::ChainError;
use crate::error::{Error, Fault, Problem};
use crate::layer::Stored;
use crate::lock::{self, LockKind};
use crate::names::{LAYERS, LOCKS, LayerKey, MANIFESTS, MARKER, MARKS, manifest_key};
use crate::options::Options;
use crate::{durable, listing::Listing, marks, read};

/// What a check of a store without reading its data found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// What was checked.
    pub listing: Listing,
    /// Objects that are not as they must be: missing, of another length, not understood, or none of the store's.
    pub problems: Vec<Problem>,
    /// Layers that cannot be restored, because one below them is missing.
    pub broken: Vec<ChainError>,
    /// What runs that died left.
    pub garbage: Vec<Garbage>,
}

impl Report {
    /// Whether every layer can be restored, as far as can be told without reading. Garbage does no harm.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty() && self.broken.is_empty()
    }
}

/// What a run that died left: an object without a manifest, a mark without a layer, or half a file.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Garbage {
    /// Its key, or its path in the folder.
    pub key: String,
    /// How long it is, in bytes, where that is known.
    pub len_bytes: Option<u64>,
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
        let mut staged = Vec::new();
        for folder in [LAYERS, MANIFESTS, MARKS, LOCKS].into_iter().filter(|_| backend.folder().is_some()) {
            let of_io = |source| Error::Local { doing: "look for unfinished files", source };
            staged
                .extend(backend.folder().map_or(Ok(Vec::new()), |root| durable::staged(root, folder)).map_err(of_io)?);
        }
        let marks = backend.list(MARKS)?;
        let (locks, unknown) = lock::list(backend, options)?;
        let writers = !unknown.is_empty() || locks.iter().any(|lock| !lock.dead && lock.kind == LockKind::Shared);
        let live = locks.into_iter().filter(|lock| !lock.dead).map(|lock| lock.id).collect();
        Ok(Self { objects, staged, marks, live, writers })
    }

    /// What nobody needs, by manifests that were read after this survey.
    pub(crate) fn garbage(&self, listing: &Listing) -> Vec<Garbage> {
        let layers = listing.layers();
        let named: BTreeSet<_> = layers.iter().map(|stored| stored.layer.key.as_str()).collect();
        // A manifest that was not understood may name any object of its layer.
        let doubtful: BTreeSet<_> = listing.problems.iter().map(|problem| problem.key.as_str()).collect();
        let ours = |key: &str| {
            LayerKey::parse(key).is_ok_and(|object| {
                let manifest = manifest_key(&object.series, &object.layer);
                !self.live.contains(&object.attempt.lock) && !doubtful.contains(manifest.as_str())
            })
        };
        let objects = self.objects.iter().filter(|(key, _)| !named.contains(key.as_str()) && ours(key));
        let objects = objects.map(|(key, len)| Garbage { key: key.clone(), len_bytes: Some(*len) });
        let staged = self.staged.iter().filter(|path| match durable::final_name(path) {
            Some(name) if name.starts_with(LAYERS) => ours(name),
            // A small file is half written for a moment only; while somebody writes, it may be that moment.
            _ => !self.writers,
        });
        let staged = staged.map(|path| Garbage { key: path.clone(), len_bytes: None });
        let lonely = self.marks.iter().filter(|(key, _)| {
            let is_lonely = |series: &_, layer: &_| {
                listing.find(series, layer).is_none() && !doubtful.contains(manifest_key(series, layer).as_str())
            };
            !self.writers && marks::parse(key).is_ok_and(|(series, layer, _)| is_lonely(&series, &layer))
        });
        let marks = lonely.map(|(key, len)| Garbage { key: key.clone(), len_bytes: Some(*len) });
        objects.chain(staged).chain(marks).collect()
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

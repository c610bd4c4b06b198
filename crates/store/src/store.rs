//! The store: what can be done with it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::SystemTime;

use extents::{Bytes, Extent};
use hyperlayer::LayerId;
use object_store::PutMode;
use serde::{Deserialize, Serialize};

use crate::backend::Backend;
use crate::check::{Garbage, Leftovers, Report, Survey, Unlisted};
use crate::error::{Error, ErrorKind};
use crate::fault::{Fault, Problem};
use crate::folder::Folder;
use crate::layer::{Draft, Encoding, Facts, Stored};
use crate::limits::FORMAT;
use crate::listing::Listing;
use crate::location::Location;
use crate::lock::{self, ExclusiveLock, Held, LockInfo, LockKind, SharedLock};
use crate::marks::Mark;
use crate::names::{LAYERS, LayerKey, MANIFESTS, MARKER, MARKS, Series, check_layer, escape, lock_key, manifest_key};
use crate::names::{manifests_of, marks_prefix, parse_manifest_key};
use crate::options::Options;
use crate::read::{self, LayerReader};
use crate::seal::Identities;
use crate::unfinished;
use crate::write::{self, LayerWriter};
use crate::{manifest, marks};

/// A folder or a bucket with layers in it.
#[derive(Debug)]
pub struct Store {
    pub(crate) backend: Arc<Backend>,
    options: Options,
    id: String,
}

/// What makes a place a store.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Marker {
    version: u32,
    id: String,
    #[serde(with = "crate::time")]
    created: SystemTime,
}

impl Store {
    /// Makes a store in an empty place; a folder is made too.
    ///
    /// # Errors
    /// There is one already, or something else; a folder lies in another store; or the place cannot be written to.
    pub fn init(location: &Location, options: &Options) -> Result<Self, Error> {
        if let Some(outer) = location.outer_store() {
            let (location, outer) = (location.to_string(), outer.display().to_string());
            return Err(Error::Within { location, outer });
        }
        let backend = Backend::new(location, options, true)?;
        let id = mark(&backend, location, options).inspect_err(|_| {
            backend.folder().into_iter().for_each(Folder::remove_made);
        })?;
        Ok(Self { backend: Arc::new(backend), options: options.clone(), id })
    }

    /// Opens a store that is there.
    ///
    /// # Errors
    /// There is none, it is of a newer format, or it cannot be reached.
    pub fn open(location: &Location, options: &Options) -> Result<Self, Error> {
        let backend = Backend::new(location, options, false)?;
        let marker = read_marker(&backend).or_else(|error| match error {
            // Not every service tells a missing object from a missing bucket; that one cannot be listed.
            Error::NotAStore { .. } if !backend.is_folder() => backend.any().and(Err(error)),
            error => Err(error),
        });
        let id = marker?.id;
        Ok(Self { backend: Arc::new(backend), options: options.clone(), id })
    }

    /// What tells this store from all others, wherever it is moved: 32 hex digits.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Where it is.
    #[must_use]
    pub fn location(&self) -> &Location {
        self.backend.location()
    }

    /// Locks the store for work that others may share: backup, restore, check.
    ///
    /// # Errors
    /// [`Error::Locked`] by somebody who shares with nobody; or the store cannot be reached.
    pub fn lock_shared(&self) -> Result<SharedLock, Error> {
        Held::take(&self.backend, &self.options, LockKind::Shared).map(SharedLock)
    }

    /// Locks the store for work that removes or replaces layers.
    ///
    /// # Errors
    /// [`Error::Locked`] by anybody; or the store cannot be reached.
    pub fn lock_exclusive(&self) -> Result<ExclusiveLock, Error> {
        Held::take(&self.backend, &self.options, LockKind::Exclusive).map(ExclusiveLock)
    }

    /// All locks, and what lies among them that is none.
    ///
    /// # Errors
    /// The store cannot be reached.
    pub fn locks(&self) -> Result<(Vec<LockInfo>, Vec<Problem>), Error> {
        lock::list(&self.backend, &self.options)
    }

    /// Removes a lock that another run left: one that was found dead only if it still is, any other whatever it is. A holder
    /// that lives notices, and adds nothing more.
    ///
    /// # Errors
    /// [`Error::Locked`]: the lock was found dead, and its holder came back. Or the store cannot be reached.
    pub fn remove_lock(&self, lock: &LockInfo) -> Result<(), Error> {
        if !lock.dead {
            return self.backend.delete(&lock_key(&lock.id));
        }
        match lock::remove_dead(&self.backend, &self.options, lock)? {
            Some(alive) => Err(Error::Locked(Box::new(alive))),
            None => Ok(()),
        }
    }

    /// Removes an object among the locks that could not be understood, as [`locks`](Self::locks) told it.
    ///
    /// # Errors
    /// It is not among the locks; or the store cannot be reached.
    pub fn remove_unknown_lock(&self, problem: &Problem) -> Result<(), Error> {
        if !problem.key.starts_with(crate::names::LOCKS) {
            return Err(Error::object(&problem.key, Fault::Foreign));
        }
        self.backend.delete(&problem.key)
    }

    /// The layers of one series, or of all. What cannot be understood is told among the problems and left out.
    ///
    /// # Errors
    /// The store cannot be reached, or holds more objects than are looked at.
    pub fn list(&self, series: Option<&Series>) -> Result<Listing, Error> {
        let folder = |root: &str| match series {
            Some(series) => format!("{root}/{}", escape(series.as_str())),
            None => root.to_owned(),
        };
        let mut problems = Vec::new();
        let mut keys = Vec::new();
        for (key, _) in self.backend.list(&folder(MANIFESTS))? {
            match parse_manifest_key(&key) {
                Ok(_) => keys.push(key),
                Err(fault) => problems.push(Problem { key, fault }),
            }
        }
        let marks = self.backend.list(&folder(MARKS))?.into_iter().map(|(key, _)| key);
        let (mut marks, of_marks) = marks::read(marks);
        problems.extend(of_marks);
        let mut layers = Vec::new();
        for (key, small) in self.backend.smalls(keys)? {
            match small.and_then(|text| manifest::parse(&key, &text)) {
                Ok(layer) => {
                    let marks = marks.remove(&(layer.series.clone(), layer.layer.clone())).unwrap_or_default();
                    layers.push(Stored { layer, held: marks.held, tags: marks.tags });
                }
                Err(fault) => problems.push(Problem { key, fault }),
            }
        }
        Ok(Listing::new(layers, problems))
    }

    /// Begins a layer. `at_most` is how long its stream may be, for the size of the parts of the upload; a longer one may
    /// fail where services limit their number.
    ///
    /// # Errors
    /// The store has the layer already, its id cannot be a name, the encoding is none, or the store cannot be reached.
    pub fn begin(
        &self,
        lock: &SharedLock,
        series: &Series,
        layer: &LayerId,
        encoding: &Encoding,
        at_most: Bytes,
    ) -> Result<LayerWriter, Error> {
        check_layer(layer)?;
        if self.backend.len(&manifest_key(series, layer))?.is_some() {
            return Err(Error::Exists { series: series.clone(), layer: layer.clone() });
        }
        LayerWriter::new(&self.backend, &lock.0, (series, layer), encoding, at_most, None)
    }

    /// Begins to write a layer anew, for instance merged with its parent. When it is finished, the new one is there
    /// instead of the old one, with the same marks; until then the old one is.
    ///
    /// # Errors
    /// As [`begin`](Self::begin); or the old one is not there.
    pub fn begin_replacing(
        &self,
        lock: &ExclusiveLock,
        old: &Stored,
        encoding: &Encoding,
        at_most: Bytes,
    ) -> Result<LayerWriter, Error> {
        let (series, layer) = (&old.layer.series, &old.layer.layer);
        self.must_have(series, layer)?;
        LayerWriter::new(&self.backend, &lock.0, (series, layer), encoding, at_most, Some(old.clone()))
    }

    /// Reads a layer's stream.
    ///
    /// # Errors
    /// Its object is missing or has another length, no identity opens it, or the store cannot be reached. What reading
    /// itself fails with, [`Error::from_io`] gets out.
    pub fn read(&self, stored: &Stored, identities: &Identities) -> Result<LayerReader, Error> {
        LayerReader::open(&self.backend, &stored.layer, identities)
    }

    /// Some bytes of a layer's object as they are, compressed and encrypted, and not checked.
    ///
    /// # Errors
    /// The object does not reach that far or is missing, or the store cannot be reached.
    pub fn read_range(&self, stored: &Stored, range: Extent<Bytes>) -> Result<Vec<u8>, Error> {
        let range = range.start().get()..range.end().get();
        self.backend.wait(self.backend.objects.range(&stored.layer.key, range))?
    }

    /// Holds the length of an object against the manifest: one request, and no data.
    ///
    /// # Errors
    /// It is missing or of another length, or the store cannot be reached.
    pub fn look(&self, stored: &Stored) -> Result<(), Error> {
        read::check_length(&self.backend, &stored.layer)
    }

    /// The same for all layers of a listing, which must have been read before: those whose objects are missing or of
    /// another length. One listing of the objects of each series, and no data.
    ///
    /// # Errors
    /// The store cannot be reached.
    pub fn look_at_all<'l>(&self, listing: &'l Listing) -> Result<Vec<(&'l Stored, Fault)>, Error> {
        let mut wrong = Vec::new();
        for series in listing.series() {
            let found = self.backend.list(&format!("{LAYERS}/{}", escape(series.as_str())))?;
            let found: BTreeMap<_, _> = found.into_iter().collect();
            wrong.extend(listing.of(series).into_iter().filter_map(|stored| {
                let len = found.get(&stored.layer.key).copied();
                let same = len.ok_or(Fault::Missing).and_then(|len| read::same_length(&stored.layer, len));
                Some((stored, same.err()?))
            }));
        }
        Ok(wrong)
    }

    /// Reads a whole object and holds its length and BLAKE3 against the manifest. Needs no secret.
    ///
    /// # Errors
    /// It is not what it must be, or the store cannot be reached.
    pub fn verify(&self, stored: &Stored) -> Result<(), Error> {
        self.verify_watched(stored, |_| ControlFlow::Continue(()))
    }

    /// The same, with `watch` told of every block in bytes; where it breaks off, that is [`Error::Stopped`].
    ///
    /// # Errors
    /// As there, or it was stopped.
    pub fn verify_watched(
        &self,
        stored: &Stored,
        mut watch: impl FnMut(Bytes) -> ControlFlow<()> + Send,
    ) -> Result<(), Error> {
        read::check_data(&self.backend, &stored.layer, &mut watch)
    }

    /// Removes a layer: its manifest, its object, its marks. `listing` must have been read under `lock`; the layer is
    /// taken out of it.
    ///
    /// # Errors
    /// It is not there, held, or the parent of another; nothing was removed then. Or the store cannot be reached:
    /// what is left then is garbage, if the layer is not still there.
    pub fn remove(
        &self,
        lock: &ExclusiveLock,
        listing: &mut Listing,
        series: &Series,
        layer: &LayerId,
    ) -> Result<(), Error> {
        let held = || Error::Held { series: series.clone(), layer: layer.clone() };
        let no_layer = || Error::NoLayer { series: series.clone(), layer: layer.clone() };
        let stored = listing.find(series, layer).ok_or_else(no_layer)?.clone();
        if let Some(child) = listing.children(series, layer).first() {
            let (series, layer, child) = (series.clone(), layer.clone(), child.layer.layer.clone());
            return Err(Error::Needed { series, layer, child });
        }
        if stored.held {
            return Err(held());
        }
        let object = LayerKey::parse(&stored.layer.key).map_err(|fault| Error::object(&stored.layer.key, fault))?;
        let pending = marks::pending_key(series, layer, &object.attempt);
        self.backend.put(&pending, Vec::new(), PutMode::Overwrite)?;
        loop {
            lock.refresh()?;
            // Last: a hold that was reported as done is seen here, or the lock is lost.
            if self.backend.len(&marks::hold_key(series, layer))?.is_some() {
                self.backend.delete(&pending)?;
                return Err(held());
            }
            if lock.0.is_fresh() {
                break;
            }
        }
        self.backend.delete(&manifest_key(series, layer))?;
        listing.forget(series, layer);
        self.backend.delete(&stored.layer.key)?;
        let all = self.backend.list(&marks_prefix(series, layer))?;
        lock.0.keep_fresh()?;
        // What else lies there is not ours; the mark of the removal goes last.
        let marks = all.iter().filter(|(key, _)| marks::parse(key).is_ok() && *key != pending);
        marks.map(|(key, _)| key).chain([&pending]).try_for_each(|key| self.backend.delete(key))
    }

    /// What runs that died left, as far as it can be listed (unfinished multipart uploads cannot, the service's own rules
    /// must end them), and objects without a manifest.
    ///
    /// # Errors
    /// The store cannot be reached.
    pub fn leftovers(&self) -> Result<Leftovers, Error> {
        let survey = Survey::new(&self.backend, &self.options)?;
        survey.leftovers(&self.backend, &self.list(None)?)
    }

    /// What of the [`leftovers`](Self::leftovers) is known to be needed by nothing.
    ///
    /// # Errors
    /// The store cannot be reached.
    pub fn garbage(&self) -> Result<Vec<Garbage>, Error> {
        Ok(self.leftovers()?.garbage)
    }

    /// Removes what [`garbage`](Self::garbage) finds, and tells what it was.
    ///
    /// # Errors
    /// The lock was lost, or the store cannot be reached.
    pub fn remove_garbage(&self, lock: &ExclusiveLock) -> Result<Vec<Garbage>, Error> {
        let garbage = self.garbage()?;
        self.remove_all(lock, &garbage)?;
        Ok(garbage)
    }

    /// Removes garbage, and objects and marks without a manifest: layers that could be restored with
    /// [`list_again`](Self::list_again) too.
    ///
    /// # Errors
    /// As [`remove_garbage`](Self::remove_garbage).
    pub fn remove_leftovers(&self, lock: &ExclusiveLock) -> Result<Vec<Garbage>, Error> {
        let all = self.leftovers()?.all();
        self.remove_all(lock, &all)?;
        Ok(all)
    }

    fn remove_all(&self, lock: &ExclusiveLock, garbage: &[Garbage]) -> Result<(), Error> {
        // A manifest that names another object makes one garbage, and must last longer than it.
        let series: BTreeSet<_> =
            garbage.iter().filter_map(|one| Some(LayerKey::parse(&one.key).ok()?.series)).collect();
        series.iter().try_for_each(|series| self.backend.settle(&manifests_of(series)))?;
        lock.refresh()?;
        // Marks of an object go after it; the one that says that all of this is garbage goes last.
        let mut ordered: Vec<_> = garbage.iter().collect();
        ordered.sort_by_key(|one| {
            let is_pending = matches!(marks::parse(&one.key), Ok((.., Mark::Pending(_))));
            (one.key.starts_with(MARKS), is_pending)
        });
        for Garbage { key, .. } in ordered {
            lock.0.keep_fresh()?;
            match self.backend.folder().filter(|_| unfinished::final_name(key).is_some()) {
                // Half a file has a name that `object_store` does not take.
                Some(folder) => {
                    let of_io = |source| Error::Local { doing: "remove an unfinished file", source };
                    folder.remove(key).map_err(of_io)?;
                }
                None => self.backend.delete(key)?,
            }
        }
        Ok(())
    }

    /// Reads the stream of an object without a manifest. At its end, [`LayerReader::facts`] says what it was.
    ///
    /// # Errors
    /// No identity opens it, it cannot be decoded, or the store cannot be reached.
    pub fn read_unlisted(&self, unlisted: &Unlisted, identities: &Identities) -> Result<LayerReader, Error> {
        LayerReader::unlisted(&self.backend, unlisted, identities)
    }

    /// Writes the manifest of an object without one, after its stream was read to the end.
    ///
    /// # Errors
    /// There is a manifest by now, the object has changed, the draft cannot be written down, the lock was lost, or the
    /// store cannot be reached.
    pub fn list_again(
        &self,
        lock: &SharedLock,
        unlisted: &Unlisted,
        stream: Facts,
        draft: Draft,
    ) -> Result<Stored, Error> {
        write::list_again(&self.backend, &lock.0, unlisted, stream, draft)
    }

    /// Looks at all that can be told without reading data: every manifest, the length of every object, every chain, and
    /// what should not be there. Under a shared lock, or what somebody removes meanwhile is missing.
    ///
    /// # Errors
    /// The store cannot be reached.
    pub fn check(&self) -> Result<Report, Error> {
        let survey = Survey::new(&self.backend, &self.options)?;
        let listing = self.list(None)?;
        let problems = survey.problems(&self.backend, &listing)?;
        let leftovers = survey.leftovers(&self.backend, &listing)?;
        Ok(Report { problems, broken: listing.broken(), leftovers, listing })
    }

    pub(crate) fn must_have(&self, series: &Series, layer: &LayerId) -> Result<(), Error> {
        match self.backend.len(&manifest_key(series, layer))? {
            Some(_) => Ok(()),
            None => Err(Error::NoLayer { series: series.clone(), layer: layer.clone() }),
        }
    }
}

/// The marker of the store that is there.
fn read_marker(backend: &Backend) -> Result<Marker, Error> {
    let location = || backend.location().to_string();
    let text = backend.small(MARKER)?.ok_or_else(|| Error::NotAStore { location: location() })?;
    let marker: Marker = text.and_then(|text| manifest::json(&text)).map_err(|fault| match fault {
        Fault::Version { found } => {
            Error::Newer { location: location(), found: u32::try_from(found).unwrap_or(u32::MAX) }
        }
        fault => Error::object(MARKER, fault),
    })?;
    if marker.id.len() != 32 || !marker.id.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(Error::object(MARKER, Fault::Malformed("`id` is not 32 hex digits".into())));
    }
    Ok(marker)
}

/// Writes the marker where nothing is yet, and gives the id of the store.
fn mark(backend: &Backend, location: &Location, options: &Options) -> Result<String, Error> {
    let created = (options.clock)();
    let already = || Error::AlreadyAStore { location: location.to_string() };
    match read_marker(backend) {
        Err(Error::NotAStore { .. }) => {}
        marker => return Err(marker.map_or_else(|error| error, |_| already())),
    }
    if let Some(found) = backend.any()? {
        return Err(Error::NotEmpty { location: location.to_string(), found });
    }
    // Two stores of one id would have to be made in the same place in the same nanosecond.
    let id = blake3::hash(format!("{location} {created:?} {:?}", options.holder).as_bytes()).to_hex()[..32].to_owned();
    let marker = Marker { version: FORMAT, id: id.clone(), created };
    let unwritable = |e: serde_json::Error| Error::Draft { what: "marker", found: e.to_string() };
    let text = serde_json::to_vec_pretty(&marker).map_err(unwritable)?;
    match backend.put(MARKER, text.clone(), PutMode::Create) {
        Err(error) if error.kind() == ErrorKind::Exists => return Err(already()),
        made => made?,
    }
    probe(backend, text).inspect_err(|_| {
        let left = |error| tracing::warn!("`{MARKER}` is left in {location}, remove it: {error}");
        backend.delete(MARKER).unwrap_or_else(left);
    })?;
    Ok(id)
}

/// Finds out whether the marker, which is there now, can be made again. All locks rest on that it cannot.
fn probe(backend: &Backend, text: Vec<u8>) -> Result<(), Error> {
    match backend.put_once(MARKER, text, PutMode::Create) {
        Ok(()) => Err(Error::Unconditional { location: backend.location().to_string() }),
        Err(error) if error.kind() == ErrorKind::Exists => Ok(()),
        Err(error) => Err(error),
    }
}

//! Writing a layer: compress, encrypt, hash, upload, look at it again, and only then say that it is there.

use std::fmt;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

use extents::Bytes;
use hyperlayer::LayerId;
use object_store::PutMode;

use crate::backend::Backend;
use crate::check::Unlisted;
use crate::error::{Error, ErrorKind};
use crate::fault::Fault;
use crate::layer::{Draft, Encoding, Facts, Layer, Stored, Wrapping};
use crate::lock::Held;
use crate::names::{Attempt, Series, layer_key, manifest_key, manifests_of};
use crate::read::{self, Watch};
use crate::seal::{Sealed, seal};
use crate::upload::Upload;
use crate::{manifest, marks, time};

/// How much of an object is read again before its manifest is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReadBack {
    /// Its length.
    Length,
    /// All of it.
    Data,
}

/// What is told of each piece on its way to the store.
type Pace = Box<dyn FnMut(Bytes) + Send>;

/// A layer on its way into a store. Dropped unfinished, it removes what it uploaded.
pub struct LayerWriter {
    packed: Packed,
    stream: Facted,
    target: Target,
    pace: Shared<Pace>,
    watch: Box<Watch<'static>>,
}

/// Encryption does not let through to what lies below it.
type Shared<T> = Arc<Mutex<Option<T>>>;

/// What is written, and under which lock.
struct Target {
    held: Arc<Held>,
    series: Series,
    layer: LayerId,
    key: String,
    wrapping: Wrapping,
    replaces: Option<Stored>,
}

impl LayerWriter {
    pub(crate) fn new(
        backend: &Arc<Backend>,
        held: &Arc<Held>,
        (series, layer): (&Series, &LayerId),
        encoding: &Encoding,
        at_most: Bytes,
        replaces: Option<Stored>,
    ) -> Result<Self, Error> {
        let attempt = Attempt { lock: held.pulse.id.clone(), number: held.next_attempt() };
        let wrapping = encoding.wrapping();
        let key = layer_key(series, layer, &attempt, wrapping);
        let pace = Shared::default();
        // What replaces another object needs no mark: the manifest names the other one.
        let pending = replaces.is_none().then(|| marks::pending_key(series, layer, &attempt));
        if let Some(pending) = &pending {
            backend.put(pending, Vec::new(), PutMode::Overwrite)?;
        }
        let object = Object::new(backend, key.clone(), pending, at_most, Arc::clone(&pace))?;
        let unwrapped = |source| Error::Local { doing: "begin to encode a layer", source };
        let sealed = seal(object, &encoding.recipients).map_err(unwrapped)?;
        let packed = Packed::new(sealed, encoding.zstd_level).map_err(unwrapped)?;
        let target =
            Target { held: held.clone(), series: series.clone(), layer: layer.clone(), key, wrapping, replaces };
        Ok(Self { packed, stream: Facted::default(), target, pace, watch: Box::new(|_| ControlFlow::Continue(())) })
    }

    /// Has `pace` told of every piece, as long as it is after compression, before it goes to the store: for progress,
    /// and to wait in it where the store is to be written to slowly.
    pub fn pace(&self, pace: impl FnMut(Bytes) + Send + 'static) {
        *self.pace.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(pace));
    }

    /// Has `watch` told of every block, in bytes of the object, that [`finish`](Self::finish) reads back; where it breaks
    /// off, that fails with [`Error::Stopped`].
    pub fn watch(&mut self, watch: impl FnMut(Bytes) -> ControlFlow<()> + Send + 'static) {
        self.watch = Box::new(watch);
    }

    /// Completes the layer: all of it is in the store, durably, when this returns.
    ///
    /// # Errors
    /// The store failed, or does not hold what was written; the layer is there already (somebody else was quicker); the
    /// lock was lost; the draft cannot be written down. Nothing was added then, unless the answer to the very last
    /// request, which adds the manifest, was lost on its way: the same layer written again then is there already.
    pub fn finish(self, draft: Draft, read_back: ReadBack) -> Result<Stored, Error> {
        let Self { packed, stream, target, pace: _, mut watch } = self;
        let created = time::whole(draft.created)
            .ok_or_else(|| Error::Draft { what: "time", found: format!("{:?}", draft.created) })?;
        let of_io = |error: io::Error| {
            Error::from_io(error).unwrap_or_else(|source| Error::Local { doing: "finish a layer", source })
        };
        let object = packed.finish().and_then(Sealed::finish).map_err(of_io)?;
        // Whoever took our lock for dead may have removed what was uploaded.
        target.held.refresh()?;
        let (backend, pending) = (object.backend.clone(), object.pending.clone());
        let layer = Layer {
            series: target.series,
            layer: target.layer,
            parent: draft.parent,
            created,
            volume_size: draft.volume_size,
            chunk_size: draft.chunk_size,
            totals: draft.totals,
            stream: stream.facts(),
            object: object.complete()?,
            key: target.key,
            wrapping: target.wrapping,
            tool: draft.tool,
            host: draft.host,
            machine: draft.machine,
        };
        let stored = Stored { held: false, tags: draft.tags, layer };
        // Ours alone: no other run gives this key, and no manifest names it.
        // Where tags may be written, the mark stays, so that `remove_garbage` finds them.
        let mark = pending.as_deref().filter(|_| stored.tags.is_empty());
        let remove = || discard(&backend, &stored.layer.key, mark);
        let text = prepare(&backend, &target.held, &stored, read_back, &mut *watch).inspect_err(|_| remove())?;
        commit(&backend, &stored.layer, &text, target.replaces.is_some()).inspect_err(|error| {
            // After any other failure the manifest may be there, or be on its way.
            if matches!(error, Error::Exists { .. }) {
                remove();
            }
        })?;
        if let Some(pending) = &pending {
            // Left where that fails: `remove_garbage` finds it.
            let _ = backend.delete(pending);
        }
        let Some(old) = target.replaces else { return Ok(stored) };
        // Left where that fails: no manifest names it, and `remove_garbage` finds it.
        let _ = backend.delete(&old.layer.key);
        Ok(Stored { held: old.held, tags: &stored.tags | &old.tags, ..stored })
    }
}

/// Looks at the object again, and writes all but the manifest, which it gives.
fn prepare(
    backend: &Arc<Backend>,
    held: &Held,
    stored: &Stored,
    read_back: ReadBack,
    watch: &mut Watch<'_>,
) -> Result<Vec<u8>, Error> {
    let layer = &stored.layer;
    let text = manifest::print(layer)?;
    match read_back {
        ReadBack::Length => read::check_length(backend, layer)?,
        ReadBack::Data => read::check_data(backend, layer, watch)?,
    }
    // Before the manifest, so that no layer is ever seen without its tags.
    for tag in &stored.tags {
        backend.put(&marks::tag_key(&layer.series, &layer.layer, tag), Vec::new(), PutMode::Overwrite)?;
    }
    // Again, since reading may have taken long.
    held.refresh()?;
    Ok(text)
}

/// Writes the manifest of an object that has none.
pub(crate) fn list_again(
    backend: &Arc<Backend>,
    held: &Held,
    unlisted: &Unlisted,
    stream: Facts,
    draft: Draft,
) -> Result<Stored, Error> {
    let created = time::whole(draft.created)
        .ok_or_else(|| Error::Draft { what: "time", found: format!("{:?}", draft.created) })?;
    let layer = Layer {
        series: unlisted.series.clone(),
        layer: unlisted.layer.clone(),
        parent: draft.parent,
        created,
        volume_size: draft.volume_size,
        chunk_size: draft.chunk_size,
        totals: draft.totals,
        stream,
        object: read::object_facts(backend, unlisted)?,
        key: unlisted.key.clone(),
        wrapping: unlisted.wrapping,
        tool: draft.tool,
        host: draft.host,
        machine: draft.machine,
    };
    let text = manifest::print(&layer)?;
    held.refresh()?;
    commit(backend, &layer, &text, false)?;
    Ok(Stored { layer, held: false, tags: draft.tags })
}

/// Writes the manifest: from now on the layer exists.
fn commit(backend: &Backend, layer: &Layer, text: &[u8], replace: bool) -> Result<(), Error> {
    let key = manifest_key(&layer.series, &layer.layer);
    let mode = if replace { PutMode::Overwrite } else { PutMode::Create };
    let Err(error) = backend.put(&key, text.to_vec(), mode) else { return Ok(()) };
    // The error of a disk is final: what it shows need not be durable.
    if backend.folder().is_some() && error.kind() != ErrorKind::Exists {
        return Err(error);
    }
    // A request whose answer was lost, and one that was then sent again, find what they wrote themselves.
    match backend.small(&key) {
        Ok(Some(Ok(found))) if found == text => backend.settle(&manifests_of(&layer.series)),
        Ok(Some(_)) if error.kind() == ErrorKind::Exists => {
            Err(Error::Exists { series: layer.series.clone(), layer: layer.layer.clone() })
        }
        _ => Err(error),
    }
}

/// Removes an object that no manifest names, and its mark once it is gone.
fn discard(backend: &Backend, key: &str, pending: Option<&str>) {
    if backend.delete(key).is_ok()
        && let Some(pending) = pending
    {
        let _ = backend.delete(pending);
    }
}

impl Write for LayerWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.packed.write(bytes)?;
        self.stream.add(&bytes[..written]);
        Ok(written)
    }

    /// Does nothing: only [`finish`](Self::finish) makes anything durable.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for LayerWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LayerWriter").field("key", &self.target.key).finish_non_exhaustive()
    }
}

/// A running length and digest.
#[derive(Default)]
pub(crate) struct Facted {
    len: Bytes,
    blake3: blake3::Hasher,
}

impl Facted {
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.len = self.len.saturating_add(Bytes::from(bytes.len()));
        self.blake3.update(bytes);
    }

    pub(crate) fn len(&self) -> Bytes {
        self.len
    }

    pub(crate) fn facts(&self) -> Facts {
        Facts { len: self.len, blake3: self.blake3.finalize() }
    }
}

/// The first stage: plain or compressed.
enum Packed {
    Plain(Sealed<Object>),
    Zstd(zstd::Encoder<'static, Sealed<Object>>),
}

impl Packed {
    fn new(sink: Sealed<Object>, zstd_level: Option<i32>) -> io::Result<Self> {
        let Some(level) = zstd_level else { return Ok(Self::Plain(sink)) };
        let mut encoder = zstd::Encoder::new(sink, level)?;
        let workers = std::thread::available_parallelism().map_or(1, usize::from);
        encoder.multithread(u32::try_from(workers).unwrap_or(1))?;
        encoder.include_checksum(true)?;
        Ok(Self::Zstd(encoder))
    }

    fn finish(self) -> io::Result<Sealed<Object>> {
        match self {
            Self::Plain(sink) => Ok(sink),
            Self::Zstd(encoder) => encoder.finish(),
        }
    }
}

impl Write for Packed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(sink) => sink.write(bytes),
            Self::Zstd(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The last stage: hashes and uploads what arrives.
struct Object {
    backend: Arc<Backend>,
    key: String,
    /// The mark that says so while no manifest names it.
    pending: Option<String>,
    /// `None` once it was completed or failed.
    upload: Option<Upload>,
    facts: Facted,
    pace: Shared<Pace>,
}

impl Object {
    fn new(
        backend: &Arc<Backend>,
        key: String,
        pending: Option<String>,
        at_most: Bytes,
        pace: Shared<Pace>,
    ) -> Result<Self, Error> {
        let begun = backend.upload(&key, at_most).inspect_err(|_| discard(backend, &key, pending.as_deref()))?;
        let upload = Some(Upload::new(begun, at_most));
        Ok(Self { backend: backend.clone(), key, pending, upload, facts: Facted::default(), pace })
    }

    fn complete(mut self) -> Result<Facts, Error> {
        let upload = self.upload.take().ok_or_else(|| Error::object(&self.key, Fault::Missing))?;
        let doing = format!("write `{}`", self.key);
        let (objects, len) = (&self.backend.objects, self.facts.len());
        let completed = async {
            let completed = upload.complete(async || objects.has(&self.key, len).await).await;
            completed.map_err(|error| self.backend.failed(&doing, &error))
        };
        self.backend.wait_for_change(&doing, completed).inspect_err(|error| {
            // A completion that is still on its way must find its mark, or nothing says that its object is garbage.
            let mark = self.pending.as_deref().filter(|_| !error.may_be_done());
            discard(&self.backend, &self.key, mark);
        })?;
        Ok(self.facts.facts())
    }

    fn abort(&mut self) {
        if let Some(upload) = self.upload.take() {
            self.backend.abort(upload);
            discard(&self.backend, &self.key, self.pending.as_deref());
        }
    }
}

impl Write for Object {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(upload) = &mut self.upload else { return Err(io::Error::other("the upload failed before")) };
        let bytes = &bytes[..bytes.len().min(upload.room())];
        if let Some(pace) = self.pace.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            pace(Bytes::from(bytes.len()));
        }
        let pushed = self.backend.wait(upload.push(bytes));
        let failed = |error| self.backend.failed(&format!("write `{}`", self.key), &error);
        if let Err(error) = pushed.and_then(|pushed| pushed.map_err(failed)) {
            self.abort();
            return Err(error.into_io());
        }
        self.facts.add(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Object {
    fn drop(&mut self) {
        self.abort();
    }
}

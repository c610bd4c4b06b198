//! Reading a layer: a few ranges ahead, in bounded memory, and nothing believed that was not checked.

use std::fmt;
use std::io::{self, Read};
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use extents::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt};

use crate::backend::{Backend, Objects};
use crate::check::Unlisted;
use crate::error::Error;
use crate::fault::Fault;
use crate::layer::{Facts, Layer, Wrapping};
use crate::limits::{READ_BYTES, READS_AT_ONCE};
use crate::seal::{self, Identities, OpenError};
use crate::write::Facted;

/// A layer's stream as it was written. The end is only reported when length and BLAKE3 of the object and of the stream
/// are what the manifest says; before that, what was read may be anything.
pub struct LayerReader {
    inner: Box<dyn Read + Send>,
    key: String,
    /// `None`: there is no manifest to say.
    expected: Option<Facts>,
    found: Facted,
    failed: bool,
}

impl LayerReader {
    pub(crate) fn open(backend: &Arc<Backend>, layer: &Layer, identities: &Identities) -> Result<Self, Error> {
        check_length(backend, layer)?;
        let object = ObjectReader::new(backend, &layer.key, layer.object);
        Self::decode(object, layer.wrapping, Some(layer.stream), identities)
    }

    /// The stream of an object without a manifest: as it is read, so it is.
    pub(crate) fn unlisted(
        backend: &Arc<Backend>,
        unlisted: &Unlisted,
        identities: &Identities,
    ) -> Result<Self, Error> {
        let object = ObjectReader::new(backend, &unlisted.key, object_facts(backend, unlisted)?);
        Self::decode(object, unlisted.wrapping, None, identities)
    }

    fn decode(
        object: ObjectReader,
        wrapping: Wrapping,
        expected: Option<Facts>,
        identities: &Identities,
    ) -> Result<Self, Error> {
        let key = object.key.clone();
        let opened: Box<dyn Read + Send> = if wrapping.age {
            seal::open(object, identities).map_err(|error| match error {
                #[cfg(feature = "age")]
                OpenError::NoIdentity => Error::NoIdentity { key: key.clone(), identities: identities.len() },
                OpenError::Io(error) => of_io(&key, error),
            })?
        } else {
            Box::new(object)
        };
        let inner: Box<dyn Read + Send> = if wrapping.zstd {
            Box::new(zstd::Decoder::new(opened).map_err(|error| of_io(&key, error))?)
        } else {
            opened
        };
        Ok(Self { inner, key, expected, found: Facted::default(), failed: false })
    }

    /// What was read so far: at the end, the stream's length and BLAKE3.
    #[must_use]
    pub fn facts(&self) -> Facts {
        self.found.facts()
    }

    fn next(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        let read = loop {
            match self.inner.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read.map_err(|error| of_io(&self.key, error))?,
            }
        };
        self.found.add(&buffer[..read]);
        let Some(expected) = self.expected else { return Ok(read) };
        let at_end = read == 0 && !buffer.is_empty();
        if self.found.len() > expected.len || (at_end && self.found.len() < expected.len) {
            let (expected, found) = (expected.len, self.found.len());
            let what = Fault::Encoding(format!("the stream in it has {found} bytes or more, expected {expected}"));
            return Err(Error::object(&self.key, what));
        }
        if at_end {
            check_digest(&self.key, "stream", expected, self.found.facts())?;
        }
        Ok(read)
    }
}

impl Read for LayerReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.failed {
            return Err(io::Error::other("reading the layer failed before"));
        }
        self.next(buffer).map_err(|error| {
            self.failed = true;
            error.into_io()
        })
    }
}

impl fmt::Debug for LayerReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LayerReader").field("key", &self.key).field("at", &self.found.len()).finish_non_exhaustive()
    }
}

/// What a decoder failed with: an error of ours from below it, or damage.
fn of_io(key: &str, error: io::Error) -> Error {
    Error::from_io(error).unwrap_or_else(|error| Error::object(key, Fault::Encoding(error.to_string())))
}

/// The object's bytes, the last of them only when all were right.
struct ObjectReader {
    backend: Arc<Backend>,
    key: String,
    expected: Facts,
    found: Facted,
    ahead: BoxStream<'static, Result<Vec<u8>, Error>>,
    block: Vec<u8>,
    /// How much of `block` was handed out.
    used: usize,
}

impl ObjectReader {
    fn new(backend: &Arc<Backend>, key: &str, expected: Facts) -> Self {
        let ahead = ahead(backend, key, expected.len);
        Self {
            backend: backend.clone(),
            key: key.to_owned(),
            expected,
            found: Facted::default(),
            ahead,
            block: Vec::new(),
            used: 0,
        }
    }

    /// The next block; `None` at the end.
    fn next_block(&mut self) -> Result<Option<Vec<u8>>, Error> {
        let Some(block) = self.backend.wait(self.ahead.next())?.transpose()? else {
            // Only an empty object was not checked with its last block.
            check_digest(&self.key, "object", self.expected, self.found.facts())?;
            return Ok(None);
        };
        self.found.add(&block);
        if self.found.len() == self.expected.len {
            check_digest(&self.key, "object", self.expected, self.found.facts())?;
        }
        Ok(Some(block))
    }
}

impl Read for ObjectReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.used == self.block.len() {
            self.block = self.next_block().map_err(Error::into_io)?.unwrap_or_default();
            self.used = 0;
        }
        let rest = &self.block[self.used..];
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.used += count;
        Ok(count)
    }
}

/// The blocks of an object in order, the next ones already on their way.
fn ahead(backend: &Arc<Backend>, key: &str, len: Bytes) -> BoxStream<'static, Result<Vec<u8>, Error>> {
    let (runtime, objects, key) = (backend.threads().clone(), backend.objects.clone(), key.to_owned());
    let fetch = move |range: Range<u64>| {
        // A task of its own: it goes on while nobody asks.
        let fetched = runtime.spawn(fetch(objects.clone(), key.clone(), range));
        async move {
            fetched
                .await
                .unwrap_or_else(|error| Err(Error::Local { doing: "read ahead", source: io::Error::other(error) }))
        }
    };
    stream::iter(ranges(len.get())).map(fetch).buffered(READS_AT_ONCE).boxed()
}

async fn fetch(objects: Objects, key: String, range: Range<u64>) -> Result<Vec<u8>, Error> {
    objects.range(&key, range).await
}

fn ranges(len: u64) -> impl Iterator<Item = Range<u64>> + Send {
    let count = len.div_ceil(READ_BYTES);
    (0..count).map(move |n| n * READ_BYTES..((n + 1) * READ_BYTES).min(len))
}

/// Holds the object's length against the manifest.
pub(crate) fn check_length(backend: &Backend, layer: &Layer) -> Result<(), Error> {
    let found = backend.len(&layer.key)?.ok_or_else(|| Error::object(&layer.key, Fault::Missing))?;
    same_length(layer, found).map_err(|fault| Error::object(&layer.key, fault))
}

pub(crate) fn same_length(layer: &Layer, found_bytes: u64) -> Result<(), Fault> {
    let (expected, found) = (layer.object.len, Bytes::new(found_bytes));
    if found == expected { Ok(()) } else { Err(Fault::Length { expected, found }) }
}

/// What is told of each block that is read, and may have it end there.
pub(crate) type Watch<'w> = dyn FnMut(Bytes) -> ControlFlow<()> + Send + 'w;

/// Reads the whole object and holds it against the manifest; needs no secret.
pub(crate) fn check_data(backend: &Arc<Backend>, layer: &Layer, watch: &mut Watch<'_>) -> Result<(), Error> {
    check_length(backend, layer)?;
    let mut object = ObjectReader::new(backend, &layer.key, layer.object);
    while let Some(block) = object.next_block()? {
        if watch(Bytes::from(block.len())).is_break() {
            return Err(Error::Stopped);
        }
    }
    Ok(())
}

/// The length and BLAKE3 of an object without a manifest, which is read for that.
pub(crate) fn object_facts(backend: &Arc<Backend>, unlisted: &Unlisted) -> Result<Facts, Error> {
    let mut blocks = ahead(backend, &unlisted.key, unlisted.len);
    let mut found = Facted::default();
    while let Some(block) = backend.wait(blocks.next())?.transpose()? {
        found.add(&block);
    }
    Ok(found.facts())
}

fn check_digest(key: &str, what: &'static str, expected: Facts, found: Facts) -> Result<(), Error> {
    if expected.blake3 == found.blake3 {
        return Ok(());
    }
    Err(Error::object(key, Fault::Digest { what, expected: expected.blake3, found: found.blake3 }))
}

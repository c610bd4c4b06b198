//! Names and keys: what a series, a layer or a tag is called in a store, and back.

use std::fmt;

use hyperlayer::LayerId;

use crate::error::Error;
use crate::fault::Fault;
use crate::layer::Wrapping;
use crate::limits::MAX_NAME_BYTES;
use crate::lock::LockId;

/// The marker that makes a place a store.
pub(crate) const MARKER: &str = "hyperlayer-store.json";
pub(crate) const LAYERS: &str = "layers";
pub(crate) const MANIFESTS: &str = "manifests";
pub(crate) const MARKS: &str = "marks";
pub(crate) const LOCKS: &str = "locks";

/// The layers of one volume over time, such as `vg/home`: any printable text whose escaped form is no longer than
/// [`MAX_NAME_BYTES`].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Series(String);

/// A word that somebody gave a layer. As [`Series`].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Tag(String);

macro_rules! name {
    ($name:ident, $what:literal) => {
        impl $name {
            /// Takes a text.
            ///
            /// # Errors
            /// It is empty, too long, or holds a control character.
            pub fn new(text: impl Into<String>) -> Result<Self, Error> {
                let text = text.into();
                match wrong(&text) {
                    Some(why) => Err(Error::Name { text: printable(&text), what: $what, why }),
                    None => Ok(Self(text)),
                }
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(Series, "a series");
name!(Tag, "a tag");

/// Whether a layer's id can be a name in a store.
pub(crate) fn check_layer(layer: &LayerId) -> Result<(), Error> {
    match wrong(layer.as_str()) {
        Some(why) => Err(Error::Name { text: layer.to_string(), what: "a layer", why }),
        None => Ok(()),
    }
}

fn wrong(text: &str) -> Option<String> {
    let len = escape(text).len();
    if text.is_empty() {
        Some("it is empty".into())
    } else if text.chars().any(char::is_control) {
        Some("it holds a control character".into())
    } else if len > MAX_NAME_BYTES {
        Some(format!("as a file name it has {len} bytes, at most {MAX_NAME_BYTES} are allowed"))
    } else {
        None
    }
}

fn printable(text: &str) -> String {
    text.escape_debug().take(MAX_NAME_BYTES).collect()
}

/// A text as one part of a key: letters, digits, `_`, `-` and `.` stay, but no `.` leads; every other byte becomes `=XX`.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (n, byte) in text.bytes().enumerate() {
        let stays = byte.is_ascii_alphanumeric() || b"_-".contains(&byte) || (byte == b'.' && n > 0);
        if stays { out.push(char::from(byte)) } else { out.push_str(&format!("={byte:02X}")) }
    }
    out
}

/// The text that [`escape`] turned into `part`; nothing else.
pub(crate) fn unescape(part: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.as_bytes();
    while let [first, others @ ..] = rest {
        rest = others;
        if *first == b'=' {
            let (digits, others) = others.split_at_checked(2)?;
            bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
            rest = others;
        } else {
            bytes.push(*first);
        }
    }
    let text = String::from_utf8(bytes).ok()?;
    (escape(&text) == part).then_some(text)
}

pub(crate) fn manifest_key(series: &Series, layer: &LayerId) -> String {
    format!("{MANIFESTS}/{}/{}.json", escape(series.as_str()), escape(layer.as_str()))
}

/// The directory of a series' manifests.
pub(crate) fn manifests_of(series: &Series) -> String {
    format!("{MANIFESTS}/{}", escape(series.as_str()))
}

pub(crate) fn marks_prefix(series: &Series, layer: &LayerId) -> String {
    format!("{MARKS}/{}/{}", escape(series.as_str()), escape(layer.as_str()))
}

pub(crate) fn lock_key(id: &LockId) -> String {
    format!("{LOCKS}/{id}.json")
}

/// Whether a key is that of a folder of a store, in which only longer keys are.
pub(crate) fn is_folder(key: &str) -> bool {
    let parts = key.split('/').count();
    match key.split('/').next() {
        Some("") => true,
        Some(LOCKS) => parts < 2,
        Some(LAYERS | MANIFESTS) => parts < 3,
        Some(MARKS) => parts < 4,
        _ => false,
    }
}

/// What a key among the locks is called for people: the id of a lock, or whatever else lies there.
pub(crate) fn lock_name(key: &str) -> &str {
    let name = key.strip_prefix(LOCKS).and_then(|name| name.strip_prefix('/')).unwrap_or(key);
    name.strip_suffix(".json").unwrap_or(name)
}

/// The key of a layer's object: unlike any that another run, or another try, gives.
pub(crate) fn layer_key(series: &Series, layer: &LayerId, attempt: &Attempt, wrapping: Wrapping) -> String {
    let (series, layer) = (escape(series.as_str()), escape(layer.as_str()));
    format!("{LAYERS}/{series}/{layer}.{attempt}.hl{}", wrapping.suffix())
}

/// Which run wrote an object, and which of its tries.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Attempt {
    pub(crate) lock: LockId,
    pub(crate) number: u32,
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.lock, self.number)
    }
}

impl Attempt {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (lock, number) = text.split_once('-')?;
        let attempt = Self { lock: LockId::parse(lock)?, number: number.parse().ok()? };
        (attempt.to_string() == text).then_some(attempt)
    }
}

/// What a key under `layers/` says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct LayerKey {
    pub(crate) series: Series,
    pub(crate) layer: LayerId,
    pub(crate) attempt: Attempt,
    pub(crate) wrapping: Wrapping,
}

impl LayerKey {
    pub(crate) fn parse(key: &str) -> Result<Self, Fault> {
        let parsed = Self::parts(key).ok_or(Fault::Foreign)?;
        (layer_key(&parsed.series, &parsed.layer, &parsed.attempt, parsed.wrapping) == key)
            .then_some(parsed)
            .ok_or(Fault::Foreign)
    }

    fn parts(key: &str) -> Option<Self> {
        let (series, name) = two_parts(key, LAYERS)?;
        let (name, age) = strip(name, ".age");
        let (name, zstd) = strip(name, ".zst");
        let (layer, attempt) = name.strip_suffix(".hl")?.rsplit_once('.')?;
        Some(Self {
            series: series_of(series)?,
            layer: layer_of(layer)?,
            attempt: Attempt::parse(attempt)?,
            wrapping: Wrapping { zstd, age },
        })
    }
}

/// The series and layer of a key under `manifests/`.
pub(crate) fn parse_manifest_key(key: &str) -> Result<(Series, LayerId), Fault> {
    let parts = || {
        let (series, name) = two_parts(key, MANIFESTS)?;
        Some((series_of(series)?, layer_of(name.strip_suffix(".json")?)?))
    };
    parts().ok_or(Fault::Foreign)
}

/// Whether a key is that of an object, a manifest, a mark or a lock.
pub(crate) fn is_key(key: &str) -> bool {
    let is_lock = || {
        let id = lock_name(key);
        LockId::parse(id).is_some_and(|id| lock_key(&id) == key)
    };
    LayerKey::parse(key).is_ok() || parse_manifest_key(key).is_ok() || crate::marks::parse(key).is_ok() || is_lock()
}

/// A key under `marks/`: whose, and which mark.
pub(crate) fn parse_mark_key(key: &str) -> Result<(Series, LayerId, &str), Fault> {
    let parts = || {
        let mut parts = key.strip_prefix(MARKS)?.strip_prefix('/')?.split('/');
        let (series, layer, mark) = (parts.next()?, parts.next()?, parts.next()?);
        parts.next().is_none().then_some((series_of(series)?, layer_of(layer)?, mark))
    };
    parts().ok_or(Fault::Foreign)
}

fn two_parts<'a>(key: &'a str, folder: &str) -> Option<(&'a str, &'a str)> {
    let (first, second) = key.strip_prefix(folder)?.strip_prefix('/')?.split_once('/')?;
    (!second.contains('/')).then_some((first, second))
}

fn strip<'a>(name: &'a str, suffix: &str) -> (&'a str, bool) {
    name.strip_suffix(suffix).map_or((name, false), |rest| (rest, true))
}

fn series_of(part: &str) -> Option<Series> {
    Series::new(unescape(part)?).ok()
}

fn layer_of(part: &str) -> Option<LayerId> {
    let layer = LayerId::new(unescape(part)?).ok()?;
    check_layer(&layer).is_ok().then_some(layer)
}

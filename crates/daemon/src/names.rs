//! What a job is called, and where a volume is.

use std::{fmt, str::FromStr};

use lvm_cmd::{LvName, LvRef};
use serde::{Deserialize, Serialize};

/// The longest name of a job, in bytes: a column of a table must hold it.
pub const MAX_JOB_NAME_BYTES: usize = 64;
/// The longest name of a host (RFC 1035, 2.3.4), and of a user on it, in bytes.
pub const MAX_HOST_BYTES: usize = 255;

/// The name of a job: 1 to 64 of `a-z A-Z 0-9 _ . -`, a letter or a digit first. So it needs no quoting in a line of a
/// monitoring plugin, in a metric's label, in a mail's subject or in a file's name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct JobName(Box<str>);

impl JobName {
    /// The text itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for JobName {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        let known = |c: u8| c.is_ascii_alphanumeric() || b"_.-".contains(&c);
        let begins = text.bytes().next().is_some_and(|c| c.is_ascii_alphanumeric());
        if begins && text.len() <= MAX_JOB_NAME_BYTES && text.bytes().all(known) {
            return Ok(Self(text.into()));
        }
        Err(PlaceError::new(text, "a name of 1 to 64 of a-z A-Z 0-9 _ . -, with a letter or a digit first"))
    }
}

/// A volume, or a pool, on this machine or on another that `ssh` reaches: `VG/LV` or `[ssh://][USER@]HOST:VG/LV`.
///
/// What it says of a host is safe as one argument of `ssh`: it is never taken for an option.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Place {
    host: Option<Box<str>>,
    volume: LvRef,
}

impl Place {
    /// One on this machine.
    #[must_use]
    pub const fn here(volume: LvRef) -> Self {
        Self { host: None, volume }
    }

    /// `[USER@]HOST` as `ssh` takes it; `None` for this machine.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        self.host.as_deref()
    }

    /// Another volume of the same group there.
    #[must_use]
    pub fn sibling(&self, volume: LvName) -> Self {
        Self { host: self.host.clone(), volume: self.volume.sibling(volume) }
    }

    /// The volume there.
    #[must_use]
    pub const fn volume(&self) -> &LvRef {
        &self.volume
    }
}

impl FromStr for Place {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        let refused = |expected| PlaceError::new(text, expected);
        let rest = text.strip_prefix("ssh://");
        // No name of a volume holds a colon, but an address in brackets does.
        let (host, volume) = match (rest.unwrap_or(text).rsplit_once(':'), rest) {
            (Some((host, volume)), _) => (Some(host), volume),
            (None, Some(_)) => return Err(refused("[ssh://][USER@]HOST:VG/LV")),
            (None, None) => (None, text),
        };
        if host.is_some_and(|host| !is_host(host)) {
            return Err(refused("[USER@]HOST before the colon, of a-z A-Z 0-9 _ . -, or an address in brackets"));
        }
        let volume = volume.parse().map_err(|source| PlaceError {
            text: text.to_owned(),
            expected: "VG/LV or [USER@]HOST:VG/LV",
            source: Some(source),
        })?;
        Ok(Self { host: host.map(Box::from), volume })
    }
}

fn is_host(text: &str) -> bool {
    let word = |word: &str| {
        let known = |c: u8| c.is_ascii_alphanumeric() || b"_.-".contains(&c);
        (1..=MAX_HOST_BYTES).contains(&word.len()) && !word.starts_with('-') && word.bytes().all(known)
    };
    let (user, host) = match text.split_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, text),
    };
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let is_address = |text: &str| {
        let known = |c: u8| c.is_ascii_alphanumeric() || b":.%".contains(&c);
        (2..=MAX_HOST_BYTES).contains(&text.len()) && text.contains(':') && text.bytes().all(known)
    };
    user.is_none_or(word) && address.map_or_else(|| word(host), is_address)
}

/// A text that is no name of a job, or no place.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("expected {expected}, found `{}`", text.escape_debug())]
pub struct PlaceError {
    text: String,
    expected: &'static str,
    source: Option<lvm_cmd::NameError>,
}

impl PlaceError {
    fn new(text: &str, expected: &'static str) -> Self {
        Self { text: text.to_owned(), expected, source: None }
    }

    /// What should be there.
    #[must_use]
    pub fn expected(&self) -> String {
        match &self.source {
            Some(source) => format!("{} ({source})", self.expected),
            None => self.expected.to_owned(),
        }
    }
}

impl fmt::Display for JobName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Some(host) => write!(f, "{host}:{}", self.volume),
            None => self.volume.fmt(f),
        }
    }
}

macro_rules! as_text {
    ($name:ident) => {
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.to_string()
            }
        }

        impl TryFrom<String> for $name {
            type Error = PlaceError;

            fn try_from(text: String) -> Result<Self, PlaceError> {
                text.parse()
            }
        }
    };
}

as_text!(JobName);
as_text!(Place);

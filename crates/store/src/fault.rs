//! What is wrong with one object of a store.

use std::fmt;

use extents::Bytes;

use crate::limits::FORMAT;

/// What is wrong with an object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// It is not there.
    #[error("it is missing")]
    Missing,
    /// It is shorter or longer than its manifest says.
    #[error("it has {found} bytes, expected {expected}")]
    Length {
        /// By the manifest.
        expected: Bytes,
        /// In the store.
        found: Bytes,
    },
    /// Its content is another than its manifest says.
    #[error("its {what} has the BLAKE3 {found}, expected {expected}")]
    Digest {
        /// The object, or the stream in it.
        what: &'static str,
        /// By the manifest.
        expected: blake3::Hash,
        /// In the store.
        found: blake3::Hash,
    },
    /// It cannot be decompressed or decrypted.
    #[error("it cannot be decoded: {0}")]
    Encoding(String),
    /// It is larger than such an object can be.
    #[error("it has {found} bytes, at most {limit} are read")]
    TooLarge {
        /// In bytes.
        found: u64,
        /// In bytes.
        limit: u64,
    },
    /// It is no text of that form.
    #[error("{0}")]
    Malformed(String),
    /// It is of a newer format.
    #[error("it has version {found}, this program knows versions up to {FORMAT}")]
    Version {
        /// Its version.
        found: u64,
    },
    /// It says of itself that it belongs elsewhere.
    #[error("it belongs at `{belongs}`")]
    Misplaced {
        /// By its content.
        belongs: String,
    },
    /// It leads out of the store.
    #[error("it is a symbolic link, and what that leads to is none of the store's")]
    Link,
    /// It is a mark, and there is no such layer.
    #[error("it is the mark of a layer that the store does not have")]
    NoLayer,
    /// It is an object, and no manifest speaks of it.
    #[error("it has no manifest")]
    Unlisted,
    /// Its name is none that this program gives.
    #[error("it is none of the store's own names")]
    Foreign,
}

/// An object that is not as it must be. The rest of the store can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The object's key.
    pub key: String,
    /// What is wrong.
    pub fault: Fault,
}

impl Problem {
    /// What an object among the locks is called: a lock's id, even where the lock cannot be understood.
    #[must_use]
    pub fn lock_name(&self) -> &str {
        crate::names::lock_name(&self.key)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.key, self.fault)
    }
}

//! BLAKE3 digests and the checks of a base's content.

use std::fmt;
use std::str::FromStr;

use extents::{Bytes, Extent};

/// A BLAKE3 digest of 256 bits. Shown as 64 lowercase hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest(pub [u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

/// From 64 hex digits.
impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let hash = blake3::Hash::from_hex(text).map_err(|_| DigestError)?;
        // In one spelling only.
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) { Err(DigestError) } else { Ok(hash.into()) }
    }
}

/// A text that is no [`Digest`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a digest is 64 lowercase hex digits")]
pub struct DigestError;

impl From<blake3::Hash> for Digest {
    fn from(hash: blake3::Hash) -> Self {
        Self(hash.into())
    }
}

/// A `D` record: what the base must hold for the delta to be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Where on the base.
    pub extent: Extent<Bytes>,
    /// The hash of what lies there.
    pub hash: CheckHash,
}

impl Check {
    /// A running hash of this check's kind. Feed it the base's content of [`Check::extent`], unmapped parts as zeros;
    /// the base is right where [`CheckHasher::finish`] equals [`Check::hash`].
    ///
    /// # Errors
    /// [`UnsupportedHash`] where the stream (a 1.0 one) names a hash that this crate does not compute.
    pub fn hasher(&self) -> Result<CheckHasher, UnsupportedHash> {
        match &self.hash {
            CheckHash::Crc32(_) => Ok(CheckHasher::crc32()),
            CheckHash::Blake3(_) => Ok(CheckHasher::blake3()),
            CheckHash::Other { name, .. } => Err(UnsupportedHash { name: name.clone() }),
        }
    }
}

/// The hash of a [`Check`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CheckHash {
    /// CRC-32 as in zlib (IEEE 802.3).
    Crc32(u32),
    /// BLAKE3.
    Blake3(Digest),
    /// Under 1.0 only: another hash, as the stream spells it.
    Other {
        /// The hash's name, such as `SHA1`.
        name: String,
        /// Its value, as written.
        value: String,
    },
}

/// A check names a hash that is not computed here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the base check uses the hash `{name}`, known are CRC32 and BLAKE3")]
pub struct UnsupportedHash {
    /// The name in the stream.
    pub name: String,
}

/// Computes a [`CheckHash`] piece by piece.
#[derive(Clone, Debug)]
pub struct CheckHasher(State);

#[derive(Clone, Debug)]
enum State {
    Crc32(crc32fast::Hasher),
    Blake3(Box<blake3::Hasher>),
}

impl CheckHasher {
    /// For [`CheckHash::Crc32`].
    #[must_use]
    pub fn crc32() -> Self {
        Self(State::Crc32(crc32fast::Hasher::new()))
    }

    /// For [`CheckHash::Blake3`].
    #[must_use]
    pub fn blake3() -> Self {
        Self(State::Blake3(Box::new(blake3::Hasher::new())))
    }

    /// Adds the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            State::Crc32(hasher) => hasher.update(bytes),
            State::Blake3(hasher) => {
                hasher.update(bytes);
            }
        }
    }

    /// The hash of all bytes so far.
    #[must_use]
    pub fn finish(self) -> CheckHash {
        match self.0 {
            State::Crc32(hasher) => CheckHash::Crc32(hasher.finalize()),
            State::Blake3(hasher) => CheckHash::Blake3(hasher.finalize().into()),
        }
    }
}

//! What a layer is called by machines.

use std::fmt;
use std::str::FromStr;

use crate::limits::MAX_LAYER_ID_BYTES;

/// Which state of which volume: an LV UUID, or something like `blake3:<hex>` for the content of an image.
///
/// 1 to [`MAX_LAYER_ID_BYTES`] of the characters that an LVM tag may have: `A-Z a-z 0-9 _ + . - / = ! : # &`
/// (lvm(8), "Tags"), since a received layer carries its id in one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LayerId(String);

impl LayerId {
    /// Takes a text that is a valid id.
    ///
    /// # Errors
    /// [`LayerIdError`] where it is empty, too long, or has another character.
    pub fn new(text: impl Into<String>) -> Result<Self, LayerIdError> {
        let text = text.into();
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_+.-/=!:#&".contains(&byte);
        match text.chars().find(|c| !c.is_ascii() || !allowed(*c as u8)) {
            Some(found) => Err(LayerIdError::Character { found }),
            None if text.is_empty() => Err(LayerIdError::Empty),
            None if text.len() > MAX_LAYER_ID_BYTES => Err(LayerIdError::TooLong { len_bytes: text.len() }),
            None => Ok(Self(text)),
        }
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a text is no [`LayerId`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LayerIdError {
    /// Nothing in it.
    #[error("a layer id is empty")]
    Empty,
    /// A character that an LVM tag may not have.
    #[error("a layer id holds {found:?}, allowed are letters, digits and _+.-/=!:#&")]
    Character {
        /// The first such character.
        found: char,
    },
    /// More than [`MAX_LAYER_ID_BYTES`].
    #[error("a layer id has {len_bytes} bytes, at most {MAX_LAYER_ID_BYTES} are allowed")]
    TooLong {
        /// Its length in bytes.
        len_bytes: usize,
    },
}

impl FromStr for LayerId {
    type Err = LayerIdError;

    fn from_str(text: &str) -> Result<Self, LayerIdError> {
        Self::new(text)
    }
}

impl fmt::Display for LayerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for LayerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LayerId({})", self.0)
    }
}

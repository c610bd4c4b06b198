//! What values of a message must keep to.

use extents::Bytes;
use hyperlayer::LayerId;
use hyperlayer::limits::MAX_VOLUME_SIZE;

/// A rule that values of one message break.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Rule {
    /// No version lies between both.
    #[error("its versions are {oldest} to {newest}")]
    Versions {
        /// The oldest that it says.
        oldest: u32,
        /// The newest that it says.
        newest: u32,
    },
    /// A number that is not one of those allowed.
    #[error("`{field}` is {found}, expected {expected}")]
    Number {
        /// Whose.
        field: &'static str,
        /// As it came.
        found: u64,
        /// What is allowed.
        expected: &'static str,
    },
    /// More than there can be.
    #[error("`{field}` is {found}, at most {max} are possible")]
    TooMuch {
        /// Whose.
        field: &'static str,
        /// As it came.
        found: u64,
        /// What is possible.
        max: u64,
    },
    /// A layer that was made against itself.
    #[error("layer {layer} is its own parent")]
    OwnParent {
        /// The layer.
        layer: LayerId,
    },
}

pub(crate) fn at_most(field: &'static str, found: u64, max: u64) -> Result<(), Rule> {
    if found > max { Err(Rule::TooMuch { field, found, max }) } else { Ok(()) }
}

pub(crate) fn sectors(field: &'static str, found: Bytes) -> Result<(), Rule> {
    match found.to_sectors() {
        Some(_) => Ok(()),
        None => Err(Rule::Number { field, found: found.get(), expected: "a multiple of 512" }),
    }
}

pub(crate) fn is_size(field: &'static str, found: Bytes) -> Result<(), Rule> {
    at_most(field, found.get(), MAX_VOLUME_SIZE.get())?;
    sectors(field, found)
}

pub(crate) fn not_own_parent(layer: &LayerId, parent: Option<&LayerId>) -> Result<(), Rule> {
    if parent == Some(layer) { Err(Rule::OwnParent { layer: layer.clone() }) } else { Ok(()) }
}

//! Whether a layer follows another one.

use std::io::BufRead;

use hyperlayer::{Header, Kind};

use super::LayerReader;
pub(super) use crate::identity::parent_size;
use crate::{Error, Identity};

/// A layer in a chain.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Link {
    /// What errors call it.
    pub name: String,
    /// What it says of itself.
    pub header: Header,
    /// How sure it is that it follows the one before; `None` for the first.
    pub identity: Option<Identity>,
}

impl Link {
    /// A layer of which it is not known what it follows.
    pub(super) fn of<R: BufRead>(layer: &LayerReader<R>) -> Result<Self, Error> {
        layer.check_whole()?;
        Ok(Self { name: layer.name().to_owned(), header: layer.header().clone(), identity: None })
    }

    /// The layer behind `before`; the first one of a chain where there is none.
    pub(super) fn behind<R: BufRead>(before: Option<&Self>, layer: &LayerReader<R>) -> Result<Self, Error> {
        let first = Self::of(layer)?;
        match before {
            None => Ok(first),
            Some(before) => Ok(Self { identity: Some(follows(before, &first)?), ..first }),
        }
    }
}

/// Checks that `after` was made against what `before` leaves: [`Identity::Proven`], or [`Identity::Unnamed`] where it
/// names no parent.
///
/// # Errors
/// It is a full layer, names another parent, or says another size of it.
pub fn follows(before: &Link, after: &Link) -> Result<Identity, Error> {
    if after.header.kind == Kind::Full {
        return Err(Error::FullInChain { input: after.name.clone(), before: before.name.clone() });
    }
    let identity = match (&after.header.parent, &before.header.layer) {
        (None, _) => Identity::Unnamed,
        (Some(_), Some(layer)) if after.header.has_parent(layer) => Identity::Proven,
        (Some(parent), found) => {
            return Err(Error::BrokenChain {
                input: after.name.clone(),
                expected: parent.clone(),
                before: before.name.clone(),
                found: found.clone(),
            });
        }
    };
    match (parent_size(&after.header), before.header.volume_size) {
        (Some(expected), Some(found)) if expected != found => {
            let (input, before) = (after.name.clone(), before.name.clone());
            Err(Error::ChainSize { input, expected, before, found })
        }
        _ => Ok(identity),
    }
}

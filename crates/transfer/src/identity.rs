//! Whether a stream is meant for a base.

use extents::Bytes;
use hyperlayer::{Format, Header, Kind, LayerId};

use crate::Error;

/// What is known of the base that a stream is to be applied on.
#[derive(Clone, Debug)]
pub struct Base {
    /// What its user calls it.
    pub name: String,
    /// Its size.
    pub size: Bytes,
    /// The layers that it may hold: its own UUID, the layer that was received into it, its content's digest.
    pub ids: Vec<LayerId>,
}

/// How sure it is that the base is the one that the stream was made against.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Identity {
    /// The base is the stream's parent.
    Proven,
    /// The stream names no parent; only its checks of the base's content speak.
    Unnamed,
    /// The base is another layer, and was forced.
    Forced,
}

/// Compares the stream's parent with the base. `force` lets another layer pass, never a wrong size.
///
/// # Errors
/// The stream is a full layer, which has no base; its parent is another layer; or the sizes differ.
pub fn identify(header: &Header, base: &Base, force: bool) -> Result<Identity, Error> {
    if header.kind == Kind::Full {
        return Err(Error::FullLayer { base: base.name.clone() });
    }
    let identity = match &header.parent {
        None => Identity::Unnamed,
        Some(_) if base.ids.iter().any(|id| header.has_parent(id)) => Identity::Proven,
        Some(_) if force => Identity::Forced,
        Some(parent) => {
            return Err(Error::WrongBase {
                base: base.name.clone(),
                expected: parent.clone(),
                found: base.ids.clone(),
            });
        }
    };
    check_base_size(header, &base.name, base.size).map(|()| identity)
}

/// Compares only the sizes: before anything is made that is as large as the stream says.
///
/// # Errors
/// The stream was made against a volume of another size.
pub fn check_base_size(header: &Header, name: &str, size: Bytes) -> Result<(), Error> {
    match parent_size(header) {
        Some(expected) if expected != size => Err(Error::BaseSize { base: name.to_owned(), expected, found: size }),
        _ => Ok(()),
    }
}

/// The size of the volume that a layer was made against, where it says so.
pub(crate) fn parent_size(header: &Header) -> Option<Bytes> {
    match header.format {
        // It cannot say that a volume grew or shrank: what is between both sizes nobody knows.
        Format::V1_0 => header.volume_size,
        _ => header.parent_size,
    }
}

/// Checks that a stream can be taken without a base.
///
/// # Errors
/// It is a delta.
pub fn needs_no_base(header: &Header) -> Result<(), Error> {
    match header.kind {
        Kind::Full | Kind::Unknown => Ok(()),
        Kind::Delta => Err(Error::NeedsBase { parent: header.parent.clone() }),
    }
}

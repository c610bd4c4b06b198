//! Every check of a chain that needs no target.

use block_copy::Progress;
use hyperlayer::End;

use super::{LayerInput, Link};
use crate::Error;

/// A layer that was read to its end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verified {
    /// The layer and how it follows the one before.
    pub link: Link,
    /// What it held.
    pub end: End,
}

/// Reads a chain through, oldest layer first, and checks every byte of it and that each layer follows the one before.
/// An input may hold several layers, one behind the other. `progress` is told the data of the layers.
///
/// # Errors
/// A layer is cut or altered, or does not follow; an input cannot be read, or `progress` asks to stop.
pub fn verify_chain<'a>(
    inputs: impl IntoIterator<Item = LayerInput<'a>>,
    progress: &dyn Progress,
) -> Result<Vec<Verified>, Error> {
    let mut chain: Vec<Verified> = Vec::new();
    for input in inputs {
        let mut next = Some(input.open()?);
        while let Some(mut layer) = next {
            let before = chain.last().map(|verified| &verified.link);
            let link = Link::behind(before, &layer)?;
            let end = layer.read_through(progress)?;
            chain.push(Verified { link, end });
            next = layer.next_layer()?;
        }
    }
    Ok(chain)
}

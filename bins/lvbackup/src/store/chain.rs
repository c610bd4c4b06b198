//! The layers of a store as what a chain is read from.

use std::io::BufReader;

use store::{Error, Identities, Store, Stored};
use transfer::{LayerInput, Opened};

/// How much of a layer is decoded at once, in bytes.
const BUFFER_BYTES: usize = 256 * 1024;

/// One input for each layer of a chain, in its order. Each is opened when it is read, and must be the layer that the
/// store says it is.
pub(crate) fn inputs<'a>(
    store: &'a Store,
    chain: &'a [&'a Stored],
    identities: &'a Identities,
) -> impl Iterator<Item = LayerInput<'a>> {
    chain.iter().map(move |stored| {
        let open = move || -> std::io::Result<Opened<'a>> {
            let reader = store.read(stored, identities).map_err(Error::into_io)?;
            Ok(Box::new(BufReader::with_capacity(BUFFER_BYTES, reader)))
        };
        let layer = &stored.layer;
        let name = format!("layer {} of {}", layer.layer, layer.series);
        LayerInput::new(name, open).expecting(layer.layer.clone()).of_size(layer.volume_size)
    })
}

//! Whether inputs follow each other, by their headers alone.

use block_copy::Progress;
use hyperlayer::{Format, Skim};

use super::{LayerInput, Link, follows};
use crate::Error;

/// Compares the headers of all layers of all inputs, in order: each layer must follow the one before it. The data is stepped over
/// in a file that allows it. An input of another kind, such as a compressed one, is read through only where the next input
/// does not follow its first layer, to find its last one.
///
/// Only headers are compared. What is cut or altered behind a header is left to whoever reads the layers, and ends the
/// comparison.
///
/// # Errors
/// An input is not a stream, or cannot be read; a layer does not follow the one before it; or `progress` asks to stop.
pub fn check_headers(inputs: &[LayerInput<'_>], progress: &dyn Progress) -> Result<(), Error> {
    let mut before: Option<(&LayerInput<'_>, Link)> = None;
    for input in inputs {
        let layer = input.open_rest()?;
        let first = Link { name: layer.name().to_owned(), header: layer.header().clone(), identity: None };
        if let Some((earlier, last)) = &before
            && let Err(broken) = follows(last, &first)
        {
            let mut layers = earlier.open_rest()?;
            let last = loop {
                let link = Link { name: layers.name().to_owned(), header: layers.header().clone(), identity: None };
                if layers.read_through(progress).is_err() {
                    return Ok(());
                }
                match layers.next_layer() {
                    Ok(Some(next)) => layers = next,
                    Ok(None) => break link,
                    Err(_) => return Ok(()),
                }
            };
            follows(&last, &first).map_err(|_| broken)?;
        }
        let Some(last) = last_layer(input, first, progress)? else { return Ok(()) };
        before = Some((input, last));
    }
    Ok(())
}

/// The last layer of an input; the first one where its data cannot be stepped over, `None` where it is cut or altered.
fn last_layer(input: &LayerInput<'_>, first: Link, progress: &dyn Progress) -> Result<Option<Link>, Error> {
    let is_skimmed = matches!(first.header.format, Format::V1_0 | Format::V1_1);
    let Some(mut reader) = input.open_seekable()?.filter(|_| is_skimmed) else { return Ok(Some(first)) };
    let (mut last, mut number) = (first, 0);
    loop {
        if progress.stop_requested() {
            return Err(block_copy::Error::Stopped.into());
        }
        match reader.next_skim() {
            Ok(Some(Skim::Header(header))) => {
                number += 1;
                if number > 1 {
                    let name = format!("{}#{number}", input.name());
                    let next = Link { name, header: *header, identity: None };
                    follows(&last, &next)?;
                    last = next;
                }
            }
            Ok(Some(_)) => {}
            Ok(None) => return Ok(Some(last)),
            Err(_) => return Ok(None),
        }
    }
}

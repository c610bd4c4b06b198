//! Where the stream comes from.

use block_copy::Progress;
use cli::Outcome;
use transfer::Incoming;

use crate::args::Args;

/// A stream, of whatever it is made.
pub(crate) type Input<'a> = Incoming<cli::Input<'a>>;

/// Opens the input and reads the stream's header.
///
/// # Errors
/// There is nothing to read, or it is no stream.
pub(crate) fn open<'a>(args: &Args, progress: &'a dyn Progress) -> Outcome<Input<'a>> {
    let input = match &args.input {
        Some(path) => cli::open_input(path, progress)?,
        None => cli::stdin_for_data("`lvpatch ... < FILE`, or `lvdiff ... | lvpatch ...`", progress)?,
    };
    let incoming = Incoming::open_with(input, args.reading.options())?;
    Ok(incoming.demand(args.reading.demands())?.with_size(args.size))
}

//! Where the stream comes from.

use block_copy::Progress;
use cli::Outcome;
use hyperlayer::ReadOptions;
use transfer::{Demands, Incoming};

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
    let incoming = Incoming::open_with(input, ReadOptions { block_size: args.block_size })?;
    let demands = Demands { end: !args.accept_open_end, identity: false };
    Ok(incoming.demand(demands)?.with_size(args.size))
}

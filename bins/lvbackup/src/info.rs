//! `lvbackup info`: what a stream says of itself, and whether it is whole.

use std::path::{Path, PathBuf};

use cli::{Common, Failure, Outcome, Progress, Stop};

use crate::describe::{self, State};

/// Show what streams say of themselves, and whether they are whole
///
/// Each FILE is read to its end, compressed or not; one that holds several layers, one behind the other, is shown layer
/// by layer. What is damaged is shown as far as it goes.
#[derive(clap::Args, Debug)]
#[command(after_long_help = AFTER)]
pub(crate) struct Args {
    /// Streams; `-` is standard input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,

    /// Only the first header of each file: nothing behind it is read
    #[arg(long)]
    header: bool,

    #[command(flatten)]
    unsaid: cli::Unsaid,

    /// As one JSON object a line for each layer
    #[arg(long)]
    json: bool,
}

const AFTER: &str = "\
Examples:
  lvbackup info monday.hl tuesday.hl
  lvbackup send -v vg0 -l monday | lvbackup info -
  lvbackup info --json chain.hl.zst | jq -r 'select(.state != \"proven\").input'

Keys of --json: input, format, kind, name, layer, parent, source, created, tool, meta (pairs of key and value), \
volume_size_bytes, parent_size_bytes, chunk_size_bytes, resumes_at_bytes, check_records, data_records, data_bytes, \
zero_records, zero_bytes, stream_bytes, blake3, state (proven, counted, unknown, damaged, unread), error. What a stream \
does not say is null. What follows a damaged layer is not shown.

Exit status: 0 where all is whole as far as its format can tell, 3 where something is damaged or no stream.";

/// Shows the layers.
///
/// # Errors
/// A file cannot be read, or is damaged: the first such error, when all files were looked at.
pub(crate) fn run(args: &Args, common: Common, stop: &Stop) -> Outcome {
    let progress = Progress::new("reading", None, common, stop.clone());
    let mut first_failure = Ok(());
    for file in &args.files {
        let shown = show(args, file, &progress)?;
        if stop.requested() {
            return shown;
        }
        first_failure = match (first_failure, shown) {
            (Err(first), Err(another)) => {
                cli::warn("lvbackup", &another);
                Err(first)
            }
            (first_failure, shown) => first_failure.and(shown),
        };
    }
    first_failure
}

/// Shows the layers of one file.
///
/// # Errors
/// Standard output takes no more, so that nothing of the other files can be shown either. What is wrong with the file is
/// inside.
fn show(args: &Args, file: &Path, progress: &Progress) -> Outcome<Outcome> {
    let opened = cli::layer_input(file, "`lvbackup info FILE`", progress).and_then(|input| {
        let input = input.accept_open_end(true).with_options(args.unsaid.options());
        Ok(input.open_rest()?)
    });
    let mut next = match opened {
        Ok(layer) => Some(layer),
        Err(failure) => return Ok(Err(failure)),
    };
    while let Some(mut layer) = next {
        let read = if args.header { None } else { Some(layer.read_through(progress)) };
        let (state, failure) = match read {
            None => (State::Unread, None),
            Some(Ok(end)) => (State::Read(end), None),
            Some(Err(error)) => {
                let failure = Failure::from(error);
                (State::Damaged(failure.to_string()), Some(failure))
            }
        };
        let text = match args.json {
            true => describe::json(layer.name(), layer.header(), &state).to_string(),
            false => describe::text(layer.name(), layer.header(), &state),
        };
        cli::print(&format!("{text}\n"))?;
        if let Some(failure) = failure {
            return Ok(Err(failure));
        }
        next = match if args.header { Ok(None) } else { layer.next_layer() } {
            Ok(next) => next,
            Err(error) => return Ok(Err(error.into())),
        };
    }
    Ok(Ok(()))
}

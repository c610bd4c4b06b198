//! `lvbackup verify`: every check of a chain that needs no target.

use std::path::PathBuf;

use cli::{Common, Outcome, Progress, Stop, say};
use extents::human;
use serde_json::{Value, json};
use transfer::{Identity, LayerInput, Verified, verify_chain};

use crate::describe::{self, State};

/// Check that streams are whole and unaltered, and that they make one chain
///
/// Every byte is read, and every count and digest compared. The layers must follow each other, the oldest first, whether
/// each is in a file of its own or several are in one.
#[derive(clap::Args, Debug)]
#[command(after_long_help = AFTER)]
pub(crate) struct Args {
    /// Streams, the oldest layer first; `-` is standard input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,

    /// Check each file by itself, all of them: they need not follow each other
    #[arg(long)]
    each: bool,

    #[command(flatten)]
    reading: cli::ReadArgs,

    /// As one JSON object a line for each layer on standard output
    #[arg(long)]
    json: bool,
}

const AFTER: &str = "\
Examples:
  lvbackup verify monday.hl tuesday.hl wednesday.hl
  cat monday.hl tuesday.hl | lvbackup verify -
  lvbackup verify --each /backup/*.hl

Keys of --json: those of `lvbackup info`, and identity: proven where the layer names the one before as its parent, unnamed \
where it names none, null for the first. Nothing is written there where something is wrong; with --each, the layers of the \
other files are.

Exit status: 0 where everything is right, 3 where something is cut, altered, missing or in another place.";

/// Checks the chain.
///
/// # Errors
/// What is wrong first.
pub(crate) fn run(args: &Args, common: Common, stop: &Stop) -> Outcome {
    let progress = Progress::new("reading", None, common, stop.clone());
    let inputs: Vec<LayerInput<'_>> = args
        .files
        .iter()
        .map(|file| cli::layer_input(file, "`lvbackup verify FILE ...`", &progress))
        .map(|input| Ok(args.reading.of(input?)))
        .collect::<Outcome<_>>()?;
    let (verified, outcome) = match args.each {
        false => (verify_chain(inputs, &progress)?, Ok(())),
        true => each(inputs, &progress, stop),
    };
    drop(progress);
    if args.json {
        cli::print(&verified.iter().map(|layer| format!("{}\n", as_json(layer))).collect::<String>())?;
    }
    if !common.quiet {
        warn(&verified);
        let data = verified.iter().fold(extents::Bytes::ZERO, |sum, layer| sum.saturating_add(layer.end.totals.data));
        let what = match (verified.len(), args.each) {
            (1, _) => "1 layer is whole".to_owned(),
            (count, true) => format!("{count} layers are whole"),
            (count, false) => format!("{count} layers are whole and follow each other"),
        };
        if outcome.is_ok() || !verified.is_empty() {
            say(&format!("lvbackup: {what}: {} of data", human(data)));
        }
    }
    outcome
}

/// Checks each input by itself, all of them, and gives the first failure.
fn each(inputs: Vec<LayerInput<'_>>, progress: &Progress, stop: &Stop) -> (Vec<Verified>, Outcome) {
    let (mut verified, mut outcome) = (Vec::new(), Ok(()));
    for input in inputs {
        match verify_chain([input], progress) {
            Ok(layers) => verified.extend(layers),
            Err(error) if outcome.is_ok() => outcome = Err(error.into()),
            Err(error) => cli::warn("lvbackup", &error.into()),
        }
        if stop.requested() {
            break;
        }
    }
    (verified, outcome)
}

fn as_json(layer: &Verified) -> Value {
    let mut value = describe::json(&layer.link.name, &layer.link.header, &State::Read(layer.end));
    value["identity"] = json!(layer.link.identity.map(|identity| match identity {
        Identity::Unnamed => "unnamed",
        _ => "proven",
    }));
    value
}

/// Says what the layers cannot promise.
fn warn(verified: &[Verified]) {
    for layer in verified {
        let name = &layer.link.name;
        if layer.link.identity == Some(Identity::Unnamed) {
            say(&format!("lvbackup: warning: `{name}` does not name its parent: nothing proves that it follows"));
        }
        match State::Read(layer.end).word() {
            "counted" => {
                say(&format!("lvbackup: warning: `{name}` has as many blocks as it says; no digest covers them all"));
            }
            "unknown" => say(&format!("lvbackup: warning: nobody can tell whether `{name}` was cut")),
            _ => {}
        }
    }
}

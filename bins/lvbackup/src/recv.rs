//! `lvbackup recv`: a chain of layers as a thin volume, or as an image.

mod image;
mod input;
mod left;
mod list;
mod volume;

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use block_copy::Queue;
use cli::{Common, Outcome, Progress, Stop, say};
use extents::{Bytes, human};
use hyperlayer::{Format, LayerId};
use transfer::Identity;
use transfer::receive::{Reach, Received, Want};

use input::{First, Inputs};

/// Receive a full layer, a delta, or a chain of layers, as a thin volume or as an image
///
/// The layers come in order, oldest first: concatenated on standard input, or from files. A full layer comes first,
/// unless there is what the first delta was made against: `--base BASE`, of which a new volume is made, or LV itself,
/// which then becomes the new state, and whose old state is kept as a volume of another name. The result has its name
/// only when every layer was whole, every check was right and everything is durable; it is read-only and inactive.
///
/// A receive can be interrupted anywhere, by a signal, a broken connection, a full pool, a power cut. It is then continued
/// with `--resume` or removed with `--discard-partial`.
#[derive(clap::Args, Debug)]
#[command(after_long_help = AFTER)]
pub(crate) struct Args {
    /// The volume group
    #[arg(short = 'v', long = "vg", value_name = "VG", conflicts_with = "to_file")]
    vg: Option<String>,

    /// The thin pool for a chain that begins with a full layer
    #[arg(short, long, value_name = "POOL", conflicts_with_all = ["to_file", "base"])]
    pool: Option<String>,

    /// The volume to make, or the one that holds the first layer's parent and is to become the new state
    #[arg(short = 'l', long = "lv", value_name = "LV", required_unless_present_any = ["to_file", "list_partial"])]
    lv: Option<String>,

    /// Read layers from FILE instead of standard input; repeatable, in order
    #[arg(short, long, value_name = "FILE")]
    input: Vec<PathBuf>,

    /// What the first delta is applied on: a volume, or with --to-file an image. It is only read
    #[arg(long, value_name = "BASE")]
    base: Option<String>,

    /// Where LV holds the parent and becomes the new state: what its old state is called from then on, read-only
    /// [default: LV and the first letters of its layer's id]
    #[arg(long, value_name = "NAME", conflicts_with_all = ["to_file", "base"])]
    keep_old: Option<String>,

    /// Make an image: written beside, synced, renamed; an existing file is not replaced
    #[arg(long, value_name = "FILE", conflicts_with = "lv")]
    to_file: Option<PathBuf>,

    /// With --to-file and --base: what the base's layer is called, where the stream's ids are not derived from content
    #[arg(long, value_name = "ID", requires_all = ["base", "to_file"])]
    base_id: Option<LayerId>,

    /// Continue what was interrupted. The input is the same as before, from its beginning or from the first layer on that
    /// is not in yet; or the rest that `lvbackup send --resume TOKEN` sends
    #[arg(long)]
    resume: bool,

    /// Remove what an interrupted receive of this target has left
    #[arg(long, conflicts_with_all = ["resume", "list_partial", "input", "base", "pool", "dry_run"])]
    discard_partial: bool,

    /// Show what interrupted receives have left: in a group, in all, or of the image of --to-file
    #[arg(long, conflicts_with_all = ["resume", "lv", "input", "base", "pool", "dry_run"])]
    list_partial: bool,

    /// With --list-partial: as one JSON object a line
    #[arg(long, requires = "list_partial")]
    json: bool,

    /// Do not check bases against the hashes in the layers (identities are checked all the same)
    #[arg(long)]
    no_base_check: bool,

    /// Apply on this base although it is not the layer that the first delta was made against, or may have changed since
    #[arg(long)]
    force_base: bool,

    #[command(flatten)]
    reading: cli::ReadArgs,

    /// The size of the volume, for formats that do not say it
    #[arg(long, value_name = "SIZE", value_parser = extents::parse_size)]
    size: Option<Bytes>,

    /// Read no more than so many bytes a second, such as 20m
    #[arg(long, value_name = "RATE", value_parser = cli::rate)]
    bwlimit: Option<Bytes>,

    /// How much data an interruption may cost: so often, and every two seconds, all before is made durable
    #[arg(long, value_name = "SIZE", default_value = "1g", value_parser = extents::parse_size)]
    keep_every: Bytes,

    /// Leave the volume writable, and active after the next boot. It is then no base for a further delta, since nobody can
    /// tell whether it changed
    #[arg(long, conflicts_with = "to_file")]
    writable: bool,

    /// Check everything, the base included, and write nothing
    #[arg(long, conflicts_with = "resume")]
    dry_run: bool,
}

const AFTER: &str = "\
Examples:
  lvbackup recv -v vg1 -p pool0 -l monday < monday.hl
  lvbackup recv -v vg1 -l tuesday --base monday -i tuesday.hl
  cat full.hl tue.hl wed.hl | lvbackup recv -v vg1 -p pool0 -l data
  lvbackup recv -v vg1 -l data -i thu.hl --keep-old data-wed
  lvbackup recv --to-file data.img -i full.hl -i tue.hl.zst
  lvbackup recv --list-partial
  cat full.hl tue.hl wed.hl | lvbackup recv --resume -v vg1 -l data
  lvbackup recv --discard-partial -v vg1 -l data

Whatever interrupts a receive after something of it is durable: exit status 5, with the commands that continue and remove
it, and a TOKEN for a sender that need not send that again. A layer that names no id, or is of another format than
HYPERLAYER 1.1, begins anew; in an image, the whole chain then does.

Keys of --json: target, since, layers (how many are in as a whole), whole (the id of the last of them), layer (the id of
the one that is begun), at_bytes (up to where), size_bytes (of its volume), complete, token, problem (why it can only be
removed); null where there is none.";

/// Receives, shows or removes.
///
/// # Errors
/// See the exit status in the help.
pub(crate) fn run(args: &Args, common: Common, stop: &Stop) -> Outcome {
    match &args.to_file {
        _ if args.list_partial => list::run(args),
        Some(target) => image::run(args, target, common, stop),
        None => volume::run(args, common, stop),
    }
}

/// How much time may be lost by an interruption.
const KEEP_EVERY: Duration = Duration::from_secs(2);

/// Says when it is time to keep how far a receive is, asked with how much data came since the last time.
fn due(args: &Args) -> impl Fn(Bytes) -> bool + Sync {
    let (every, last) = (args.keep_every, Mutex::new(Instant::now()));
    move |since| {
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        let due = since >= every || last.elapsed() >= KEEP_EVERY;
        if due {
            *last = Instant::now();
        }
        due
    }
}

fn want<'a>(args: &Args, due: &'a (dyn Fn(Bytes) -> bool + Sync)) -> Want<'a> {
    let (reach, queue) = (Reach::default(), Queue::default());
    Want { check_base: !args.no_base_check, size: args.size, due, reach, seen: None, queue }
}

/// Hands all layers of the input over, one by one.
fn hand_over<'a>(
    args: &'a Args,
    progress: &'a Progress,
    mut receive: impl FnMut(&mut First<'a>) -> Result<Received, transfer::Error>,
) -> Outcome<Vec<Received>> {
    let mut received = Vec::new();
    for input in Inputs::of(args, progress)? {
        let mut next = Some(input?);
        while let Some(mut layer) = next {
            args.reading.demands().check(layer.header())?;
            received.push(receive(&mut layer)?);
            next = layer.next_layer()?;
        }
    }
    Ok(received)
}

/// Says what the layers could not promise.
fn warn(args: &Args, received: &[Received]) {
    for Received { link, end, .. } in received.iter().filter(|layer| !layer.was_in) {
        let name = &link.name;
        let checks = match (args.no_base_check, end.totals.checks) {
            (true, _) | (_, 0) => "nothing held it against its base".to_owned(),
            (false, checks) => format!("only its {checks} checks of the base's content were held against it"),
        };
        match link.identity {
            Some(Identity::Unnamed) => say(&format!("lvbackup: warning: `{name}` does not name its base; {checks}")),
            Some(Identity::Forced) => {
                say(&format!("lvbackup: warning: `{name}` was forced on another layer; {checks}"));
            }
            _ => {}
        }
        if link.header.layer.is_none() && link.header.format == Format::V1_1 {
            say(&format!(
                "lvbackup: warning: `{name}` does not name its layer; no later delta can be checked against it"
            ));
        }
    }
}

/// One line: what was done.
fn done(args: &Args, common: Common, received: &[Received], what: &str) {
    if common.quiet {
        return;
    }
    warn(args, received);
    let new = received.iter().filter(|layer| !layer.was_in);
    let (data, zero) = new.fold((Bytes::ZERO, Bytes::ZERO), |(data, zero), layer| {
        let totals = layer.end.totals;
        (data.saturating_add(totals.data), zero.saturating_add(totals.zero))
    });
    let layers = match received.len() {
        0 => "nothing was left to be received".to_owned(),
        1 => format!("1 layer, {} of data, {} of zeros", human(data), human(zero)),
        count => format!("{count} layers, {} of data, {} of zeros", human(data), human(zero)),
    };
    say(&format!("lvbackup: {what}: {layers}"));
}

//! `lvbackup compare`: whether two volumes, or a volume and a stream, are the same.

mod side;

use block_copy::Queue;
use cli::{Common, Exit, Failure, Outcome, Progress, Stop, say, undone};
use extents::{Bytes, ExtentSet, human};
use hyperlayer::Kind;
use serde_json::json;
use transfer::lvm::{Lvm, Run};
use transfer::{Compare, Differences, LayerReader, Opened, compare, compare_stream};

use crate::describe::sized;
use side::{Name, Side, Volume};

/// Compare two volumes, or a volume and a stream
///
/// Each side is a thin volume, an image file, a device, or a stream, which is recognised by how it begins. Only what is
/// mapped is read: of two thin volumes of one pool only what they do not share there. With a full layer all of the
/// volume must be as it says; with a delta, or a stream that does not say which it is, only what its records cover.
#[derive(clap::Args, Debug)]
#[command(after_long_help = AFTER)]
pub(crate) struct Args {
    /// VG/LV, /dev/VG/LV, an image file, a device, or a stream
    #[arg(value_name = "A")]
    left: String,

    /// The same; not two streams
    #[arg(value_name = "B")]
    right: String,

    /// Read also what two volumes of one pool share there
    #[arg(long)]
    all: bool,

    /// Take a stream that does not say what it is, as thin-send's, for a whole volume: all else must be zeros
    #[arg(long)]
    full: bool,

    /// Read this side as an image even if it begins like a stream: a, b or both
    #[arg(long, value_name = "SIDE")]
    image: Option<Sides>,

    /// How many ranges that differ are shown
    #[arg(long, value_name = "N", default_value = "16")]
    ranges: usize,

    #[command(flatten)]
    reading: cli::ReadArgs,

    /// As one JSON object on standard output
    #[arg(long)]
    json: bool,
}

/// Which sides an option is about.
#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
enum Sides {
    A,
    B,
    Both,
}

const AFTER: &str = "\
Examples:
  lvbackup compare vg0/monday vg1/monday
  lvbackup compare vg1/monday monday.hl
  lvbackup compare old.img new.img --ranges 100
  lvbackup compare old.img new.img --image both

The first ranges that differ are shown as offset and length in bytes, whole sectors. Neither side may change meanwhile: a \
thin volume must be read-only, inactive, or a snapshot that is not in use. Thin volumes need root, images do not.

Keys of --json: same, whole (false where only the records of a stream were compared), left, right (names), \
left_size_bytes, right_size_bytes (of a stream: its volume's, or null), compared_bytes, different_bytes (in whole sectors), first (pairs of offset and length). What two volumes of one pool \
share is not among what was compared, without --all.

Exit status: 0 where both are the same, 3 where they differ in size or content, or a stream is damaged.";

/// Compares both.
///
/// # Errors
/// They differ; or see the exit status in the help.
pub(crate) fn run(args: &Args, common: Common, stop: &Stop) -> Outcome {
    let (left, right) = (Name::of(&args.left)?, Name::of(&args.right)?);
    let job = Job { args, common, stop, lvm: None };
    let found = if left.is_thin() || right.is_thin() {
        cli::require_root("comparing images")?;
        let (exec, state) = cli::host(stop)?;
        let lvm = Lvm::new(&exec, &state, stop.flag());
        let _this = Run::start(&lvm)?;
        Job { lvm: Some(&lvm), ..job }.compare(&left, &right)?
    } else {
        job.compare(&left, &right)?
    };
    found.show(args, common)
}

#[derive(Clone, Copy)]
struct Job<'j, 'a> {
    args: &'j Args,
    common: Common,
    stop: &'j Stop,
    lvm: Option<&'j Lvm<'a>>,
}

impl<'a> Job<'_, 'a> {
    fn compare(&self, left: &Name, right: &Name) -> Outcome<Found> {
        let progress = Progress::new("opening", None, Common { quiet: true, ..self.common }, self.stop.clone());
        let open = |name, side| {
            let is_image = self.args.image.is_some_and(|sides| [side, Sides::Both].contains(&sides));
            if is_image {
                Side::volume(name, self.lvm)
            } else {
                Side::open(name, self.lvm, self.args.reading, &progress)
            }
        };
        match (open(left, Sides::A)?, open(right, Sides::B)?) {
            (Side::Volume(left), Side::Volume(right)) => {
                let found = match self.args.full {
                    true => Err(Failure::msg(Exit::Usage, "`--full` is said of a stream, and neither side is one")),
                    false => self.volumes(&left, &right),
                };
                undone(undone(found, left.close()), right.close())
            }
            (Side::Volume(volume), Side::Stream(layer)) => self.stream(volume, *layer),
            (Side::Stream(layer), Side::Volume(volume)) => Ok(self.stream(volume, *layer)?.turned()),
            (Side::Stream(_), Side::Stream(_)) => Err(Failure::msg(Exit::Usage, "both sides are streams")
                .hint("`lvbackup info` shows both; to compare what they make, receive them")),
        }
    }

    fn volumes(&self, left: &Volume<'a>, right: &Volume<'a>) -> Outcome<Found> {
        let ranges = {
            let progress = self.progress("looking for what is mapped", None);
            self.ranges(left, right, &progress)?
        };
        let progress = self.progress("comparing", Some(ranges.total()));
        let sizes = [Some(left.read().size()), Some(right.read().size())];
        let differences = compare(left.read(), right.read(), &ranges, self.how(), &progress)?;
        Ok(Found { sizes, differences, records_of: None })
    }

    fn ranges(&self, left: &Volume<'a>, right: &Volume<'a>, progress: &Progress) -> Outcome<ExtentSet<Bytes>> {
        if let (Some(lvm), Some(both)) = (self.lvm, left.in_one_pool(right)) {
            let delta = both.delta(lvm, progress)?;
            let different = delta.data.union(&delta.zero);
            return Ok(if self.args.all { different.union(&delta.same) } else { different });
        }
        Ok(left.mapped(self.lvm, progress)?.union(&right.mapped(self.lvm, progress)?))
    }

    fn stream(&self, volume: Volume<'a>, layer: LayerReader<Opened<'_>>) -> Outcome<Found> {
        let found = self.against(&volume, layer);
        undone(found, volume.close())
    }

    fn against(&self, volume: &Volume<'a>, layer: LayerReader<Opened<'_>>) -> Outcome<Found> {
        let kind = layer.header().kind;
        if self.args.full && kind == Kind::Delta {
            let text = format!("`{}` is a delta, which says nothing of the rest of its volume", layer.name());
            return Err(Failure::msg(Exit::Usage, text).hint("leave `--full` away, and its records are compared"));
        }
        let is_whole = kind == Kind::Full || self.args.full;
        let look = || volume.mapped(self.lvm, &self.progress("looking for what is mapped", None));
        let mapped = is_whole.then(look).transpose()?;
        let records_of = (!is_whole).then_some(kind);
        let sizes = [Some(volume.read().size()), layer.header().volume_size];
        let progress = self.progress("comparing", layer.header().totals.map(|totals| totals.data));
        let (differences, _) = compare_stream(volume.read(), mapped.as_ref(), layer, self.how(), &progress)?;
        Ok(Found { sizes, differences, records_of })
    }

    fn how(&self) -> Compare {
        Compare { ranges: self.args.ranges, queue: Queue::default() }
    }

    fn progress(&self, doing: &'static str, total: Option<Bytes>) -> Progress {
        Progress::new(doing, total, self.common, self.stop.clone())
    }
}

/// What was found of A and B.
struct Found {
    sizes: [Option<Bytes>; 2],
    differences: Differences,
    /// The stream's kind where only its records were compared.
    records_of: Option<Kind>,
}

impl Found {
    fn turned(mut self) -> Self {
        self.sizes.reverse();
        self
    }

    fn same_size(&self) -> bool {
        matches!(self.sizes, [left, right] if left == right || left.is_none() || right.is_none())
    }

    /// Says what differs, and fails where anything does.
    fn show(&self, args: &Args, common: Common) -> Outcome {
        let (found, [left_size, right_size]) = (&self.differences, self.sizes);
        let same = self.same_size() && found.total.is_zero();
        let first = found.first.iter().map(|range| (range.start().get(), range.len().get()));
        let text = match (args.json, found.total.is_zero()) {
            (true, _) => json!({
                "same": same,
                "whole": self.records_of.is_none(),
                "left": args.left,
                "right": args.right,
                "left_size_bytes": left_size.map(Bytes::get),
                "right_size_bytes": right_size.map(Bytes::get),
                "compared_bytes": found.compared.get(),
                "different_bytes": found.total.get(),
                "first": first.collect::<Vec<_>>(),
            })
            .to_string(),
            (false, true) => String::new(),
            (false, false) => {
                let lines = first.map(|(offset, len)| format!("\n{offset:<20} {len}"));
                format!("{:<20} length{}", "offset", lines.collect::<String>())
            }
        };
        if !text.is_empty() {
            cli::print(&format!("{text}\n"))?;
        }
        let (left, right) = (&args.left, &args.right);
        if same {
            if self.records_of == Some(Kind::Unknown) {
                say(
                    "lvbackup: warning: the stream does not say whether it is a whole volume or what changed in one: only \
                     its records were compared; if it is a whole volume, add `--full`",
                );
            }
            if !common.quiet {
                let which = if self.records_of.is_none() { "" } else { " wherever the stream has a record" };
                let compared = human(found.compared);
                say(&format!("lvbackup: `{left}` and `{right}` are the same{which}: {compared} compared"));
            }
            return Ok(());
        }
        let sizes = match (self.same_size(), left_size, right_size) {
            (false, Some(a), Some(b)) => format!("; `{left}` has {a} bytes, `{right}` {b}"),
            _ => String::new(),
        };
        let (differ, compared) = (sized(found.total), human(found.compared));
        Err(Failure::msg(
            Exit::Refused,
            format!("`{left}` and `{right}` differ: in {differ} of {compared} that were compared{sizes}"),
        ))
    }
}

//! `lvbackup send`: a full layer, or what changed since an older one, as a stream.

mod head;
mod resume;

use std::path::PathBuf;

use block_copy::Queue;
use cli::{Common, Exit, Failure, OrFail, Outcome, Progress, Stop, StreamArgs, say, undone};
use hyperlayer::Header;
use lvm_cmd::{DEFAULT_STATE_DIR, Host, LvRef, StateDir, VgName};
use transfer::lvm::{Lvm, Run, Selection, Snapshots, Source, deltas, layer_of};
use transfer::receive::ResumeToken;
use transfer::{DetectLevel, Layer, Plan, Style, diff};

use head::Head;

/// Write a full layer, or what changed since an older one, as a stream
///
/// Without -i everything that is mapped in LV is sent, with it only the chunks in which LV and OLD differ. Neither may
/// change meanwhile: each must be read-only, inactive, or a snapshot that is not in use; `--snapshot` makes a snapshot of
/// one that is live. Several volumes of one pool (-l repeated, each with its -i in the same order, or none) are compared
/// in one metadata snapshot and go into the folder of `-o`, each as LV.hl.
#[derive(clap::Args, Debug)]
#[command(after_long_help = AFTER)]
pub(crate) struct Args {
    /// The volume group of all volumes
    #[arg(short = 'v', long = "vg", value_name = "VG")]
    vg: Option<String>,

    /// The volume to send; repeatable
    #[arg(short = 'l', long = "lv", value_name = "LV", required_unless_present = "resume")]
    lv: Vec<String>,

    /// The older volume that the receiver has: send only what differs from it
    #[arg(short, long, visible_alias = "base", value_name = "OLD")]
    incremental: Vec<String>,

    /// Add the header lines in FILE, `KEY: VALUE`, to the stream's own; `Name` there replaces the volume's
    #[arg(long, value_name = "FILE")]
    head: Option<PathBuf>,

    /// A line of your own in the stream's header; repeatable, the value may contain `:`
    #[arg(long, value_name = "KEY:VALUE")]
    meta: Vec<cli::Meta>,

    /// Make a snapshot of a volume to send that is live, read that, and remove it afterwards
    #[arg(long)]
    snapshot: bool,

    /// With --snapshot: freeze the file systems above the volume, on encryption or a partition, while it is made. One
    /// directly on the volume is frozen by the device mapper in any case
    #[arg(long, requires = "snapshot")]
    freeze: bool,

    #[command(flatten)]
    hooks: cli::Hooks,

    /// How much of OLD is hashed into the stream, for the receiver to check: 0 nothing, 1 the first block, 2 samples,
    /// 3 every block that the result depends on
    #[arg(short, long, value_name = "LEVEL", default_value = "2")]
    detect: DetectLevel,

    /// The stream's format
    #[arg(long, value_enum, default_value = "1.1")]
    format: cli::WriteFormat,

    #[command(flatten)]
    stream: StreamArgs,

    /// Send only the rest of a layer, for a receiver that was interrupted and gave this token. The volumes are found by
    /// their ids where no -l is given
    #[arg(long, value_name = "TOKEN", conflicts_with = "snapshot")]
    resume: Option<ResumeToken>,

    /// Say what the stream would hold, to the byte, and send nothing
    #[arg(long)]
    dry_run: bool,

    /// With --dry-run: as one JSON object a line on standard output
    #[arg(long, requires = "dry_run")]
    json: bool,
}

const AFTER: &str = "\
Examples:
  lvbackup send -v vg0 -l monday | ssh host lvbackup recv -v vg1 -p pool0 -l monday
  lvbackup send -v vg0 -l tuesday -i monday --compress zstd -o tuesday.hl
  lvbackup send -v vg0 -l data --snapshot --pre 'pg_ctl stop' --post 'pg_ctl start' -o data.hl
  lvbackup send --resume hl1-eyJsYXllciI6... | ssh host lvbackup recv --resume -v vg1 -l tuesday
  lvbackup send -v vg0 -l root -l data -l log --snapshot -o /backup/today

The last two lines on standard error are the SHA1 and the BLAKE3 of exactly the bytes written. A snapshot of `--snapshot`
is gone afterwards, and with it the base of a later delta: for a chain, make snapshots that stay, or use
`lvbackup backup`.";

/// Sends the volumes.
///
/// # Errors
/// See the exit status in the help.
pub(crate) fn run(args: &Args, common: Common, stop: &Stop) -> Outcome {
    let head = args.head.as_deref().map(head::read).transpose()?.unwrap_or_default();
    let style = args.style(&head);
    style.check().or_fail(Exit::Usage)?;
    let outputs = args.outputs()?;
    let mut names = args.names()?;
    if !args.snapshot && args.hooks.are_any() {
        return Err(Failure::msg(
            Exit::Usage,
            "`--pre` and `--post` are for the moment of a snapshot, and none is made",
        )
        .hint("add `--snapshot`"));
    }
    cli::require_root("`lvdiff` with `--scan` or `--full FILE`, which send images")?;

    let (exec, state) =
        (Host::new().stopped_by(stop.shared()), StateDir::new(DEFAULT_STATE_DIR).map_err(transfer::Error::from)?);
    let lvm = Lvm::new(&exec, &state, stop.flag());
    let mut this = Run::start(&lvm)?;
    if let Some(token) = args.resume.as_ref().filter(|_| names.is_empty()) {
        names.push(resume::find(&lvm, token)?);
    }
    let found = find(&lvm, &names)?;
    if let (false, Some(first)) = (args.dry_run, found.first()) {
        cli::say_leftovers("lvbackup", this.remove_leftovers(&lvm, &first.group)?);
    }
    for doubt in found.iter().flat_map(|selection| selection.doubts(args.detect)) {
        say(&format!("lvbackup: warning: {doubt}"));
    }
    if args.snapshot {
        found.iter().try_for_each(|selection| selection.check_base_quiet(&lvm))?;
    }
    if args.resume.is_some() {
        found.iter().try_for_each(Selection::check_kept)?;
    }

    let job = Job { args, common, lvm: &lvm, style: &style, name: head.name.as_deref(), named: &found, outputs, stop };
    if !args.snapshot {
        return job.send(&found);
    }
    let snapshots = args.hooks.around(&listed(&names), || {
        let live: Vec<_> = found.iter().flat_map(|selection| selection.live(&lvm)).collect();
        let frozen =
            args.freeze.then(|| this.freeze_above(&lvm, live.iter().copied(), &cli::written_to())).transpose()?;
        let made = Snapshots::create(lvm, &mut this, &found);
        let thawed = frozen.map_or(Ok(()), |frozen| frozen.thaw().map_err(transfer::Error::from));
        Ok(match (made, thawed) {
            (made, Ok(())) => made,
            (Ok(made), Err(frozen)) => transfer::undone(Err(frozen), made.remove()),
            (Err(refused), Err(frozen)) => transfer::undone(Err(refused), Err(frozen)),
        }?)
    })?;
    let quiet: Vec<_> = names.iter().map(|(new, base)| (snapshots.in_place_of(new).clone(), base.clone())).collect();
    let outcome = find(&lvm, &quiet).map_err(Failure::from).and_then(|quiet| job.send(&quiet));
    undone(outcome, snapshots.remove())
}

/// A volume to send and its base.
type Names = (LvRef, Option<LvRef>);

impl Args {
    fn style(&self, head: &Head) -> Style {
        let meta = self.meta.iter().cloned().map(cli::Meta::into_pair);
        Style {
            format: self.format.into(),
            detect: self.detect,
            meta: head.meta.iter().cloned().chain(meta).collect(),
            tool: concat!("lvbackup ", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }

    /// Where each volume's stream goes.
    fn outputs(&self) -> Outcome<Vec<StreamArgs>> {
        if self.resume.is_some() && (self.lv.len() > 1 || self.format != cli::WriteFormat::V1_1) {
            return Err(Failure::msg(Exit::Usage, "`--resume` sends the rest of one layer, in format 1.1"));
        }
        if self.lv.len() <= 1 {
            if !self.dry_run {
                self.stream.check()?;
            }
            return Ok(vec![self.stream.clone()]);
        }
        let Some(folder) = self.stream.output.as_deref().filter(|output| output.is_dir() || self.dry_run) else {
            return Err(Failure::msg(Exit::Usage, "several volumes go into a folder, each as LV.hl")
                .hint("name a folder that exists: `-o FOLDER`"));
        };
        let file = |lv: &String| folder.join(format!("{}.hl", lv.rsplit('/').next().unwrap_or(lv)));
        Ok(self.lv.iter().map(|lv| StreamArgs { output: Some(file(lv)), ..self.stream.clone() }).collect())
    }

    fn names(&self) -> Outcome<Vec<Names>> {
        let vg = self.vg.as_deref().map(str::parse::<VgName>).transpose().or_fail(Exit::Usage)?;
        let named = |names: &[String]| -> Outcome<Vec<LvRef>> {
            names.iter().map(|name| LvRef::parse(name, vg.as_ref()).or_fail(Exit::Usage)).collect()
        };
        let (volumes, bases) = (named(&self.lv)?, named(&self.incremental)?);
        if let Some(twice) = volumes.iter().enumerate().find_map(|(n, one)| volumes[..n].contains(one).then_some(one)) {
            return Err(Failure::msg(Exit::Usage, format!("`{twice}` is given twice")));
        }
        match bases.len() {
            0 => Ok(volumes.into_iter().map(|volume| (volume, None)).collect()),
            n if n == volumes.len() => Ok(volumes.into_iter().zip(bases.into_iter().map(Some)).collect()),
            n => Err(Failure::msg(Exit::Usage, format!("there are {} volumes and {n} older ones", volumes.len()))
                .hint("give each `-l LV` its `-i OLD`, in the same order, or none at all")),
        }
    }
}

fn find(lvm: &Lvm<'_>, names: &[Names]) -> Result<Vec<Selection>, transfer::Error> {
    names.iter().map(|(new, base)| Selection::find(lvm, new, base.as_ref(), None)).collect()
}

fn listed(names: &[Names]) -> String {
    names.iter().map(|(volume, _)| volume.to_string()).collect::<Vec<_>>().join(" ")
}

/// What is sent, and how.
struct Job<'a> {
    args: &'a Args,
    common: Common,
    lvm: &'a Lvm<'a>,
    style: &'a Style,
    /// The name that the head gives the volume.
    name: Option<&'a str>,
    /// The volumes under the names that the user gave.
    named: &'a [Selection],
    outputs: Vec<StreamArgs>,
    stop: &'a Stop,
}

impl Job<'_> {
    /// Sends volumes that nobody writes to.
    fn send(&self, quiet: &[Selection]) -> Outcome {
        quiet.iter().try_for_each(|selection| selection.check_quiet(self.lvm))?;
        // Before the deltas, so that it is checked of all of the time whether a volume is written to.
        let sources = if self.args.dry_run { Vec::new() } else { Source::open_all(self.lvm, quiet)? };
        let sent = self.send_opened(quiet, &sources);
        sources.into_iter().fold(sent, |outcome, source| undone(outcome, source.close()))
    }

    fn send_opened(&self, quiet: &[Selection], sources: &[Source<'_>]) -> Outcome {
        let progress = Progress::new("comparing", None, self.common, self.stop.clone());
        let deltas = deltas(self.lvm, quiet, &progress)?;
        drop(progress);
        let parts = quiet.iter().zip(deltas).zip(self.named).zip(&self.outputs);
        for (number, (((selection, delta), named), output)) in parts.enumerate() {
            let layer = Layer {
                name: Some(self.name.map_or_else(|| named.new.name.lv().to_string(), str::to_owned)),
                source: named.new.name.to_string(),
                id: Some(layer_of(&selection.new)?),
                parent: selection.base.as_ref().map(layer_of).transpose()?,
                full: selection.base.is_none(),
                created: selection.new.created_seconds.and_then(cli::utc),
                geometry: selection.geometry()?,
                delta,
            };
            let (mut header, mut plan) = layer.plan(self.style)?;
            if let Some(token) = &self.args.resume {
                (header, plan) = resume::rest(token, header, &plan)?;
            }
            match sources.get(number) {
                None => cli::show_plan(&header, &plan, self.args.json)?,
                Some(source) => self.write(source, &header, &plan, output)?,
            }
        }
        Ok(())
    }

    fn write(&self, source: &Source<'_>, header: &Header, plan: &Plan, output: &StreamArgs) -> Outcome {
        let progress = Progress::new("sending", Some(plan.work()), self.common, self.stop.clone());
        output.write(&progress, self.stop, |progress, put| {
            Ok(diff(header, plan, source.new_volume(), source.base(), Queue::default(), progress, put)?)
        })
    }
}

//! `lvbackup merge`: a chain into one layer.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use cli::{Common, Exit, Failure, Outcome, Progress, Stop, StreamArgs, say};
use extents::Bytes;
use hyperlayer::{Format, Header, Kind};
use transfer::{Identity, Merge};

/// Make one layer of a chain: what it does in effect, without what later layers replaced
///
/// The result is a full layer where the first one is, else a delta against the first one's parent. Of each block the
/// newest layer that has it gives it. All files are read twice, the second time side by side, so they must be files with
/// one layer each; the memory this takes does not grow with the data.
#[derive(clap::Args, Debug)]
#[command(after_long_help = AFTER)]
pub(crate) struct Args {
    /// Streams, the oldest layer first; compressed ones are recognised
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,

    /// The stream's format; 1.0 is what the original lvpatch reads
    #[arg(long, value_enum, default_value = "1.1")]
    format: cli::WriteFormat,

    #[command(flatten)]
    stream: StreamArgs,

    #[command(flatten)]
    reading: cli::ReadArgs,

    /// The size of the volume, for formats that do not say it
    #[arg(long, value_name = "SIZE", value_parser = extents::parse_size)]
    size: Option<Bytes>,

    /// Say what the result would hold, to the byte, and write nothing
    #[arg(long)]
    dry_run: bool,

    /// With --dry-run: as one JSON object on standard output
    #[arg(long, requires = "dry_run")]
    json: bool,
}

const AFTER: &str = "\
Examples:
  lvbackup merge monday.hl tuesday.hl wednesday.hl -o until-wednesday.hl
  lvbackup merge tuesday.hl wednesday.hl --compress zstd -o both.hl.zst
  lvbackup merge monday.hl tuesday.hl | ssh host lvbackup recv -v vg1 -p pool0 -l tuesday

The result is the newest layer: it has its id and its name, and the next layer of the chain follows it. Base checks are \
those of the first layer. FILE must not be the result; an existing file of that name is replaced when all is done.

The last two lines on standard error are the SHA1 and the BLAKE3 of exactly the bytes written.";

/// Merges the chain.
///
/// # Errors
/// See the exit status in the help.
pub(crate) fn run(args: &Args, common: Common, stop: &Stop) -> Outcome {
    if !args.dry_run {
        args.stream.check()?;
    }
    args.check_files()?;
    // The files outlive both passes, each of which shows how far it is.
    let opened = Progress::new("opening", None, Common { quiet: true, ..common }, stop.clone());
    let inputs = args.files.iter().map(|file| cli::layer_input(file, "", &opened));
    let inputs: Vec<_> = inputs.map(|input| Ok(args.reading.of(input?))).collect::<Outcome<_>>()?;
    let merge = Merge::plan(inputs, args.size, &Progress::new("reading", None, common, stop.clone()))?;
    for link in merge.links().iter().filter(|link| link.identity == Some(Identity::Unnamed)) {
        say(&format!("lvbackup: warning: `{}` does not name its parent: nothing proves that it follows", link.name));
    }
    if let Some(first) = merge.links().first().filter(|first| first.header.kind == Kind::Unknown) {
        say(&format!(
            "lvbackup: warning: `{}` does not say whether it is a whole volume; the result is a delta",
            first.name
        ));
    }
    let format = Format::from(args.format);
    let tool = (format == Format::V1_1).then(|| concat!("lvbackup ", env!("CARGO_PKG_VERSION")).to_owned());
    let header = Header { tool, ..merge.header(format)? };
    if args.dry_run {
        return cli::show_plan(&header, merge.records(), args.json);
    }
    let progress = Progress::new("merging", Some(merge.records().work()), common, stop.clone());
    args.stream.write(&progress, stop, |progress, put| Ok(merge.write(&header, progress, put)?))
}

impl Args {
    /// Refuses what cannot be read twice, and what would take the place of an input.
    fn check_files(&self) -> Outcome {
        let output = self.stream.file().and_then(|output| fs::metadata(output).ok());
        for file in &self.files {
            let name = file.display();
            let found = fs::metadata(file);
            if file == Path::new("-") || found.as_ref().is_ok_and(|found| !found.is_file()) {
                return Err(Failure::msg(Exit::Usage, format!("`{name}` cannot be read twice: it is no regular file"))
                    .hint("write the stream to a file first"));
            }
            // A file that is not there is told of where it is opened.
            let Ok(found) = found else { continue };
            if output.as_ref().is_some_and(|output| (output.dev(), output.ino()) == (found.dev(), found.ino())) {
                return Err(Failure::msg(Exit::Usage, format!("the result cannot take the place of `{name}`")));
            }
        }
        Ok(())
    }
}

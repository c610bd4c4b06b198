//! The command line: types and help, nothing else.

use std::path::PathBuf;

use clap::Parser;
use extents::ChunkSize;
use hyperlayer::LayerId;
use transfer::{DetectLevel, Style};

/// Write what turns base volume B into volume A as one HYPERLAYER stream
///
/// A is the newer thin volume, B the older one of the same pool that the receiver already has, usually two snapshots of
/// one volume. Only the chunks in which they differ are read and sent. Neither may change meanwhile: each must be
/// read-only, inactive, or a snapshot that is not in use; `--snapshot` makes a snapshot of an A that is live.
#[derive(Parser, Debug)]
#[command(name = "lvdiff", version, after_long_help = LONG_AFTER, after_help = SHORT_AFTER)]
pub(crate) struct Args {
    /// The newer volume: VG/LV, /dev/VG/LV, LV with -g; or, in image mode, a file or device
    #[arg(value_name = "A")]
    pub new: String,

    /// Its base: the older volume, which the receiver has
    #[arg(value_name = "B", required_unless_present = "full", conflicts_with = "full")]
    pub base: Option<String>,

    /// The volume group of A and B
    #[arg(short = 'g', long = "vg", alias = "lvgroup", value_name = "VG")]
    pub vg: Option<String>,

    /// The thin pool that A and B must be in; needed never, checked when given
    #[arg(short, long, value_name = "POOL")]
    pub pool: Option<String>,

    /// Everything that is mapped in A, for a receiver that has no base
    #[arg(long)]
    pub full: bool,

    /// Make a snapshot of A, which is live, read that, and remove it afterwards. With it goes the base of a later delta: for
    /// a chain, make snapshots that stay. B must be one: of a live B no receiver has a snapshot
    #[arg(long, conflicts_with_all = ["scan", "delta"])]
    pub snapshot: bool,

    /// How much of the base is hashed into the stream, for the receiver to check: 0 nothing, 1 the first block,
    /// 2 samples, 3 every block that the result depends on
    #[arg(short, long, value_name = "LEVEL", default_value = "2")]
    pub detect: DetectLevel,

    /// A line of your own in the stream's header; repeatable, the value may contain `:`
    #[arg(long = "meta", visible_alias = "pair", value_name = "KEY:VALUE")]
    pub meta: Vec<cli::Meta>,

    /// The stream's version; 1.0 is what the original lvpatch reads
    #[arg(long, value_enum, default_value = "1.1")]
    pub format: cli::WriteFormat,

    #[command(flatten)]
    pub stream: cli::StreamArgs,

    /// Say what the stream would hold, to the byte, and send nothing. Thin volumes are not read for it; images are
    #[arg(long)]
    pub dry_run: bool,

    /// With --dry-run: as one JSON object on standard output
    #[arg(long, requires = "dry_run")]
    pub json: bool,

    /// Image mode: A and B are image files or devices, and both are read whole and compared
    #[arg(long, help_heading = "Image mode", conflicts_with = "delta")]
    pub scan: bool,

    /// Image mode: A and B are image files or devices; FILE is what `thin_delta --snap1 B --snap2 A` printed of them
    #[arg(long, help_heading = "Image mode", value_name = "FILE", conflicts_with = "full")]
    pub delta: Option<PathBuf>,

    /// Image mode: the chunk that --scan and --full compare by
    #[arg(long, help_heading = "Image mode", value_name = "SIZE", default_value = "64k", value_parser = cli::chunk_size)]
    pub chunk_size: ChunkSize,

    /// Image mode: what the stream calls A, instead of an id derived from its content
    #[arg(long, help_heading = "Image mode", value_name = "ID")]
    pub layer_id: Option<LayerId>,

    /// Image mode: what the stream calls B, likewise
    #[arg(long, help_heading = "Image mode", value_name = "ID", conflicts_with = "full")]
    pub parent_id: Option<LayerId>,

    #[command(flatten)]
    pub common: cli::Common,
}

impl Args {
    /// How the stream is written.
    pub(crate) fn style(&self) -> Style {
        Style {
            format: self.format.into(),
            detect: self.detect,
            meta: self.meta.iter().cloned().map(cli::Meta::into_pair).collect(),
            tool: concat!("lvdiff ", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

const SHORT_AFTER: &str = "`lvdiff --help` shows examples, image mode and the exit status.";

const LONG_AFTER: &str = "\
Examples:
  lvcreate -s -pr -n monday vg0/data; ...; lvcreate -s -pr -n tuesday vg0/data
  lvdiff --full vg0/monday | ssh host lvpatch -g vg1 -p pool0 monday
  lvdiff vg0/tuesday vg0/monday | ssh host lvpatch -g vg1 -l monday tuesday
  lvdiff vg0/tuesday vg0/monday --compress zstd -o tuesday.hl
  lvdiff vg0/tuesday vg0/monday --dry-run
  lvdiff --scan new.img old.img -o changes.hl

Image mode (--scan, --delta, or --full with a path that is no thin volume) needs neither root nor LVM.

The last two lines on standard error are the SHA1 and the BLAKE3 of exactly the bytes written.

Exit status:
  0      the stream is complete, and durable where it went to a file
  1      the operation failed; what was written has no end mark and no reader will take it
  2      wrong usage
  3      the data was refused: a delta of other volumes, images that changed meanwhile
  4      the surroundings were refused: not root, a tool missing or faulty, a pool unhealthy, a metadata snapshot
         that somebody else holds
  5      something was left over; the message names the command that removes it
  128+N  ended by signal N, after cleaning up";

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn what_the_seed_documents_show_is_accepted() {
        for line in [
            "lvdiff -g vg0 --pair Author:BigVan --pair Message:hello sp0 vol0",
            "lvdiff -g vg0 -p pool0 -d 3 --meta at:12:30 sp1 sp0",
            "lvdiff vg0/a vg0/b --format 1.0 --compress zstd:9 --bwlimit 20m/s",
        ] {
            Args::try_parse_from(line.split(' ')).unwrap();
        }
        let args = Args::try_parse_from(["lvdiff", "--meta", "at: 12:30", "a", "b"]).unwrap();
        assert_eq!(args.meta[0].clone().into_pair(), ("at".to_owned(), "12:30".to_owned()));
    }

    #[test]
    fn what_cannot_mean_anything_is_refused() {
        for line in [
            "lvdiff a",
            "lvdiff --full a b",
            "lvdiff -d 9 a b",
            "lvdiff --compress zstd:77 a b",
            "lvdiff --bwlimit 0 a b",
            "lvdiff --meta nocolon a b",
            "lvdiff --scan --delta x a b",
            "lvdiff --json a b",
            "lvdiff --chunk-size 100 --scan a b",
        ] {
            assert!(Args::try_parse_from(line.split(' ')).is_err(), "{line}");
        }
    }
}

//! The command line: types and help, nothing else.

use std::path::PathBuf;

use clap::Parser;
use extents::{Bytes, parse_size};
use hyperlayer::LayerId;

/// Apply a HYPERLAYER stream on a base volume, giving a new volume; the base is never written
///
/// The stream comes on standard input. A delta becomes a new thin snapshot of BASE with the changes in it, a full layer
/// a new thin volume in POOL. The new volume appears under its name only when the stream was complete, every check in
/// it was right and everything is durable; it is read-only and inactive, ready to be the next base.
#[derive(Parser, Debug)]
#[command(name = "lvpatch", version, after_long_help = LONG_AFTER, after_help = SHORT_AFTER)]
pub(crate) struct Args {
    /// The new volume's name [default: the name in the stream]
    #[arg(value_name = "NEW", conflicts_with = "image_output")]
    pub new: Option<String>,

    /// The volume group of the base and of the new volume
    #[arg(short = 'g', long = "vg", alias = "lvgroup", value_name = "VG")]
    pub vg: Option<String>,

    /// The base: the volume that holds the layer which the stream was made against
    #[arg(short = 'l', long = "base-lv", aliases = ["lv", "lvbase"], value_name = "BASE",
          conflicts_with_all = ["pool", "image_output"])]
    pub lv: Option<String>,

    /// The thin pool for a full layer, which has no base
    #[arg(short, long, value_name = "POOL", conflicts_with = "image_output")]
    pub pool: Option<String>,

    /// Read the stream from FILE instead of standard input
    #[arg(short, long, value_name = "FILE")]
    pub input: Option<PathBuf>,

    /// Do not check the base against the hashes in the stream (its identity is checked all the same)
    #[arg(long)]
    pub no_base_check: bool,

    /// Apply on this base although it is not the layer that the stream was made against, or may have changed since
    #[arg(long)]
    pub force_base: bool,

    #[command(flatten)]
    pub reading: cli::ReadArgs,

    /// The new volume's size, where the stream does not say it; else it is its base's
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub size: Option<Bytes>,

    /// Leave the new volume writable, and active after the next boot. It is then no base for a further delta, since nobody can
    /// tell whether it changed
    #[arg(long, conflicts_with = "image_output")]
    pub writable: bool,

    /// Check everything, the base included, and write nothing
    #[arg(long)]
    pub dry_run: bool,

    /// Image mode: the image to apply a delta on; it is only read
    #[arg(long, help_heading = "Image mode", value_name = "FILE", conflicts_with_all = ["lv", "pool"])]
    pub base: Option<PathBuf>,

    /// Image mode: the image to make: written beside, synced, renamed; an existing file is not replaced
    #[arg(long = "output", id = "image_output", help_heading = "Image mode", value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Image mode: what the base's layer is called, where the stream's ids are not derived from content
    #[arg(long, help_heading = "Image mode", value_name = "ID", requires = "base")]
    pub base_id: Option<LayerId>,

    #[command(flatten)]
    pub common: cli::Common,
}

const SHORT_AFTER: &str = "`lvpatch --help` shows examples and the exit status.";

const LONG_AFTER: &str = "\
Examples:
  lvdiff --full vg0/monday | lvpatch -g vg1 -p pool0 monday
  lvdiff vg0/tuesday vg0/monday | lvpatch -g vg1 -l monday tuesday
  lvpatch -g vg1 -l monday < tuesday.hl
  lvpatch -g vg1 -l monday --dry-run < tuesday.hl
  lvpatch --base old.img --output new.img < changes.hl

Streams compressed with zstd are recognised. Streams of HYPERLAYER 1.0, of the first lvbackup, thin_send, lvmsync and
lvm-thin-sendrcv (ddxml) are read too; what they cannot promise is said.

A received volume carries its layer's id in the LVM tag `hyperlayer.layer=ID`. A delta is applied on a read-only volume
that carries the tag of the delta's parent, or is the very one that has the parent's UUID. Tag a volume that you know to
hold that layer: `lvchange -pr --addtag hyperlayer.layer=ID VG/LV`. What was made writable, written, and made read-only
again, only the stream's checks can find: all of it where it was made with `lvdiff -d 3`, else by samples.

Exit status:
  0      the new volume is there: whole, checked and durable
  1      the operation failed; nothing visible changed
  2      wrong usage
  3      the data was refused: cut, altered, or made for another base
  4      the surroundings were refused: not root, a tool missing, a pool unhealthy or too full
  5      something was left over; the message names the command that removes it
  128+N  ended by signal N, after cleaning up

A process that is killed (SIGKILL, power loss) leaves a volume named hyperlayer-... with the tag hyperlayer.receiving;
the same command run again removes it and starts anew.";

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn old_spellings_are_accepted() {
        for line in [
            "lvpatch -g vg1 -l sp0",
            "lvpatch -g vg1 --lv sp0 new",
            "lvpatch --lvgroup vg1 --lvbase sp0 --no-base-check new",
            "lvpatch --base a --output b --input c",
        ] {
            Args::try_parse_from(line.split(' ')).unwrap();
        }
    }

    #[test]
    fn what_cannot_mean_anything_is_refused() {
        for line in [
            "lvpatch --base a -l b",
            "lvpatch -l b -p c",
            "lvpatch -l b --output x",
            "lvpatch new --output x",
            "lvpatch --base-id x --output y",
        ] {
            assert!(Args::try_parse_from(line.split(' ')).is_err(), "{line}");
        }
    }
}

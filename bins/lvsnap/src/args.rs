//! The command line: which commands there are, and what is true of all of them. The options of each stand beside it.

use clap::{Parser, Subcommand};

use crate::{check, create, dump, list, mounting, prune, recover, remove, restore};

/// Make snapshots of LVM volumes, mount, dump and remove them, on a volume group without free space too
///
/// Everything that a snapshot is made of is recorded before it is made, and nothing else is ever removed: a temporary file, its
/// loop device, the physical volume on it, the snapshot, the folder it is mounted at. After a crash or a boot `lvsnap recover`
/// shows what is left to do, and does it.
#[derive(Parser, Debug)]
#[command(name = "lvsnap", version, after_long_help = LONG_AFTER, after_help = SHORT_AFTER)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub command: Command,

    #[command(flatten)]
    common: cli::Common,
}

impl Args {
    /// What every command takes.
    pub(crate) fn common(&self) -> cli::Common {
        self.common
    }
}

#[derive(Subcommand, Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one in the process")]
pub(crate) enum Command {
    Check(check::Args),
    Create(create::Args),
    Remove(remove::Args),
    Mount(mounting::MountArgs),
    Umount(mounting::UmountArgs),
    List(list::Args),
    Recover(recover::Args),
    Dump(dump::Args),
    Restore(restore::Args),
    Prune(prune::Args),
}

const SHORT_AFTER: &str = "`lvsnap --help` shows examples and the exit status; `lvsnap COMMAND --help` the options.";

const LONG_AFTER: &str = "\
Examples:
  lvsnap create vg0/thin before-upgrade
  lvsnap create vg0/data nightly --size 4g --mount /mnt/nightly
  lvsnap create vg0/data nightly --size 4g --tmp-file /backup/space.img --mount /mnt/nightly
  lvsnap check vg0/data nightly --size 4g --tmp-file /backup/space.img
  lvsnap list
  lvsnap remove vg0/nightly
  lvsnap recover
  lvsnap dump vg0/data /backup --size 4g --daily-max 6 --weekly-max 4
  lvsnap restore /backup/vg0-data-dumps/vg0-data-dump-daily-2026-11-21_03-00-00.fsa vg0/data

Command lines of lvm_snaphot.py and of backup-lvm-fsa-snapshot.sh work with the program's name replaced: lvsnap(8) has the list.

Exit status:
  0      the whole job is done and durable
  1      the operation failed; nothing visible changed
  2      wrong usage
  3      the data was refused: no dump, one that was cut, or other volumes' dumps
  4      the surroundings were refused: not root, a tool missing, no space, a pool unhealthy or too full
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
}

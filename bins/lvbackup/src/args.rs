//! The command line: which commands there are, and what is true of all of them. The options of each stand beside it.

use clap::{CommandFactory, Parser, Subcommand};

use crate::daemon::{self, status};
use crate::store::{backup, check, export, init, list, mark, prune, restore, unlock};
use crate::{compare, info, merge, recv, send, serve, sync, verify};

/// Back up thin volumes, full and incremental, and restore them
///
/// A layer is one state of one volume as a HYPERLAYER stream: full, or a delta against its parent layer. Layers go
/// through pipes, into files, or into a store, and a chain of them gives back every state that it passed through.
#[derive(Parser, Debug)]
#[command(name = "lvbackup", version, after_long_help = LONG_AFTER, after_help = SHORT_AFTER)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub command: Command,

    /// Say more on standard error: each command that is run; twice for all details
    // `-v` is the volume group, as it was in the original.
    #[arg(long, action = clap::ArgAction::Count, global = true)]
    verbose: u8,

    /// No progress and no remarks; only errors and what was asked for
    #[arg(short, long, global = true)]
    quiet: bool,

    /// How progress is shown
    #[arg(long, value_enum, default_value = "auto", global = true, value_name = "HOW")]
    progress: cli::Shown,
}

impl Args {
    /// The command line, with the settings of object stores in the help of every command that takes a store.
    pub(crate) fn documented() -> clap::Command {
        let command = Self::command();
        let takes_a_store = |of: &&clap::Command| of.get_arguments().any(|argument| argument.get_id() == "store");
        let names: Vec<_> =
            command.get_subcommands().filter(takes_a_store).map(|of| of.get_name().to_owned()).collect();
        names.into_iter().fold(command, |command, name| {
            command.mut_subcommand(name, |of| {
                let before = of.get_after_long_help().map(ToString::to_string).unwrap_or_default();
                of.after_long_help(format!("{before}\n\n{OBJECT_STORES}"))
            })
        })
    }

    /// What every command takes.
    pub(crate) fn common(&self) -> cli::Common {
        cli::Common { verbose: self.verbose, quiet: self.quiet, progress: self.progress }
    }
}

#[derive(Subcommand, Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one in the process")]
pub(crate) enum Command {
    Init(init::Args),
    Backup(backup::Args),
    Restore(restore::Args),
    List(list::Args),
    Check(check::Args),
    Prune(prune::Args),
    Hold(mark::HoldArgs),
    Unhold(mark::UnholdArgs),
    Tag(mark::TagArgs),
    Untag(mark::UntagArgs),
    Export(export::Args),
    Unlock(unlock::Args),
    Send(send::Args),
    Recv(recv::Args),
    Sync(sync::Args),
    Serve(serve::Args),
    Info(info::Args),
    Verify(verify::Args),
    Merge(merge::Args),
    Compare(compare::Args),
    Daemon(daemon::Args),
    Status(status::StatusArgs),
    Alarm(status::AlarmArgs),
}

const OBJECT_STORES: &str = "\
Environment variables of object stores, as their own tools take them (an empty one is not set):
  AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY   s3: the key; without it, the role of this machine
  AWS_SESSION_TOKEN                          s3: the token of a temporary key
  AWS_REGION                                 s3: the bucket's region [default: us-east-1]
  AWS_ENDPOINT                               s3: the service, such as https://minio.example:9000 [default: Amazon's]
  AWS_ALLOW_HTTP=true                        s3: allow an endpoint without TLS, http://
  AWS_VIRTUAL_HOSTED_STYLE_REQUEST=true      s3: the endpoint has the bucket in its host name
  GOOGLE_SERVICE_ACCOUNT                     gs: the path of the account's key file
  AZURE_STORAGE_ACCOUNT_NAME                 az: the account
  AZURE_STORAGE_ACCOUNT_KEY                  az: its key";

const SHORT_AFTER: &str =
    "`lvbackup --help` shows examples and the exit status; `lvbackup COMMAND --help` the options.";

const LONG_AFTER: &str = "\
Examples:
  lvbackup send -v vg0 -l monday -o monday.hl
  lvbackup send -v vg0 -l tuesday -i monday -o tuesday.hl
  cat monday.hl tuesday.hl | lvbackup recv -v vg1 -p pool0 -l tuesday
  lvbackup verify monday.hl tuesday.hl
  lvbackup merge monday.hl tuesday.hl -o both.hl
  lvbackup compare vg0/tuesday vg1/tuesday
  lvbackup init /backup/store; lvbackup backup vg0/data /backup/store
  lvbackup prune /backup/store --keep-daily 7 --keep-weekly 5
  lvbackup sync vg0/data backup@host2:vg1/data --pool pool0
  lvbackup daemon --config /etc/hyperlayer/lvbackup.toml; lvbackup status

Exit status:
  0      the whole job is done, checked and durable
  1      the operation failed; nothing visible changed
  2      wrong usage
  3      the data was refused: cut, altered, of another base, a broken chain; or what was compared differs
  4      the surroundings were refused: not root, a tool missing, a pool unhealthy or too full; a store unreachable, locked
         or full
  5      something was left over; the message names the command that finishes or removes it
  128+N  ended by signal N, after cleaning up
`lvbackup alarm` exits as monitoring plugins do: 0 OK, 1 warning, 2 critical, 3 unknown.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::documented().debug_assert();
    }

    #[test]
    fn every_command_on_a_store_names_the_variables() {
        let command = Args::documented();
        let names: Vec<_> = command
            .get_subcommands()
            .filter(|of| of.get_after_long_help().is_some_and(|text| text.to_string().contains("AWS_ENDPOINT")))
            .map(clap::Command::get_name)
            .collect();
        let expected = [
            "init", "backup", "restore", "list", "check", "prune", "hold", "unhold", "tag", "untag", "export", "unlock",
        ];
        assert_eq!(names, expected);
    }
}

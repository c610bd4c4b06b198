//! `lvbackup serve`: the far end of a sync.

use std::path::Path;

use cli::{Common, Exit, Failure, OrFail, Outcome, Stop};
use extents::Bytes;
use lvm_cmd::{DEFAULT_LOCKS_DIR, Host, Remembering, StateDir};
use replicate::lvm::{LvmHost, Setup, ThisRun};
use replicate::{Access, Allow, Hello, LinkError, Patience, Pattern, Serving, Volumes};
use retention::UnixSeconds;
use transfer::lvm::Lvm;
use transfer::receive::DEFAULT_PARTIAL_DIR;

use crate::sync::ends::{End, Shared, Stops};
use crate::sync::events::Pace;

/// Be the far end of `lvbackup sync`, on standard input and output
///
/// `sync` starts it on the other host by ssh. As the forced command of a key it lets whoever has the key do what the options
/// allow, and nothing else: whatever command the other side asks for, this one runs.
#[derive(clap::Args, Debug)]
#[command(after_long_help = AFTER)]
pub(crate) struct Args {
    /// Speak over standard input and output
    #[arg(long, required = true)]
    stdio: bool,

    /// Only these volumes: `VG/PREFIX*`, `VG/*` or `VG/LV`; repeatable. Without it, all
    #[arg(long, value_name = "PATTERN")]
    allow: Vec<Pattern>,

    /// Receive nothing. Snapshots are made, and those of a pair removed by its rules
    #[arg(long, conflicts_with = "receive_only")]
    read_only: bool,

    /// Send nothing. Hashes of blocks are told, which a first sync into a volume that exists needs
    #[arg(long)]
    receive_only: bool,

    /// At most so many bytes of streams a second, such as 20m
    #[arg(long, value_name = "RATE", value_parser = cli::rate)]
    bwlimit: Option<Bytes>,
}

const AFTER: &str = "\
Examples, as lines of ~/.ssh/authorized_keys:
  restrict,command=\"lvbackup serve --stdio --allow vg1/web1-* --receive-only\" ssh-ed25519 AAAA... web1
  restrict,command=\"lvbackup serve --stdio --allow vg0/data --read-only --bwlimit 20m\" ssh-ed25519 AAAA... backup

A pool is not asked about: who may receive may fill any pool of the groups that are allowed.

Exit status: 0 where the other side said good-bye; 1 where it did not, or broke the protocol; 4 not root.";

/// The level of zstd for what a server sends; a client chooses its own.
const ZSTD_LEVEL: i32 = 3;

/// Serves one session.
///
/// # Errors
/// It did not end as it should.
pub(crate) fn run(args: &Args, _common: Common, stop: &Stop) -> Outcome {
    use std::io::IsTerminal;
    let (stdin, stdout) = (cli::stdin()?, cli::stdout()?);
    if stdin.is_terminal() || stdout.is_terminal() {
        return Err(Failure::msg(
            Exit::Usage,
            "`serve` speaks with a program, and standard input or output is a terminal",
        )
        .hint("`lvbackup sync` starts it on the other host by itself"));
    }
    let volumes = if args.allow.is_empty() { Volumes::Any } else { Volumes::Matching(args.allow.clone()) };
    let access = match (args.read_only, args.receive_only) {
        (true, _) => Access::ReadOnly,
        (_, true) => Access::ReceiveOnly,
        _ => Access::Both,
    };
    let shared = Shared::default();
    let input = End::new(stdin, &shared, stop, Stops::AtOnce).or_fail(Exit::Failed)?;
    let output = End::new(stdout, &shared, stop, Stops::AtOnce).or_fail(Exit::Failed)?;
    let pace = Pace::new(args.bwlimit, stop.clone());
    let allow = Allow { volumes, access };
    let machine = Machine::new(stop)?;
    machine.serve(input, output, &shared, &allow, &pace).map_err(|error| {
        if error.is_broken_rule() {
            return Failure::new(Exit::Refused, error);
        }
        tracing::debug!("{error:?}");
        Failure::msg(Exit::Surroundings, "the client is gone; what is durable stays for its next session")
    })
}

/// What serves on this machine.
pub(crate) struct Machine<'a> {
    stop: &'a Stop,
    exec: Remembering<Host>,
    state: StateDir,
    locks: StateDir,
    run: ThisRun,
}

/// The program, for the other side.
pub(crate) const TOOL: &str = concat!("lvbackup ", env!("CARGO_PKG_VERSION"));

impl<'a> Machine<'a> {
    /// # Errors
    /// Not root, or the folder of locks cannot be had.
    pub(crate) fn new(stop: &'a Stop) -> Outcome<Self> {
        cli::require_root("`lvdiff` with `--scan` or `--full FILE`, which send images,")?;
        let (host, state) = cli::host(stop)?;
        let locks = StateDir::new(DEFAULT_LOCKS_DIR).map_err(transfer::Error::from)?;
        let exec = Remembering::new(host);
        let run = ThisRun::start(&Lvm::new(&exec, &state, stop.flag()))?;
        Ok(Self { stop, exec, state, locks, run })
    }

    /// Serves one session on volumes of this machine.
    ///
    /// # Errors
    /// As [`replicate::serve`].
    pub(crate) fn serve<R: std::io::Read + Send, W: std::io::Write + Send>(
        &self,
        input: R,
        output: W,
        shared: &Shared,
        allow: &Allow,
        pace: &Pace,
    ) -> Result<(), LinkError> {
        let ledgers = Path::new(DEFAULT_PARTIAL_DIR);
        let setup = Setup { now: &now, ledgers, locks: &self.locks, tool: TOOL };
        let host = LvmHost::new(Lvm::new(&self.exec, &self.state, self.stop.flag()), &self.run, setup);
        let uname = rustix::system::uname();
        let hello = Hello::new(allow.access.abilities(), TOOL, &uname.nodename().to_string_lossy());
        let how = Serving {
            allow,
            hello: &hello,
            zstd_level: ZSTD_LEVEL,
            patience: Patience::OF_SECONDS,
            pace: &|bytes| pace.wait(bytes),
            hang_up: &|| shared.hang_up(),
        };
        replicate::serve(input, output, &host, &how)
    }
}

/// The present time; 1970 where the clock is before that.
fn now() -> UnixSeconds {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let seconds = i64::try_from(since.as_secs()).unwrap_or_default();
    UnixSeconds::new(seconds).unwrap_or(UnixSeconds::EPOCH)
}

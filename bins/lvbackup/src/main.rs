//! `lvbackup` backs up thin volumes, full and incremental, and restores them.

#![forbid(unsafe_code)]

mod args;
mod compare;
mod daemon;
mod describe;
mod info;
mod merge;
mod recv;
mod send;
mod serve;
mod store;
mod sync;
mod verify;

use std::process::ExitCode;

use args::{Args, Command};

fn main() -> ExitCode {
    let args: Args = match cli::parse_as("lvbackup", Args::documented(), std::env::args_os()) {
        Ok(args) => args,
        Err(code) => return code,
    };
    if let Command::Alarm(of) = &args.command {
        // Its exit status means something else.
        return daemon::status::alarm(of);
    }
    cli::main("lvbackup", args, Args::common, |args, stop| {
        let common = args.common();
        match args.command {
            Command::Init(of) => store::init::run(&of, common, stop),
            Command::Backup(of) => store::backup::run(&of, common, stop),
            Command::Restore(of) => store::restore::run(&of, common, stop),
            Command::List(of) => store::list::run(&of, common, stop),
            Command::Check(of) => store::check::run(&of, common, stop),
            Command::Prune(of) => store::prune::run(&of, common, stop),
            Command::Hold(of) => store::mark::hold(&of, common, stop),
            Command::Unhold(of) => store::mark::unhold(&of, common, stop),
            Command::Tag(of) => store::mark::tag(&of, common, stop),
            Command::Untag(of) => store::mark::untag(&of, common, stop),
            Command::Export(of) => store::export::run(&of, common, stop),
            Command::Unlock(of) => store::unlock::run(&of, common, stop),
            Command::Send(of) => send::run(&of, common, stop),
            Command::Recv(of) => recv::run(&of, common, stop),
            Command::Sync(of) => sync::run(&of, common, stop),
            Command::Serve(of) => serve::run(&of, common, stop),
            Command::Info(of) => info::run(&of, common, stop),
            Command::Verify(of) => verify::run(&of, common, stop),
            Command::Merge(of) => merge::run(&of, common, stop),
            Command::Compare(of) => compare::run(&of, common, stop),
            Command::Daemon(of) => daemon::run(&of, common, stop),
            Command::Status(of) => daemon::status::run(&of, stop),
            Command::Alarm(_) => Ok(()),
        }
    })
}

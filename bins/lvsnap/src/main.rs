//! `lvsnap` checks, makes, mounts, dumps, lists, recovers and removes snapshots.

#![forbid(unsafe_code)]

mod args;
mod check;
mod context;
mod create;
mod dump;
mod ids;
mod list;
mod lost;
mod making;
#[cfg(test)]
mod man;
mod mount_point;
mod mounting;
mod original;
mod prune;
mod recover;
mod refusal;
mod remove;
mod restore;
mod space;
mod table;
mod wanted;
mod zone;

use std::process::ExitCode;

use args::{Args, Command};

fn main() -> ExitCode {
    let given = original::translated(std::env::args_os().collect()).unwrap_or_else(|error| error.exit());
    let args = match cli::parse("lvsnap", given) {
        Ok(args) => args,
        Err(code) => return code,
    };
    cli::main("lvsnap", args, Args::common, |args, stop| {
        let common = args.common();
        match args.command {
            Command::Check(of) => check::run(&of),
            Command::Create(of) => create::run(&of, common, stop),
            Command::Remove(of) => remove::run(&of, common, stop),
            Command::Mount(of) => mounting::mount(&of, common, stop),
            Command::Umount(of) => mounting::unmount(&of, common, stop),
            Command::List(of) => list::run(&of, stop),
            Command::Recover(of) => recover::run(&of, common, stop),
            Command::Dump(of) => dump::run(&of, common, stop),
            Command::Restore(of) => restore::run(&of, common, stop),
            Command::Prune(of) => prune::run(&of, common),
        }
    })
}

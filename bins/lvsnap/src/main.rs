//! `lvsnap` makes, mounts, lists, recovers, removes and dumps snapshots.

#![forbid(unsafe_code)]

mod args;
mod context;
mod create;
mod dump;
mod ids;
mod list;
mod lost;
mod making;
mod mount_point;
mod mounting;
mod prune;
mod recover;
mod remove;
mod restore;
mod space;
mod table;
mod wanted;
mod zone;

use std::process::ExitCode;

use args::{Args, Command};

fn main() -> ExitCode {
    cli::main("lvsnap", Args::common, |args, stop| {
        let common = args.common();
        match args.command {
            Command::Create(of) => create::run(&of, common, stop),
            Command::Remove(of) => remove::run(&of, common),
            Command::Mount(of) => mounting::mount(&of, common),
            Command::Umount(of) => mounting::unmount(&of, common),
            Command::List(of) => list::run(&of),
            Command::Recover(of) => recover::run(&of, common),
            Command::Dump(of) => dump::run(&of, common, stop),
            Command::Restore(of) => restore::run(&of, common, stop),
            Command::Prune(of) => prune::run(&of, common),
        }
    })
}

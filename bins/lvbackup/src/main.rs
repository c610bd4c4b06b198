//! `lvbackup` backs up thin volumes, full and incremental, and restores them.

#![forbid(unsafe_code)]

mod args;
mod describe;
mod hooks;
mod info;
mod merge;
mod recv;
mod send;
mod verify;

use std::process::ExitCode;

use args::{Args, Command};

fn main() -> ExitCode {
    cli::main("lvbackup", Args::common, |args, stop| {
        let common = args.common();
        match args.command {
            Command::Send(of) => send::run(&of, common, stop),
            Command::Recv(of) => recv::run(&of, common, stop),
            Command::Info(of) => info::run(&of, common, stop),
            Command::Verify(of) => verify::run(&of, common, stop),
            Command::Merge(of) => merge::run(&of, common, stop),
        }
    })
}

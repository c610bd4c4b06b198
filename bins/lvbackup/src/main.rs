//! `lvbackup` backs up thin volumes, full and incremental, and restores them.

#![forbid(unsafe_code)]

mod args;
mod hooks;
mod send;

use std::process::ExitCode;

use args::{Args, Command};

fn main() -> ExitCode {
    cli::main("lvbackup", Args::common, |args, stop| {
        let common = args.common();
        match args.command {
            Command::Send(of) => send::run(&of, common, stop),
        }
    })
}

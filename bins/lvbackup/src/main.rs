//! `lvbackup` backs up thin volumes, full and incremental, and restores them.

#![forbid(unsafe_code)]

mod args;
mod send;

use std::process::ExitCode;

use args::{Args, Command};

fn main() -> ExitCode {
    cli::main(
        "lvbackup",
        |args: &Args| args.common,
        |args, stop| match args.command {
            Command::Send(of) => send::run(&of, args.common, stop),
        },
    )
}

//! `lvdiff` writes what turns one thin volume into another as one HYPERLAYER stream.

#![forbid(unsafe_code)]

mod args;
mod image;
mod lvm;
mod send;

use std::process::ExitCode;

use clap::Parser;
use cli::OrFail;

fn main() -> ExitCode {
    cli::main(
        "lvdiff",
        args::Args::parse(),
        |args: &args::Args| args.common,
        |args, stop| {
            args.style().check().or_fail(cli::Exit::Usage)?;
            if image::is_meant(&args) { image::run(&args, stop) } else { lvm::run(&args, stop) }
        },
    )
}

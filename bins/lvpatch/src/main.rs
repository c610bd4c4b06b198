//! `lvpatch` applies a HYPERLAYER stream on a base volume and gives a new one.

#![forbid(unsafe_code)]

mod args;
mod image;
mod input;
mod lvm;
mod report;

use std::process::ExitCode;

use clap::Parser;
fn main() -> ExitCode {
    cli::main(
        "lvpatch",
        args::Args::parse(),
        |args: &args::Args| args.common,
        |args, stop| {
            let images = args.output.is_some() || args.base.is_some();
            if images { image::run(&args, stop) } else { lvm::run(&args, stop) }
        },
    )
}

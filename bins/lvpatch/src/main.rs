//! `lvpatch` applies a HYPERLAYER stream on a base volume and gives a new one.

#![forbid(unsafe_code)]

mod args;
mod image;
mod input;
mod lvm;
mod report;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main(
        "lvpatch",
        |args: &args::Args| args.common,
        |args, stop| match &args.output {
            Some(output) => image::run(&args, output, stop),
            None => lvm::run(&args, stop),
        },
    )
}

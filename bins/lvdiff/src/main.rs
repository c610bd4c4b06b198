//! `lvdiff` writes what turns one thin volume into another as one HYPERLAYER stream.

#![forbid(unsafe_code)]

mod args;
mod image;
mod layer;
mod lvm;
mod report;
mod send;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main(
        "lvdiff",
        |args: &args::Args| args.common,
        |args, stop| {
            layer::check_meta(&args)?;
            if image::is_meant(&args) { image::run(&args, stop) } else { lvm::run(&args, stop) }
        },
    )
}

//! `lvpatch` applies a HYPERLAYER stream on a base volume and gives a new one.

#![forbid(unsafe_code)]

mod args;
mod image;
mod input;
mod lvm;
mod report;

use std::process::ExitCode;

fn main() -> ExitCode {
    let args = match cli::parse("lvpatch", std::env::args_os()) {
        Ok(args) => args,
        Err(code) => return code,
    };
    cli::main(
        "lvpatch",
        args,
        |args: &args::Args| args.common,
        |args, stop| {
            let images = args.output.is_some() || args.base.is_some();
            if images { image::run(&args, stop) } else { lvm::run(&args, stop) }
        },
    )
}

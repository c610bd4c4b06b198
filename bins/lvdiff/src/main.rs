//! `lvdiff` writes what turns one thin volume into another as one HYPERLAYER stream.

#![forbid(unsafe_code)]

mod args;
mod image;
mod lvm;
mod send;

use std::process::ExitCode;

use cli::OrFail;

fn main() -> ExitCode {
    let args = match cli::parse("lvdiff", std::env::args_os()) {
        Ok(args) => args,
        Err(code) => return code,
    };
    cli::main(
        "lvdiff",
        args,
        |args: &args::Args| args.common,
        |args, stop| {
            args.style().check().or_fail(cli::Exit::Usage)?;
            if image::is_meant(&args) { image::run(&args, stop) } else { lvm::run(&args, stop) }
        },
    )
}

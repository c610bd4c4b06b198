//! What the Hyperlayer binaries share on the command line: [exit codes](Exit), [failures](Failure) with hints, progress,
//! signals, and the ends of the pipe.
//!
//! For the binaries only: this is the one library that prints, knows the terminal and takes over signals.
//! **Invariant.** It knows no volume group and no device.

#![forbid(unsafe_code)]

mod exit;
mod failure;
mod header;
mod hooks;
mod host;
mod image;
mod input;
mod main_fn;
mod output;
mod plan;
mod progress;
mod reading;
mod root;
mod signal;
mod standard;
mod stream;
mod time;
mod written;

pub use exit::Exit;
pub use failure::{Failure, OrFail, Outcome, undone};
pub use header::{Meta, WriteFormat};
pub use hooks::Hooks;
pub use host::host;
pub use image::{check_image_name, image_exists};
pub use input::{Input, layer_input, open_input, stdin_for_data};
pub use main_fn::{Common, main, parse, parse_as, say, say_leftovers, warn};
pub use output::{Encoding, Output, Written, stdout_for_data, sync};
pub use plan::show_plan;
pub use progress::{Progress, Shown};
pub use reading::{ReadArgs, Unsaid};
pub use root::require_root;
pub use signal::{Stop, is_ignored};
pub use standard::{print, report, stdin, stdout, stdout_is_terminal};
pub use stream::{Compression, Put, StreamArgs, chunk_size, rate};
pub use time::{now_utc, utc};
pub use written::written_to;

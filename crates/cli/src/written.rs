//! Where this process writes to.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

use lvm_cmd::WrittenTo;

/// The file systems that standard output and standard error lie on, where they are files or devices there. Who freezes one
/// of them would wait for itself.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "nothing is written")]
pub fn written_to() -> Vec<WrittenTo> {
    let (output, error) = (io::stdout(), io::stderr());
    let streams = [("standard error", error.as_fd()), ("standard output", output.as_fd())];
    let of = |(name, stream): (&'static str, std::os::fd::BorrowedFd<'_>)| {
        let found = File::from(stream.try_clone_to_owned().ok()?).metadata().ok()?;
        Some(WrittenTo { name, device: found.dev() })
    };
    streams.into_iter().filter_map(of).collect()
}

//! Where a classic snapshot has its space from, as the commands that make one ask.

use std::path::PathBuf;

use cli::{Exit, Failure, Outcome};
use extents::Bytes;
use lvm_cmd::LvRef;

use crate::wanted::Space;

/// The options for it.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct SpaceArgs {
    /// Make a classic snapshot with so much space for what is overwritten
    #[arg(long, value_name = "SIZE", value_parser = extents::parse_size)]
    pub(crate) size: Option<Bytes>,

    /// Take that space from a temporary file, which must not be there, rather than from the group
    #[arg(long, value_name = "FILE", requires = "size", conflicts_with = "tmp_dir")]
    tmp_file: Option<PathBuf>,

    /// The same, with a file of lvsnap's choice in this folder
    #[arg(long, value_name = "DIR", requires = "size")]
    tmp_dir: Option<PathBuf>,

    /// How the temporary file gets its space. A file system on another machine may reserve nothing, and must be written to
    #[arg(long, value_name = "HOW", default_value = "fallocate")]
    allocate: Allocate,

    /// The loop device to take for the temporary file [default: a free one]
    #[arg(long, value_name = "DEVICE")]
    loop_device: Option<PathBuf>,
}

#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
enum Allocate {
    /// Reserve it, at once
    Fallocate,
    /// Write zeros
    Write,
}

impl SpaceArgs {
    /// Where the space of this snapshot comes from.
    ///
    /// # Errors
    /// A loop device for nothing.
    pub(crate) fn space(&self, snapshot: &LvRef) -> Outcome<Space> {
        let path = match (&self.tmp_file, &self.tmp_dir) {
            (Some(file), _) => Some(file.clone()),
            (None, Some(folder)) => Some(folder.join(format!("{}.lvsnap", snapshot.dm_name()))),
            (None, None) => None,
        };
        match path {
            Some(path) => {
                let write = self.allocate == Allocate::Write;
                Ok(Space::File { path, write, loop_device: self.loop_device.clone() })
            }
            None if self.loop_device.is_some() => {
                Err(Failure::msg(Exit::Usage, "`--loop-device` is for `--tmp-file` or `--tmp-dir`"))
            }
            None => Ok(Space::Group),
        }
    }
}

//! What can go wrong, with the object and the place.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use extents::{Bytes, Extent};

/// What was being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Op {
    /// Opening a device or a file.
    Open,
    /// Making a file.
    Create,
    /// Finding out a size, a kind or where data lies.
    Examine,
    /// Reading.
    Read,
    /// Writing.
    Write,
    /// Making a range read as zeros.
    Zero,
    /// Waiting until everything is durable.
    Sync,
    /// Giving a file its final name.
    Rename,
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "open",
            Self::Create => "create",
            Self::Examine => "examine",
            Self::Read => "read",
            Self::Write => "write",
            Self::Zero => "zero",
            Self::Sync => "sync",
            Self::Rename => "rename to",
        })
    }
}

/// Why an operation on a volume or a file failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The system refused.
    #[error("cannot {op} `{}`{}", name.display(), place(*extent))]
    System {
        /// What was being done.
        op: Op,
        /// The device, the file, or what stands for one.
        name: PathBuf,
        /// Where, if at one place.
        extent: Option<Extent<Bytes>>,
        /// What the system said.
        source: io::Error,
    },
    /// The range asked for does not lie inside the volume. Nothing was read or written.
    #[error("cannot {op} {len} bytes at byte {at} of `{}`: it ends at byte {size}", name.display())]
    PastEnd {
        /// What was being done.
        op: Op,
        /// The device, the file, or what stands for one.
        name: PathBuf,
        /// Where the range starts.
        at: Bytes,
        /// How long it is.
        len: Bytes,
        /// How long the volume is.
        size: Bytes,
    },
    /// A path names something of another kind than what is needed.
    #[error("`{}` is {found}, expected {expected}", name.display())]
    Unsuitable {
        /// The path.
        name: PathBuf,
        /// What it is.
        found: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// What was read is of no one moment.
    #[error("`{}` changed while it was read", name.display())]
    Changed {
        /// The device or the file.
        name: PathBuf,
    },
    /// A device whose writes the kernel does not count, so that nobody can tell whether it changed.
    #[error("the kernel does not count the writes to `{}`", name.display())]
    Uncounted {
        /// The device.
        name: PathBuf,
    },
    /// A file is complete and has its name, which is not durable.
    #[error("`{}` is complete, but a power failure may take its name: cannot sync `{}`", name.display(), folder.display())]
    NotDurable {
        /// The file.
        name: PathBuf,
        /// Its directory.
        folder: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Stopped because [`Progress::stop_requested`](crate::Progress::stop_requested) said so.
    #[error("stopped before the end")]
    Stopped,
}

fn place(extent: Option<Extent<Bytes>>) -> String {
    extent.map_or_else(String::new, |e| format!(" at bytes {e}"))
}

/// What a caller may want to decide by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A system error that is none of the others.
    Io,
    /// A range outside the volume.
    PastEnd,
    /// Stopped by request.
    Stopped,
    /// File system, quota or thin pool full.
    NoSpace,
    /// There is no such device or file.
    NotFound,
    /// Not permitted, or not writable.
    Denied,
    /// The device is mounted or otherwise held by somebody.
    Busy,
    /// There is such a file already.
    Exists,
    /// A path of the wrong kind.
    Unsuitable,
    /// Written to while it was read.
    Changed,
    /// Done, and not durable.
    NotDurable,
    /// Nobody can tell whether it is written to.
    Uncounted,
}

impl Error {
    /// What kind of failure this is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::PastEnd { .. } => ErrorKind::PastEnd,
            Self::Unsuitable { .. } => ErrorKind::Unsuitable,
            Self::Changed { .. } => ErrorKind::Changed,
            Self::NotDurable { .. } => ErrorKind::NotDurable,
            Self::Uncounted { .. } => ErrorKind::Uncounted,
            Self::Stopped => ErrorKind::Stopped,
            Self::System { source, .. } => match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::NoSpace,
                io::ErrorKind::NotFound => ErrorKind::NotFound,
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => ErrorKind::Denied,
                io::ErrorKind::ResourceBusy => ErrorKind::Busy,
                io::ErrorKind::AlreadyExists => ErrorKind::Exists,
                _ => ErrorKind::Io,
            },
        }
    }

    /// An error of the system, for those who implement [`ReadAt`](crate::ReadAt) or [`WriteAt`](crate::WriteAt).
    #[must_use]
    pub fn system(op: Op, name: &Path, extent: Option<Extent<Bytes>>, source: io::Error) -> Self {
        Self::System { op, name: name.to_owned(), extent, source }
    }

    /// The range of `len` at `at` in a volume of `size`; `None` for an empty one inside. For those who implement
    /// [`ReadAt`](crate::ReadAt) or [`WriteAt`](crate::WriteAt).
    ///
    /// # Errors
    /// [`Error::PastEnd`] where it does not lie inside.
    pub fn within(op: Op, name: &Path, at: Bytes, len: Bytes, size: Bytes) -> Result<Option<Extent<Bytes>>, Self> {
        match at.checked_add(len) {
            Some(end) if end <= size => Ok(Extent::between(at, end)),
            _ => Err(Self::PastEnd { op, name: name.to_owned(), at, len, size }),
        }
    }

    /// The same once more: the first error of a queue is told at each later push and at the end. A cause which came
    /// from the system stays exactly what it was; of any other, kind and text stay.
    pub(crate) fn again(&self) -> Self {
        match self {
            Self::System { op, name, extent, source } => {
                Self::System { op: *op, name: name.clone(), extent: *extent, source: again(source) }
            }
            Self::PastEnd { op, name, at, len, size } => {
                Self::PastEnd { op: *op, name: name.clone(), at: *at, len: *len, size: *size }
            }
            Self::Unsuitable { name, found, expected } => Self::Unsuitable { name: name.clone(), found, expected },
            Self::NotDurable { name, folder, source } => {
                Self::NotDurable { name: name.clone(), folder: folder.clone(), source: again(source) }
            }
            Self::Changed { name } => Self::Changed { name: name.clone() },
            Self::Uncounted { name } => Self::Uncounted { name: name.clone() },
            Self::Stopped => Self::Stopped,
        }
    }
}

fn again(source: &io::Error) -> io::Error {
    source
        .raw_os_error()
        .map_or_else(|| io::Error::new(source.kind(), source.to_string()), io::Error::from_raw_os_error)
}

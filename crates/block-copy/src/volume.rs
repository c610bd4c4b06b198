//! A block device or a regular file as a volume.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use extents::{Bytes, Extent};
use rustix::fs::{FallocateFlags, OFlags, fallocate, fcntl_getfl, ioctl_blksszget, major, minor};

use crate::watch::{Watch, Writes};
use crate::zeros::{inside, overwrite};
use crate::{AlignedBuf, BesideFile, Error, Op, ReadAt, WriteAt, discard};

/// What a volume is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// To be read.
    Read,
    /// To be read, and mounted by nobody meanwhile: a block device that is mounted, or otherwise held by somebody, is
    /// refused ([`ErrorKind::Busy`](crate::ErrorKind::Busy)), and one of which
    /// [`check_unchanged`](ReadAt::check_unchanged) could not tell anything
    /// ([`ErrorKind::Uncounted`](crate::ErrorKind::Uncounted)).
    ReadExclusive,
    /// To be read and written. A block device that is mounted, or otherwise held by somebody, is refused
    /// ([`ErrorKind::Busy`](crate::ErrorKind::Busy)), and nobody can mount it meanwhile.
    Write,
    /// To be read and written, also where a block device is held by somebody.
    WriteShared,
}

/// A block device or a regular file. Its size is that at the time of opening.
///
/// Devices are read and written past the page cache (`O_DIRECT`): a volume is read once, and others need that memory.
/// Any offset, length and buffer is right, but those in whole multiples of [`block_size`](Self::block_size), in an
/// [`AlignedBuf`], save a copy and, on writing, the reading of what surrounds them.
///
/// Several threads may write to ranges that do not overlap.
#[derive(Debug)]
pub struct Volume {
    file: File,
    name: PathBuf,
    size: Bytes,
    identity: Identity,
    block_size: Bytes,
    direct: bool,
    /// What it was when it was opened; `None` where it was opened to be written.
    watch: Option<Watch>,
    /// Held while a block is completed from what is around the data, so that no two threads do it to one block.
    completing: Mutex<()>,
}

/// Whether a file has the name of one that is still being written: `.NAME.partial`.
fn is_unfinished(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    name.starts_with(b".") && name.ends_with(BesideFile::PARTIAL_SUFFIX.as_bytes())
}

/// What is the same for two paths to one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Identity {
    Device { number: u64 },
    File { device: u64, inode: u64 },
}

/// The longest direct transfer through a bounce buffer.
const BOUNCE: Bytes = Bytes::new(1 << 20);

impl Volume {
    /// Opens a block device or a regular file. Creates nothing.
    ///
    /// # Errors
    /// Where there is none, or none of that kind, or it may not be opened so; to be read, also the unfinished file of a
    /// [`PartialFile`](crate::PartialFile) or a [`BesideFile`](crate::BesideFile), by its name.
    pub fn open(path: impl AsRef<Path>, access: Access) -> Result<Self, Error> {
        let path = path.as_ref();
        let failed = |source| Error::system(Op::Open, path, None, source);
        if matches!(access, Access::Read | Access::ReadExclusive) && is_unfinished(path) {
            let (found, expected) =
                ("an unfinished image, which was not received or written completely", "a complete one");
            return Err(Error::Unsuitable { name: path.to_owned(), found, expected });
        }
        // Before opening: to open a pipe waits for its other end.
        let device = Identity::of(path, &std::fs::metadata(path).map_err(failed)?)?.is_device();
        let mut flags = OFlags::empty();
        flags.set(OFlags::DIRECT, device);
        let (write, exclusive) = match access {
            Access::Read => (false, false),
            Access::ReadExclusive => (false, true),
            Access::Write => (true, true),
            Access::WriteShared => (true, false),
        };
        flags.set(OFlags::EXCL, device && exclusive);
        let mut options = OpenOptions::new();
        options.read(true).write(write).custom_flags(flags.bits().cast_signed());
        let volume = Self::from_file(options.open(path).map_err(failed)?, path)?;
        match (&volume.watch, access) {
            (Some(Watch::Device(Writes::Uncounted)), Access::ReadExclusive) => {
                Err(Error::Uncounted { name: path.to_owned() })
            }
            _ => Ok(volume),
        }
    }

    /// Takes an open file as a volume; `path` is its name in errors. A device is read and written past the page cache
    /// where the file was opened with `O_DIRECT`.
    ///
    /// # Errors
    /// Where it is neither a block device nor a regular file, or will not tell its size.
    pub fn from_file(file: File, path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let failed = |source: io::Error| Error::system(Op::Examine, path, None, source);
        let identity = Identity::of(path, &file.metadata().map_err(failed)?)?;
        // The end of a block device is its size (BLKGETSIZE64); its metadata says zero.
        let size = Bytes::new((&file).seek(SeekFrom::End(0)).map_err(failed)?);
        let (mut block_size, mut direct) = (Bytes::new(1), false);
        if identity.is_device() {
            block_size = Bytes::new(ioctl_blksszget(&file).map_err(|e| failed(e.into()))?.into());
            direct = fcntl_getfl(&file).map_err(|e| failed(e.into()))?.contains(OFlags::DIRECT);
            if !aligned(size, block_size) {
                // The kernel reads and writes the last bytes of such a device in no way at all.
                let (found, expected) = ("a device that ends within a logical block", "whole logical blocks");
                return Err(Error::Unsuitable { name: path.to_owned(), found, expected });
            }
        }
        let is_read = fcntl_getfl(&file).map_err(|e| failed(e.into()))? & OFlags::RWMODE == OFlags::RDONLY;
        let (name, completing) = (path.to_owned(), Mutex::default());
        let mut volume = Self { file, name, size, identity, block_size, direct, watch: None, completing };
        if is_read {
            volume.watch = Some(volume.watched().map_err(failed)?);
        }
        Ok(volume)
    }

    /// The path it was opened by.
    #[must_use]
    pub fn name(&self) -> &Path {
        &self.name
    }

    /// Whether it is a block device.
    #[must_use]
    pub fn is_device(&self) -> bool {
        self.identity.is_device()
    }

    /// Whether both are the same device, or the same file, whatever path each was opened by.
    #[must_use]
    pub fn same_device(&self, other: &Self) -> bool {
        self.identity == other.identity
    }

    /// The logical block size in bytes: the unit of direct transfers. 1 for a regular file.
    #[must_use]
    pub fn block_size(&self) -> Bytes {
        self.block_size
    }

    fn watched(&self) -> io::Result<Watch> {
        Watch::of(&self.file, || {
            let len = self.block_size.min(self.size).to_usize().unwrap_or(0);
            let mut block = AlignedBuf::with_capacity(len);
            block.set_len(len);
            self.file.read_exact_at(&mut block, 0)
        })
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    pub(crate) fn failed(&self, op: Op, extent: impl Into<Option<Extent<Bytes>>>) -> impl Fn(io::Error) -> Error {
        let extent = extent.into();
        move |source| Error::system(op, &self.name, extent, source)
    }

    /// Whether the kernel takes this transfer as it is.
    fn passes(&self, extent: Extent<Bytes>, memory: &[u8]) -> bool {
        let memory_unit = self.block_size.min(AlignedBuf::ALIGN.into());
        !self.direct || (self.is_whole(extent) && aligned(memory.as_ptr().addr().into(), memory_unit))
    }

    fn is_whole(&self, extent: Extent<Bytes>) -> bool {
        aligned(extent.start(), self.block_size) && aligned(extent.end(), self.block_size)
    }

    /// The smallest range of whole blocks around `extent`.
    fn around(&self, extent: Extent<Bytes>) -> Extent<Bytes> {
        let block = self.block_size.get();
        let (start, end) = (extent.start().get() / block * block, extent.end().get().next_multiple_of(block));
        Extent::between(Bytes::new(start), Bytes::new(end)).unwrap_or(extent)
    }

    fn bounce(&self, around: Extent<Bytes>) -> (AlignedBuf, Bytes) {
        // A step below one block would cut it.
        let step = BOUNCE.max(self.block_size);
        (AlignedBuf::with_capacity(around.len().min(step).to_usize().unwrap_or(0)), step)
    }
}

fn aligned(value: Bytes, unit: Bytes) -> bool {
    value.get().is_multiple_of(unit.get())
}

impl Identity {
    fn of(path: &Path, metadata: &Metadata) -> Result<Self, Error> {
        let kind = metadata.file_type();
        let found = match () {
            () if kind.is_file() => return Ok(Self::File { device: metadata.dev(), inode: metadata.ino() }),
            () if kind.is_block_device() => return Ok(Self::Device { number: metadata.rdev() }),
            () if kind.is_dir() => "a directory",
            () if kind.is_char_device() => "a character device",
            () if kind.is_fifo() => "a pipe",
            () => "a socket",
        };
        Err(Error::Unsuitable { name: path.to_owned(), found, expected: "a block device or a regular file" })
    }

    fn is_device(self) -> bool {
        matches!(self, Self::Device { .. })
    }

    fn is_device_mapper(self) -> bool {
        let Self::Device { number } = self else { return false };
        Path::new(&format!("/sys/dev/block/{}:{}/dm", major(number), minor(number))).exists()
    }
}

impl ReadAt for Volume {
    fn size(&self) -> Bytes {
        self.size
    }

    fn read_at(&self, at: Bytes, buf: &mut [u8]) -> Result<(), Error> {
        let Some(wanted) = Error::within(Op::Read, &self.name, at, buf.len().into(), self.size)? else { return Ok(()) };
        if self.passes(wanted, buf) {
            return self.file.read_exact_at(buf, at.get()).map_err(self.failed(Op::Read, wanted));
        }
        let around = self.around(wanted);
        let (mut bounce, step) = self.bounce(around);
        for piece in around.pieces(step) {
            bounce.set_len(inside(piece, piece).end);
            self.file.read_exact_at(&mut bounce, piece.start().get()).map_err(self.failed(Op::Read, piece))?;
            if let Some(part) = piece.intersection(wanted) {
                buf[inside(wanted, part)].copy_from_slice(&bounce[inside(piece, part)]);
            }
        }
        Ok(())
    }

    /// Of a regular file by its time and length. Of a block device by the kernel's counts, which hold all that comes
    /// through this device, so also what is above it, but not what another host or a volume below it writes. What is only
    /// in the page cache still is written back, and so counted, by reading past it.
    fn check_unchanged(&self) -> Result<(), Error> {
        let Some(opened) = &self.watch else { return Ok(()) };
        match self.watched().map_err(self.failed(Op::Examine, None))? {
            now if now == *opened => Ok(()),
            _ => Err(Error::Changed { name: self.name.clone() }),
        }
    }
}

impl WriteAt for Volume {
    fn write_at(&self, at: Bytes, data: &[u8]) -> Result<(), Error> {
        let Some(wanted) = Error::within(Op::Write, &self.name, at, data.len().into(), self.size)? else {
            return Ok(());
        };
        if self.passes(wanted, data) {
            return self.file.write_all_at(data, at.get()).map_err(self.failed(Op::Write, wanted));
        }
        let around = self.around(wanted);
        let _one_at_a_time =
            (!self.is_whole(wanted)).then(|| self.completing.lock().unwrap_or_else(PoisonError::into_inner));
        let (mut bounce, step) = self.bounce(around);
        for piece in around.pieces(step) {
            bounce.set_len(inside(piece, piece).end);
            if !wanted.covers(piece) {
                self.file.read_exact_at(&mut bounce, piece.start().get()).map_err(self.failed(Op::Read, piece))?;
            }
            if let Some(part) = piece.intersection(wanted) {
                bounce[inside(piece, part)].copy_from_slice(&data[inside(wanted, part)]);
            }
            self.file.write_all_at(&bounce, piece.start().get()).map_err(self.failed(Op::Write, piece))?;
        }
        Ok(())
    }

    fn zero(&self, extent: Extent<Bytes>) -> Result<(), Error> {
        Error::within(Op::Zero, &self.name, extent.start(), extent.len(), self.size)?;
        // Whole blocks only, but for files, whose block is one byte.
        let block = self.block_size.get();
        let start = Bytes::new(extent.start().get().next_multiple_of(block));
        let Some(whole) = Extent::between(start, Bytes::new(extent.end().get() / block * block)) else {
            return overwrite(self, extent);
        };
        // On a file a hole, on a device an unmapping that is known to read as zeros.
        let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        if fallocate(&self.file, hole, whole.start().get(), whole.len().get()).is_ok() {
            for edge in [Extent::between(extent.start(), whole.start()), Extent::between(whole.end(), extent.end())] {
                edge.map_or(Ok(()), |edge| overwrite(self, edge))?;
            }
            return Ok(());
        }
        // A thin volume has no such unmapping, only discards, and those it may skip or refuse without harm. Other
        // devices may read anything after a discard, and another thing later.
        if self.identity.is_device_mapper() {
            let _ = discard::discard(&self.file, whole);
        }
        // Whatever came of it, what counts is what the range reads.
        overwrite(self, extent)
    }

    fn sync(&self) -> Result<(), Error> {
        self.file.sync_data().map_err(self.failed(Op::Sync, None))
    }
}

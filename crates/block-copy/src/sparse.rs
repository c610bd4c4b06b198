//! Holes: finding them, and copying a file with its holes.

use std::fs::File;

use extents::{Bytes, Extent, ExtentSet};
use rustix::fs::{SeekFrom, copy_file_range, fdatasync, fstat, ioctl_ficlone, seek};
use rustix::io::Errno;

use crate::zeros::{inside, nonzero};
use crate::{AlignedBuf, Error, Op, Progress, ReadAt, Volume, WriteAt};

/// How much is copied between two looks at [`Progress::stop_requested`].
const STEP: Bytes = Bytes::new(4 << 20);

impl Volume {
    /// Where a regular file has data; the rest is holes and reads as zeros. All of it for a device, and for a file whose
    /// holes the file system does not report, or reports in contradiction to itself.
    ///
    /// # Errors
    /// What the system said.
    pub fn data_extents(&self) -> Result<ExtentSet<Bytes>, Error> {
        let Some(whole) = Extent::whole(self.size()) else { return Ok(ExtentSet::new()) };
        let found = if self.is_device() { None } else { data_in(self.file(), whole).map_err(self.examining())? };
        Ok(found.unwrap_or_else(|| ExtentSet::from_iter([whole])))
    }

    fn examining(&self) -> impl Fn(Errno) -> Error {
        |e| self.failed(Op::Examine, None)(e.into())
    }
}

/// What a file system says of the holes of a file.
trait Holes {
    /// Writes back what is only in memory: some file systems do not count it as data before.
    fn write_back(&self) -> Result<(), Errno>;
    fn seek(&self, to: SeekFrom) -> Result<u64, Errno>;
    fn has_blocks(&self) -> Result<bool, Errno>;
}

impl Holes for File {
    fn write_back(&self) -> Result<(), Errno> {
        fdatasync(self)
    }

    fn seek(&self, to: SeekFrom) -> Result<u64, Errno> {
        seek(self, to)
    }

    fn has_blocks(&self) -> Result<bool, Errno> {
        Ok(fstat(self)?.st_blocks > 0)
    }
}

/// Where the file has data. `None` where that is unknown: the file system does not report holes, cannot write back first,
/// or gives answers that contradict each other. A hole counts only if both kinds of seek find it.
fn data_in(file: &impl Holes, whole: Extent<Bytes>) -> Result<Option<ExtentSet<Bytes>>, Errno> {
    match file.write_back() {
        Ok(()) => {}
        Err(Errno::INVAL | Errno::OPNOTSUPP | Errno::ROFS) => return Ok(None),
        Err(e) => return Err(e),
    }
    let mut data = ExtentSet::new();
    let mut at = whole.start();
    while whole.contains(at) {
        let start = match file.seek(SeekFrom::Data(at.get())) {
            Ok(start) => Bytes::new(start),
            Err(Errno::NXIO) => whole.end(),
            Err(Errno::INVAL | Errno::OPNOTSUPP) => return Ok(None),
            Err(e) => return Err(e),
        };
        if start > at && file.seek(SeekFrom::Hole(at.get())) != Ok(at.get()) {
            return Ok(None);
        }
        if start >= whole.end() {
            break;
        }
        let end = match file.seek(SeekFrom::Hole(start.get())) {
            Ok(end) => Bytes::new(end),
            // The file was cut meanwhile. Reading there fails.
            Err(Errno::NXIO) => whole.end(),
            Err(e) => return Err(e),
        };
        let Some(found) = Extent::between(start, end).and_then(|found| found.intersection(whole)) else {
            return Ok(None);
        };
        data.insert(found);
        at = found.end();
    }
    Ok(if data.is_empty() && file.has_blocks()? { None } else { Some(data) })
}

/// Copies one volume into another that holds only zeros so far, up to the shorter one's end: by sharing the blocks
/// where both are files of a file system that can, else by copying what is neither hole nor zeros. Not durable until
/// [`WriteAt::sync`]. [`Progress::advance`] is told holes too.
///
/// # Errors
/// [`Error::Stopped`], [`Error::Changed`], or what reading and writing gave. The target then holds a part of it.
pub fn copy_sparse(from: &Volume, to: &Volume, progress: &dyn Progress) -> Result<(), Error> {
    let Some(window) = Extent::whole(from.size().min(to.size())) else { return Ok(()) };
    let files = !from.is_device() && !to.is_device();
    if files && ioctl_ficlone(to.file(), from.file()).is_ok() {
        // A clone takes its size from the longer one.
        to.file().set_len(to.size().get()).map_err(to.failed(Op::Write, None))?;
        progress.advance(window.len());
        return Ok(());
    }
    let mut by_kernel = files;
    let mut buf = AlignedBuf::default();
    let data = from.data_extents()?.clip(window);
    progress.advance(window.len().saturating_sub(data.total()));
    for piece in data.iter().flat_map(|data| data.pieces(STEP)) {
        if progress.stop_requested() {
            return Err(Error::Stopped);
        }
        by_kernel = by_kernel && copied_by_kernel(from, to, piece);
        if !by_kernel {
            copy_by_hand(from, to, piece, &mut buf)?;
        }
        progress.advance(piece.len());
    }
    from.check_unchanged()
}

/// Whether the kernel could copy all of it. If not, the reason shows when it is copied by hand.
fn copied_by_kernel(from: &Volume, to: &Volume, piece: Extent<Bytes>) -> bool {
    let (mut source, mut target) = (piece.start().get(), piece.start().get());
    while source < piece.end().get() {
        let Ok(rest) = usize::try_from(piece.end().get() - source) else { return false };
        match copy_file_range(from.file(), Some(&mut source), to.file(), Some(&mut target), rest) {
            Ok(0) => return false,
            Ok(_) | Err(Errno::INTR) => {}
            Err(_) => return false,
        }
    }
    true
}

fn copy_by_hand(from: &Volume, to: &Volume, piece: Extent<Bytes>, buf: &mut AlignedBuf) -> Result<(), Error> {
    if buf.capacity() == 0 {
        *buf = AlignedBuf::with_capacity(STEP.to_usize().unwrap_or(0));
    }
    buf.set_len(inside(piece, piece).end);
    from.read_at(piece.start(), buf)?;
    for run in &nonzero(piece, buf) {
        to.write_at(run.start(), &buf[inside(piece, run)])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::ops::Range;

    use super::*;

    /// A file of [`SIZE`] bytes with data in one range.
    struct Model {
        data: Range<u64>,
        /// Whether the data is a hole to the file system until it was written back.
        is_delayed: bool,
        write_back: Result<(), Errno>,
        was_written_back: Cell<bool>,
        /// Errors of the next seeks, the last one first.
        seek_errors: RefCell<Vec<Errno>>,
        has_blocks: bool,
    }

    const SIZE: u64 = 4096;

    impl Model {
        fn new(data: Range<u64>) -> Self {
            Self {
                has_blocks: !data.is_empty(),
                data,
                is_delayed: false,
                write_back: Ok(()),
                was_written_back: Cell::new(false),
                seek_errors: RefCell::default(),
            }
        }

        fn failing(self, error: Errno) -> Self {
            self.seek_errors.borrow_mut().push(error);
            self
        }

        /// The start of the data found, and its length. `None` where all must be read.
        fn found(&self) -> Result<Option<Vec<(u64, u64)>>, Errno> {
            let found = data_in(self, Extent::whole(Bytes::new(SIZE)).unwrap())?;
            Ok(found.map(|set| set.iter().map(|part| (part.start().get(), part.len().get())).collect()))
        }
    }

    impl Holes for Model {
        fn write_back(&self) -> Result<(), Errno> {
            self.was_written_back.set(true);
            self.write_back
        }

        fn seek(&self, to: SeekFrom) -> Result<u64, Errno> {
            if let Some(error) = self.seek_errors.borrow_mut().pop() {
                return Err(error);
            }
            let data = if self.is_delayed && !self.was_written_back.get() { 0..0 } else { self.data.clone() };
            match to {
                SeekFrom::Data(at) if at < data.end => Ok(at.max(data.start)),
                SeekFrom::Hole(at) if data.contains(&at) => Ok(data.end),
                SeekFrom::Hole(at) if at < SIZE => Ok(at),
                _ => Err(Errno::NXIO),
            }
        }

        fn has_blocks(&self) -> Result<bool, Errno> {
            Ok(self.has_blocks)
        }
    }

    #[test]
    fn holes_are_believed_where_all_answers_agree() {
        assert_eq!(Model::new(1024..2048).found(), Ok(Some(vec![(1024, 1024)])));
        assert_eq!(Model::new(0..SIZE).found(), Ok(Some(vec![(0, SIZE)])));
        assert_eq!(Model::new(0..0).found(), Ok(Some(vec![])));
        let delayed = Model { is_delayed: true, ..Model::new(1024..2048) };
        assert_eq!(delayed.found(), Ok(Some(vec![(1024, 1024)])), "data only in memory is written back first");
    }

    #[test]
    fn all_is_read_where_the_holes_are_unknown() {
        for (model, why) in [
            (Model::new(1024..2048).failing(Errno::NXIO), "one seek says that there is no data, another finds some"),
            (Model::new(0..1024).failing(Errno::NXIO), "likewise where the data is at the beginning"),
            (Model { has_blocks: true, ..Model::new(0..0) }, "it has no data but blocks"),
            (Model::new(0..0).failing(Errno::INVAL), "the file system knows no such seek"),
            (Model { write_back: Err(Errno::ROFS), ..Model::new(0..0) }, "nothing can be written back"),
        ] {
            assert_eq!(model.found(), Ok(None), "{why}");
        }
    }

    #[test]
    fn an_error_of_the_disk_is_one() {
        assert_eq!(Model { write_back: Err(Errno::IO), ..Model::new(0..0) }.found(), Err(Errno::IO));
        assert_eq!(Model::new(0..1024).failing(Errno::IO).found(), Err(Errno::IO));
    }
}

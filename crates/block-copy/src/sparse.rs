//! Holes: finding them, and copying a file with its holes.

use extents::{Bytes, Extent, ExtentSet};
use rustix::fs::{SeekFrom, copy_file_range, ioctl_ficlone, seek};
use rustix::io::Errno;

use crate::zeros::{inside, nonzero};
use crate::{AlignedBuf, Error, Op, Progress, ReadAt, Volume, WriteAt};

/// How much is copied between two looks at [`Progress::stop_requested`].
const STEP: Bytes = Bytes::new(4 << 20);

impl Volume {
    /// Where a regular file has data; the rest is holes and reads as zeros. All of it for a device, or where the file
    /// system knows no holes.
    ///
    /// # Errors
    /// What the system said.
    pub fn data_extents(&self) -> Result<ExtentSet<Bytes>, Error> {
        let mut data = ExtentSet::new();
        let Some(whole) = Extent::whole(self.size()) else { return Ok(data) };
        if self.is_device() {
            return Ok(ExtentSet::from_iter([whole]));
        }
        let failed = |e: Errno| self.failed(Op::Examine, None)(e.into());
        let mut at = whole.start();
        while whole.contains(at) {
            let start = match seek(self.file(), SeekFrom::Data(at.get())) {
                Ok(start) => Bytes::new(start),
                Err(Errno::NXIO) => break,
                Err(Errno::INVAL | Errno::OPNOTSUPP) => return Ok(ExtentSet::from_iter([whole])),
                Err(e) => return Err(failed(e)),
            };
            let end = match seek(self.file(), SeekFrom::Hole(start.get())) {
                Ok(end) => Bytes::new(end),
                // The file was cut meanwhile: who reads there will be told.
                Err(Errno::NXIO) => whole.end(),
                Err(e) => return Err(failed(e)),
            };
            let Some(found) = Extent::between(start, end).and_then(|found| found.intersection(whole)) else { break };
            data.insert(found);
            at = found.end();
        }
        Ok(data)
    }
}

/// Copies one volume into another that holds only zeros so far, up to the shorter one's end: by sharing the blocks
/// where both are files of a file system that can, else by copying what is neither hole nor zeros. Not durable until
/// [`WriteAt::sync`]. [`Progress::advance`] is told holes too.
///
/// # Errors
/// [`Error::Stopped`], or what reading and writing gave. The target then holds a part of it.
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
    Ok(())
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

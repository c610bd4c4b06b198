//! Finding zeros, and making them where no discard does.

use extents::{Bytes, Extent, ExtentSet};

use crate::{AlignedBuf, Error, ReadAt, WriteAt};

/// Whether every byte is zero. Runs at memory speed.
#[must_use]
pub fn is_zero(bytes: &[u8]) -> bool {
    // One branch per block; the fold inside becomes vector instructions.
    let (blocks, rest) = bytes.as_chunks::<256>();
    blocks.iter().all(|block| block.iter().fold(0, |any, byte| any | byte) == 0) && rest.iter().all(|byte| *byte == 0)
}

/// No thin pool's chunk is smaller or ends elsewhere than at a multiple of this.
const BLOCK: Bytes = Bytes::new(4096);

/// How much is read at once.
const WINDOW: Bytes = Bytes::new(1 << 20);

/// The blocks of `window` that hold anything but zeros; `bytes` is the window's content.
pub(crate) fn nonzero(window: Extent<Bytes>, bytes: &[u8]) -> ExtentSet<Bytes> {
    window.pieces(BLOCK).filter(|block| !is_zero(&bytes[inside(window, *block)])).collect()
}

/// The indices of `part` in the content of `window`, which lies in memory and covers it.
pub(crate) fn inside(window: Extent<Bytes>, part: Extent<Bytes>) -> std::ops::Range<usize> {
    let index = |at: Bytes| at.saturating_sub(window.start()).to_usize().unwrap_or(usize::MAX);
    index(part.start())..index(part.end())
}

/// Reads a range and calls `each` with windows of it and their content until that says `false`.
pub(crate) fn scan<T: ReadAt + ?Sized>(
    target: &T,
    extent: Extent<Bytes>,
    mut each: impl FnMut(Extent<Bytes>, &mut [u8]) -> Result<bool, Error>,
) -> Result<(), Error> {
    let mut buf = AlignedBuf::with_capacity(extent.len().min(WINDOW).to_usize().unwrap_or(0));
    for window in extent.pieces(WINDOW) {
        buf.set_len(inside(window, window).end);
        target.read_at(window.start(), &mut buf)?;
        if !each(window, &mut buf)? {
            break;
        }
    }
    Ok(())
}

/// Writes zeros over every block of `extent` that reads as anything else, and over no other. So nothing becomes
/// mapped that was not: an unmapped block reads as zeros. (To map part of a chunk of a pool without zeroing would show
/// stale data in its rest.)
pub(crate) fn overwrite<T: WriteAt + ?Sized>(target: &T, extent: Extent<Bytes>) -> Result<(), Error> {
    scan(target, extent, |window, bytes| {
        for run in &nonzero(window, bytes) {
            let zeros = &mut bytes[inside(window, run)];
            zeros.fill(0);
            target.write_at(run.start(), zeros)?;
        }
        Ok(true)
    })
}

//! The one request to the kernel that no safe function makes.

use std::fs::File;
use std::io;

use extents::{Bytes, Extent};
use rustix::ioctl::{Opcode, Setter, ioctl, opcode};

/// `BLKDISCARD` of `linux/fs.h`: `_IO(0x12, 119)`.
const BLKDISCARD: Opcode = opcode::none(0x12, 119);

/// Tells a block device that nobody needs a range of whole logical blocks any more.
pub(crate) fn discard(device: &File, extent: Extent<Bytes>) -> io::Result<()> {
    let range = [extent.start().get(), extent.len().get()];
    // JUSTIFICATION: no other request unmaps a part of a thin volume, and no crate wraps this one.
    // SAFETY: BLKDISCARD reads two u64 (start and length in bytes, block/ioctl.c: blk_ioctl_discard) from its
    // argument, which `Setter` makes a pointer to `range` for the time of the call, and writes no memory. A file that
    // is no block device knows no such request and answers ENOTTY.
    unsafe { ioctl(device, Setter::<BLKDISCARD, [u64; 2]>::new(range)) }.map_err(Into::into)
}

#[cfg(test)]
mod tests {
    use super::BLKDISCARD;

    #[test]
    fn the_request_has_the_kernels_number() {
        assert_eq!(BLKDISCARD, linux_raw_sys::ioctl::BLKDISCARD);
    }
}

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
#[path = "../tests/it/loop_device.rs"]
mod loop_device;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use extents::{Bytes, Extent};

    use super::loop_device::LoopDevice;
    use super::{BLKDISCARD, discard};

    #[test]
    fn the_request_has_the_kernels_number() {
        assert_eq!(BLKDISCARD, linux_raw_sys::ioctl::BLKDISCARD);
    }

    #[test]
    fn loop_a_discard_hits_its_range_and_no_other() {
        let device = match LoopDevice::new(&[7; 1 << 20], 512) {
            Ok(device) => device,
            Err(reason) => {
                eprintln!("skipped: {reason}");
                return;
            }
        };
        let file = std::fs::File::options().read(true).write(true).open(device.path()).unwrap();
        discard(&file, Extent::new(Bytes::new(65536), Bytes::new(131_072)).unwrap()).unwrap();
        let mut content = vec![0; 1 << 20];
        file.read_exact_at(&mut content, 0).unwrap();
        let expected: Vec<u8> = (0..1 << 20).map(|i| if (65536..196_608).contains(&i) { 0 } else { 7 }).collect();
        assert!(content == expected);
        assert!(
            discard(&std::fs::File::open(device.backing()).unwrap(), Extent::whole(Bytes::new(512)).unwrap()).is_err()
        );
    }
}

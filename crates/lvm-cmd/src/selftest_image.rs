//! A built-in pool metadata image for which the right answer of `thin_delta` is known (`selftest/README.md`).

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// The length of the image, in bytes.
pub(crate) const IMAGE_BYTES: u64 = 2 << 20;

/// What `thin_delta` is asked.
pub(crate) const ARGUMENTS: [&str; 4] = ["--snap1", "1", "--snap2", "2"];

/// The runs that `thin_delta` must print, and no other.
pub(crate) const RUNS: [&str; 3] =
    [r#"<same begin="0" length="5"/>"#, r#"<different begin="5" length="1"/>"#, r#"<same begin="6" length="4"/>"#];

const PACKED: &[u8] = include_bytes!("selftest.bin");

/// The parts of the image that are not zero, ascending: offset in bytes, content.
pub(crate) fn pieces() -> impl Iterator<Item = (u64, &'static [u8])> {
    let mut rest = PACKED;
    std::iter::from_fn(move || {
        let (offset, after) = rest.split_first_chunk()?;
        let (len, after) = after.split_first_chunk()?;
        let (piece, after) = after.split_at_checked(u16::from_le_bytes(*len).into())?;
        rest = after;
        Some((u32::from_le_bytes(*offset).into(), piece))
    })
}

/// Writes the image into an empty file, which becomes a sparse one.
///
/// # Errors
/// The file cannot be written.
pub(crate) fn write_image(file: &File) -> io::Result<()> {
    file.set_len(IMAGE_BYTES)?;
    pieces().try_for_each(|(offset, piece)| file.write_all_at(piece, offset))
}

/// Whether `output` of `thin_delta` has exactly the right runs.
pub(crate) fn is_right(output: &str) -> bool {
    output.lines().map(str::trim).filter(|line| line.contains("begin=")).eq(RUNS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_lie_in_the_image_and_use_up_the_file() {
        let mut after = 0;
        let mut packed = 0;
        for (offset, piece) in pieces() {
            assert!(offset >= after && !piece.is_empty(), "piece at {offset}");
            after = offset + piece.len() as u64;
            packed += 6 + piece.len();
        }
        assert!(after <= IMAGE_BYTES);
        assert_eq!(packed, PACKED.len());
    }

    #[test]
    fn the_image_starts_with_a_superblock() {
        let mut head = [0; 64];
        for (offset, piece) in pieces().filter(|(offset, _)| *offset < 64) {
            let offset = usize::try_from(offset).unwrap();
            let len = piece.len().min(64 - offset);
            head[offset..offset + len].copy_from_slice(&piece[..len]);
        }
        // THIN_SUPERBLOCK_MAGIC of the kernel's dm-thin-metadata.c, after checksum, flags, number and UUID.
        assert_eq!(u64::from_le_bytes(head[32..40].try_into().unwrap()), 27_022_010);
    }

    #[test]
    fn answers() {
        let document =
            |runs: &str| format!("<superblock>\n  <diff left=\"1\" right=\"2\">\n{runs}  </diff>\n</superblock>");
        let right = RUNS.map(|run| format!("    {run}\n")).concat();
        assert!(is_right(&document(&right)));
        assert!(!is_right(&document("    <same begin=\"0\" length=\"10\"/>\n")));
        assert!(!is_right(&document(&right.replace("different", "same"))));
        assert!(!is_right(&document(&format!("{right}{right}"))));
        assert!(!is_right(""));
    }
}

//! A built-in pool metadata image for which the right answers of the programs are known (`selftest/README.md`).

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crate::Program;

/// The length of the image, in bytes.
pub(crate) const IMAGE_BYTES: u64 = 2 << 20;

/// A program that reads a pool's metadata.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MetadataTool {
    /// `thin_delta` says what differs between two volumes.
    ThinDelta,
    /// `thin_dump` says what a volume has mapped.
    ThinDump,
}

impl MetadataTool {
    pub(crate) const fn program(self) -> Program {
        match self {
            Self::ThinDelta => Program::ThinDelta,
            Self::ThinDump => Program::ThinDump,
        }
    }

    /// What it is asked of the image.
    pub(crate) const fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::ThinDelta => &["--snap1", "1", "--snap2", "2"],
            Self::ThinDump => &["--dev-id", "2"],
        }
    }

    /// The tags of the right answer that say anything of chunks.
    pub(crate) const fn expected(self) -> &'static [&'static str] {
        match self {
            Self::ThinDelta => &[
                r#"<same begin="0" length="5"/>"#,
                r#"<different begin="5" length="1"/>"#,
                r#"<same begin="6" length="4"/>"#,
            ],
            Self::ThinDump => &[
                r#"<range_mapping origin_begin="0" data_begin="100" length="5" time="0"/>"#,
                r#"<single_mapping origin_block="5" data_block="500" time="1"/>"#,
                r#"<range_mapping origin_begin="6" data_begin="106" length="4" time="0"/>"#,
            ],
        }
    }

    /// The tags of an answer that say anything of chunks.
    pub(crate) fn runs(self, answer: &str) -> impl Iterator<Item = &str> {
        let says = move |line: &&str| match self {
            Self::ThinDelta => line.contains("begin="),
            Self::ThinDump => ["_mapping ", "<def ", "<ref "].iter().any(|tag| line.contains(tag)),
        };
        answer.lines().map(str::trim).filter(says)
    }

    /// Whether an answer is right. Data addresses in it do not count: nobody uses them.
    pub(crate) fn is_right(self, answer: &str) -> bool {
        match self {
            Self::ThinDelta => self.runs(answer).eq(self.expected().iter().copied()),
            Self::ThinDump => {
                let mut devices =
                    answer.lines().filter_map(|line| attribute(line.trim().strip_prefix("<device")?, "dev_id"));
                let is_device_alone = (devices.next(), devices.next()) == (Some(2), None);
                is_device_alone && mapped(self.runs(answer)) == mapped(self.expected().iter().copied())
            }
        }
    }
}

/// The first chunk and the length of each mapping, in order; runs next to each other are one.
fn mapped<'a>(mappings: impl Iterator<Item = &'a str>) -> Option<Vec<(u64, u64)>> {
    let mut runs: Vec<(u64, u64)> = Vec::new();
    for mapping in mappings {
        let (begin, len) = match attribute(mapping, "origin_block") {
            Some(block) => (block, 1),
            None => (attribute(mapping, "origin_begin")?, attribute(mapping, "length")?),
        };
        match runs.last_mut().filter(|(last, len)| last.checked_add(*len) == Some(begin)) {
            Some((_, total)) => *total = total.checked_add(len)?,
            None => runs.push((begin, len)),
        }
    }
    Some(runs)
}

fn attribute(tag: &str, name: &str) -> Option<u64> {
    let (_, value) = tag.split_once(&format!(" {name}=\""))?;
    value.split_once('"')?.0.parse().ok()
}

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
    fn answers_of_thin_delta() {
        let document =
            |runs: &str| format!("<superblock>\n  <diff left=\"1\" right=\"2\">\n{runs}  </diff>\n</superblock>");
        let is_right = |answer: &str| MetadataTool::ThinDelta.is_right(answer);
        let right: String = MetadataTool::ThinDelta.expected().iter().map(|run| format!("    {run}\n")).collect();
        assert!(is_right(&document(&right)));
        assert!(!is_right(&document("    <same begin=\"0\" length=\"10\"/>\n")));
        assert!(!is_right(&document(&right.replace("different", "same"))));
        assert!(!is_right(&document(&format!("{right}{right}"))));
        assert!(!is_right(""));
    }

    #[test]
    fn answers_of_thin_dump() {
        let device =
            |id: u32, runs: &str| format!("  <device dev_id=\"{id}\" mapped_blocks=\"10\">\n{runs}  </device>\n");
        let is_right = |answer: &str| MetadataTool::ThinDump.is_right(answer);
        let right: String = MetadataTool::ThinDump.expected().iter().map(|run| format!("    {run}\n")).collect();
        assert!(is_right(&device(2, &right)));
        // Other data addresses, which are not used.
        assert!(is_right(&device(
            2,
            "<range_mapping origin_begin=\"0\" data_begin=\"7\" length=\"10\" time=\"0\"/>\n"
        )));
        assert!(!is_right(&device(2, &right.replace("length=\"4\"", "length=\"3\""))));
        assert!(!is_right(&device(2, &right.replace("origin_block=\"5\"", "origin_block=\"4\""))));
        assert!(!is_right(&device(2, &right.replace("origin_begin=\"6\"", "origin_begin=\"7\""))));
        assert!(!is_right(&device(2, "<ref name=\"1\"/>\n")));
        // Another device, none, or all of them.
        assert!(!is_right(&device(1, &right)));
        assert!(!is_right(&right));
        assert!(!is_right(&(device(1, "") + &device(2, &right))));
        assert!(!is_right(""));
    }
}

//! Relations over generated input; the same that the fuzz targets assert.

use hyperlayer::fuzzing;
use proptest::collection::vec;
use proptest::prelude::{any, prop};
use proptest::{proptest, sample::Index};

use crate::streams::GOLDEN;

proptest! {
    #[test]
    fn what_is_written_is_read(plan in vec(any::<u8>(), 0..400)) {
        fuzzing::roundtrip(&plan);
    }

    #[test]
    fn pieces_do_not_matter(seed: u8, which: Index, changes in vec((any::<Index>(), any::<u8>()), 0..3), cut: Index) {
        let mut input = vec![seed];
        input.extend(which.get(GOLDEN).1);
        for (at, byte) in changes {
            let at = 1 + at.index(input.len() - 1);
            input[at] = byte;
        }
        fuzzing::chunks(&input);
        input.truncate(1 + cut.index(input.len()));
        fuzzing::chunks(&input);
    }

    #[test]
    fn nothing_panics(lines in vec(prop::sample::select(LINES.to_vec()), 0..30)) {
        let input = lines.concat();
        fuzzing::decode(&input);
    }
}

/// Lines that fit together often enough to lead far into a stream.
const LINES: [&[u8]; 24] = [
    b"HYPERLAYER/1.0\n",
    b"HYPERLAYER/1.1\n",
    b"Kind: full\n",
    b"Kind: delta\n",
    b"Volume_size: 65536\nChunk_size: 4096\n",
    b"Parent_size: 4096\n",
    b"Check_records: 0\nData_records: 0\nData_bytes: 0\nZero_records: 0\nZero_bytes: 0\n",
    b"Volume size: 1024\n",
    b"Chunk size: 512\n",
    b"Delta blocks: 1\n",
    b"Name: \"x\n",
    b"\n",
    b"\r\n",
    b"D 0 8 CRC32 0\n",
    b"D 0 8\n",
    b"W 0 1\n",
    b"1 1\n",
    b"W 0 0\n",
    b"W FFFFFFFFFFFFFFFF 1\n",
    &[b'x'; 512],
    &[b'\n'; 512],
    b"END 1 records BLAKE3 ",
    b"E 0 0 0 0 0 ",
    b"af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262\n",
];

#[test]
fn golden_streams_in_pieces_and_again() {
    for (_, stream) in GOLDEN {
        fuzzing::decode(stream);
        for seed in [0, 1, 63, 255] {
            fuzzing::chunks(&[&[seed], *stream].concat());
        }
    }
}

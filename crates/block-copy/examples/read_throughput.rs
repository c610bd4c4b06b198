//! How fast a file or device is read with 1, 2 and 4 threads: `cargo run --release --example read_throughput PATH [KIB_PER_PIECE]`.
//! The page cache makes a regular file look fast; a block device is read past it.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example talks to its user")]

use std::hint::black_box;
use std::time::Instant;

use block_copy::{Access, Error, Queue, ReadAt, Silent, Volume, is_zero, read_pieces};
use extents::{Bytes, Extent};

fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let Some(path) = arguments.next() else {
        eprintln!("usage: read_throughput PATH [KIB_PER_PIECE]");
        return Ok(());
    };
    let piece = Bytes::new(arguments.next().and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(1024) << 10);
    let volume = Volume::open(path, Access::Read)?;
    for readers in [1, 2, 4] {
        let (start, mut zeros) = (Instant::now(), 0u64);
        read_pieces(&volume, Extent::whole(volume.size()), Queue { piece, depth: 8, readers }, &Silent, |piece| {
            zeros += u64::from(is_zero(black_box(&piece.buf)));
            Ok::<_, Error>(())
        })?;
        let seconds = start.elapsed().as_secs_f64();
        let mib = Bytes::get(volume.size()) >> 20;
        println!(
            "{readers} readers: {mib} MiB in {seconds:.2} s, {zeros} pieces of zeros, {:.0} MB/s",
            mb(volume.size()) / seconds
        );
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "only to be shown")]
fn mb(bytes: Bytes) -> f64 {
    bytes.get() as f64 / 1e6
}

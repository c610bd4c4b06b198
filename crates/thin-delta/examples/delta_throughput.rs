//! How fast a document of N MB (10^6 bytes) is read, and in how much memory: `delta_throughput [N]`, 1000 if not given.
//!
//! The document is made while it is read, 64 KiB at a time like the pipe of a real `thin_delta`; the time that making
//! it takes is not counted.

#![allow(clippy::print_stdout, reason = "an example shows something")]

use std::error::Error;
use std::io::{self, BufRead, Read, Write};
use std::time::{Duration, Instant};

use thin_delta::DeltaReader;

const BUFFER_BYTES: usize = 64 * 1024;
const KINDS: [&str; 4] = ["same", "different", "left_only", "right_only"];

fn main() -> Result<(), Box<dyn Error>> {
    let megabytes = std::env::args().nth(1).map_or(Ok(1000), |n| n.parse::<u64>())?;
    let mut document = Document::new(megabytes * 1_000_000);
    let start = Instant::now();
    let (mut runs, mut chunks) = (0u64, 0u64);
    for run in DeltaReader::new(&mut document)? {
        chunks += run?.chunks.len().get();
        runs += 1;
    }
    let seconds = (start.elapsed() - document.making).as_secs_f64();
    let megabytes = document.made_bytes as f64 / 1e6;
    println!("{megabytes:.0} MB, {runs} runs of {chunks} chunks in {seconds:.2} s: {:.0} MB/s", megabytes / seconds);
    println!("{:.0} ns a run; peak resident memory {}", seconds * 1e9 / runs as f64, peak_resident()?);
    Ok(())
}

/// The most memory that this process had at once, as Linux says it.
fn peak_resident() -> io::Result<String> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    Ok(status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("unknown").trim().to_owned())
}

/// A document of about `size_bytes`, as `thin_delta` would write it.
struct Document {
    size_bytes: u64,
    made_bytes: u64,
    making: Duration,
    buffer: Vec<u8>,
    read: usize,
    next_chunk: u64,
    complete: bool,
}

impl Document {
    fn new(size_bytes: u64) -> Self {
        let head = b"<superblock time=\"1\" transaction=\"3\" data_block_size=\"128\">\n  \
            <diff left=\"1\" right=\"2\">\n";
        Self {
            size_bytes,
            made_bytes: head.len() as u64,
            making: Duration::ZERO,
            buffer: head.to_vec(),
            read: 0,
            next_chunk: 0,
            complete: false,
        }
    }

    fn make(&mut self) -> io::Result<()> {
        let start = Instant::now();
        self.buffer.clear();
        self.read = 0;
        while !self.complete && self.buffer.len() < BUFFER_BYTES - 128 {
            if self.made_bytes + self.buffer.len() as u64 >= self.size_bytes {
                self.buffer.write_all(b"  </diff>\n</superblock>\n")?;
                self.complete = true;
                break;
            }
            // Most of a real document is `same`; lengths differ, a third of the runs is followed by a gap.
            let kind = if self.next_chunk.is_multiple_of(3) { self.next_chunk / 3 % 4 } else { 0 };
            let kind = KINDS[usize::try_from(kind).unwrap_or_default()];
            let length = 1 + self.next_chunk.wrapping_mul(0x9E37_79B9_7F4A_7C15) % 300;
            writeln!(self.buffer, "    <{kind} begin=\"{}\" length=\"{length}\"/>", self.next_chunk)?;
            self.next_chunk += length + u64::from(length.is_multiple_of(3));
        }
        self.made_bytes += self.buffer.len() as u64;
        self.making += start.elapsed();
        Ok(())
    }
}

impl Read for Document {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let len = self.fill_buf()?.read(into)?;
        self.consume(len);
        Ok(len)
    }
}

impl BufRead for Document {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.read == self.buffer.len() {
            self.make()?;
        }
        Ok(&self.buffer[self.read..])
    }

    fn consume(&mut self, len: usize) {
        self.read += len;
    }
}

//! How fast streams are written and read, from memory to memory: `cargo run --release --example stream_throughput [MiB]`.

#![allow(clippy::print_stdout, clippy::cast_precision_loss, reason = "what an example is for")]

use std::time::Instant;

use extents::{Bytes, ChunkSize, Extent};
use hyperlayer::limits::RECOMMENDED_DATA_RECORD;
use hyperlayer::{Event, Header, Reader, Totals, Writer};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mib: u64 = std::env::args().nth(1).map_or(Ok(512), |text| text.parse())?;
    let size = Bytes::new(mib << 20);
    let whole = Extent::whole(size).ok_or("nothing to do")?;
    let chunk_size = ChunkSize::from_bytes(Bytes::new(65536)).ok_or("no chunk size")?;
    let records = whole.pieces(RECOMMENDED_DATA_RECORD);
    let totals = Totals { data_records: records.clone().count() as u64, data: size, ..Totals::default() };
    let payload: Vec<u8> = (0_u32..1 << 20).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();

    let write = |output: &mut dyn std::io::Write| -> Result<(), hyperlayer::WriteError> {
        let mut writer = Writer::new(output, &Header::full(size, chunk_size, totals))?;
        for record in records.clone() {
            writer.data(record, &payload)?;
        }
        writer.finish().map(|_| ())
    };
    let begun = Instant::now();
    write(&mut std::io::sink())?;
    report("encode", mib, begun);
    let mut stream = Vec::new();
    write(&mut stream)?;

    for buffer_kib in [64, 1024] {
        let begun = Instant::now();
        let mut reader = Reader::new(std::io::BufReader::with_capacity(buffer_kib << 10, stream.as_slice()));
        let mut data_bytes = 0;
        while let Some(event) = reader.next_event()? {
            if let Event::Data { bytes, .. } = event {
                data_bytes += bytes.len() as u64;
            }
        }
        assert_eq!(data_bytes, size.get());
        report(&format!("decode, buffer of {buffer_kib} KiB"), mib, begun);
    }
    Ok(())
}

fn report(what: &str, mib: u64, begun: Instant) {
    let seconds = begun.elapsed().as_secs_f64();
    println!("{what}: {mib} MiB in {seconds:.3} s, {:.0} MB/s", mib as f64 * 1.048_576 / seconds);
}

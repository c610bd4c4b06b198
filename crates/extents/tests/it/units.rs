//! Conversions, and where they end.

use extents::{Bytes, ChunkSize, Chunks, Extent, Sectors};

#[test]
fn conversions_keep_the_value_or_refuse() {
    assert_eq!(Bytes::new(1024).to_sectors(), Some(Sectors::new(2)));
    assert_eq!(Bytes::new(1023).to_sectors(), None);
    assert_eq!(Sectors::new(2).to_bytes(), Some(Bytes::new(1024)));
    assert_eq!(Sectors::new(u64::MAX / 512 + 1).to_bytes(), None);
    for bad in [0, 1, 511, 513] {
        assert_eq!(ChunkSize::from_bytes(Bytes::new(bad)), None, "{bad}");
    }
    assert_eq!(ChunkSize::from_sectors(Sectors::new(u64::MAX)), None);
    assert_eq!(ChunkSize::from_sectors(Sectors::new(128)), ChunkSize::from_bytes(Bytes::new(65536)));
}

#[test]
fn a_chunk_knows_its_bytes() {
    let chunk = ChunkSize::from_bytes(Bytes::new(1024)).unwrap();
    let bytes = |start, end| Extent::between(Bytes::new(start), Bytes::new(end)).unwrap();
    let chunks = |start, end| Extent::between(Chunks::new(start), Chunks::new(end));

    assert_eq!(chunk.extent(chunks(2, 5).unwrap()), Some(bytes(2048, 5120)));
    assert_eq!(chunk.extent(chunks(1, u64::MAX).unwrap()), None);
    for (extent, touched, inside) in [
        (bytes(0, 1024), chunks(0, 1), chunks(0, 1)),
        (bytes(0, 1025), chunks(0, 2), chunks(0, 1)),
        (bytes(1023, 1025), chunks(0, 2), None),
        (bytes(1, 3072), chunks(0, 3), chunks(1, 3)),
        (bytes(u64::MAX - 1, u64::MAX), chunks(u64::MAX / 1024, u64::MAX / 1024 + 1), None),
    ] {
        assert_eq!(Some(chunk.touched(extent)), touched, "{extent}");
        assert_eq!(chunk.inside(extent), inside, "{extent}");
    }
    assert_eq!(chunk.count(Bytes::new(2049)), Chunks::new(3));
    assert_eq!(chunk.count(Bytes::ZERO), Chunks::ZERO);
    assert_eq!(chunk.containing(Bytes::new(1023)), Chunks::ZERO);
}

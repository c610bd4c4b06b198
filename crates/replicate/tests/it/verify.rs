use extents::{Bytes, Extent};
use proptest::prelude::*;
use replicate::{ReadBack, Verify};

fn extent(start: u64, len: u64) -> Extent<Bytes> {
    Extent::new(Bytes::new(start), Bytes::new(len)).unwrap()
}

/// By hand from PROTOCOL.md.
#[test]
fn the_digest_is_as_the_protocol_says() {
    let mut read = ReadBack::new(Verify::Full);
    assert!(read.begin(extent(512, 4)));
    read.update(b"ab");
    read.update(b"cd");
    assert!(read.begin(extent(1024, 1)));
    read.update(b"e");
    let bytes = [&[0, 2, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0][..], b"abcd", &[0, 4], &[0; 6], &[1], &[0; 7], b"e"];
    assert_eq!(read.finish(), Some(blake3::hash(&bytes.concat()).into()));
}

#[test]
fn a_sample_is_about_one_of_sixteen() {
    for seed in [0, 1, u64::MAX] {
        let verify = Verify::Sampled { seed };
        assert!(verify.picks(0));
        let picked: Vec<_> = (0..16_000).filter(|record| verify.picks(*record)).collect();
        assert!((900..1100).contains(&picked.len()), "{}", picked.len());
        let other = Verify::Sampled { seed: seed ^ 4711 };
        assert!(picked.iter().filter(|record| other.picks(**record)).count() < 120, "another seed, another sample");
    }
    assert!(!Verify::None.picks(0));
}

proptest! {
    #[test]
    fn what_is_picked_counts_and_nothing_else(
        seed in any::<u64>(),
        records in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..20), 1..80),
        changed in any::<proptest::sample::Index>(),
    ) {
        let verify = Verify::Sampled { seed };
        let digest = |records: &[Vec<u8>]| {
            let mut read = ReadBack::new(verify);
            let mut at = 0;
            for record in records {
                let _ = read.begin(extent(at, record.len() as u64));
                read.update(record);
                at += 512;
            }
            read.finish()
        };
        let mut other = records.clone();
        let n = changed.index(records.len());
        other[n][0] ^= 1;
        prop_assert_eq!(digest(&records) == digest(&other), !verify.picks(n as u64));
    }
}

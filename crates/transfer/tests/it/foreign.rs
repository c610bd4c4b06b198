//! Streams of other tools: what they say is applied, and what they do not say must be known otherwise.

use block_copy::{Memory, Queue, Silent};
use extents::{Bytes, ChunkSize};
use hyperlayer::{Format, Header, Kind, LayerId, ReadOptions};
use proptest::prelude::*;
use transfer::{Apply, Base, Demands, Error, ErrorKind, Identity, Incoming, Promises, identify, needs_no_base};

use crate::{apply, chunk};

const SECTORS: u8 = 32;

/// A dump of records that may come in any order and overlap: sector, number of sectors, content.
fn lvmsync(records: &[(u8, u8, u8)]) -> Vec<u8> {
    let mut dump = b"lvmsync PROTO[3]\n".to_vec();
    for (start, len, byte) in records {
        dump.extend((u64::from(*start) * 512).to_be_bytes());
        dump.extend((u32::from(*len) * 512).to_be_bytes());
        dump.extend(vec![*byte; usize::from(*len) * 512]);
    }
    dump
}

fn thin_send(chunks: &[(u64, u64, u32)]) -> Vec<u8> {
    let chunk = |(offset, len, command): (u64, u64, u32)| {
        let numbers = [0x24C4_F02A_AE2E_4FA9, offset, len].map(u64::to_be_bytes).concat();
        let data = if command == 0 { vec![b'x'; usize::try_from(len).unwrap()] } else { Vec::new() };
        [numbers, command.to_be_bytes().to_vec(), data].concat()
    };
    let (data, unmaps) = (chunks.iter().filter(|c| c.2 == 0).count(), chunks.iter().filter(|c| c.2 == 1).count());
    let counts = [data + unmaps + 2, data, unmaps].map(|count| (count as u64).to_be_bytes()).concat();
    let all = chunks.iter().map(|c| chunk(*c)).collect::<Vec<_>>().concat();
    [chunk((0, 0, 2)), all, chunk((0, 24, 3)), counts].concat()
}

fn how(base_size: Bytes) -> Apply {
    Apply { chunk: ChunkSize::SECTOR, base_size, check_base: true, queue: Queue::default() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn later_records_win(
        records in prop::collection::vec((0..SECTORS - 8, 1..8u8, any::<u8>()), 0..40),
        sectors in prop::sample::select(vec![1u64, 3, 8, 64]),
    ) {
        let base = testkit::stamped(1, 0, usize::from(SECTORS) * 512);
        let mut expected = base.clone();
        for (start, len, byte) in &records {
            expected[usize::from(*start) * 512..][..usize::from(*len) * 512].fill(*byte);
        }
        let target = Memory::new(base);
        let dump = lvmsync(&records);
        let incoming = Incoming::open(&dump[..]).unwrap().accept_open_end(true);
        let how = Apply { chunk: chunk(sectors * 512), ..how(Bytes::from(expected.len())) };
        incoming.apply(&target, how, &Silent).unwrap();
        prop_assert!(target.into_vec() == expected);
    }
}

#[test]
fn unmapped_is_zero() {
    let target = Memory::new(vec![7; 4096]);
    apply(&thin_send(&[(0, 512, 0), (1024, 2048, 1)])[..], &target, ChunkSize::SECTOR, Bytes::new(4096)).unwrap();
    assert_eq!(target.into_vec(), [vec![b'x'; 512], vec![7; 512], vec![0; 2048], vec![7; 1024]].concat());
}

/// Without a base the size must be given; no record may pass it.
#[test]
fn the_size_is_the_callers() {
    let stream = thin_send(&[(1024, 512, 0)]);
    let open = || Incoming::open(&stream[..]).unwrap();
    needs_no_base(open().header()).unwrap();
    assert!(matches!(open().size(Bytes::ZERO), Err(Error::SizeUnknown)));
    assert_eq!(open().size(Bytes::new(512)).unwrap(), Bytes::new(512));
    let sized = |size: u64| open().with_size(Some(Bytes::new(size)));
    assert_eq!(sized(4096).size(Bytes::new(512)).unwrap(), Bytes::new(4096));

    let target = Memory::new(vec![0; 4096]);
    sized(4096).apply(&target, how(Bytes::ZERO), &Silent).unwrap();
    assert_eq!(target.into_vec()[1024..1536], [b'x'; 512]);
    for unmap in [0, 1] {
        let stream = thin_send(&[(1024, 512, unmap)]);
        let incoming = Incoming::open(&stream[..]).unwrap().with_size(Some(Bytes::new(1024)));
        let error = incoming.apply(&Memory::new(vec![0; 4096]), how(Bytes::ZERO), &Silent).unwrap_err();
        assert!(matches!(error, Error::PastSize { .. }), "{error:?}");
        assert_eq!(error.kind(), ErrorKind::Refused);
    }
}

#[test]
fn what_is_demanded() {
    let nothing = Demands { end: false, identity: false };
    let demand = |stream: &[u8], demands| Incoming::open(stream).unwrap().demand(demands).map(drop);
    let (dump, thin) = (lvmsync(&[(0, 1, 1)]), thin_send(&[]));
    assert!(matches!(demand(&dump, Demands { end: true, ..nothing }), Err(Error::OpenEnd)));
    demand(&dump, nothing).unwrap();
    demand(&thin, Demands { end: true, ..nothing }).unwrap();
    let error = demand(&thin, Demands { identity: true, ..nothing }).unwrap_err();
    assert_eq!(error.to_string(), "the stream, in the format thin-send 1.1, does not name its base");
    assert_eq!((error.kind(), error.hint().is_some()), (ErrorKind::Refused, true));
    // Refused without being asked, before anything is written.
    let target = Memory::new(vec![7; 4096]);
    assert!(matches!(apply(&dump[..], &target, ChunkSize::SECTOR, Bytes::new(4096)), Err(Error::OpenEnd)));
    assert_eq!(target.into_vec(), [7; 4096]);

    let promises = Promises { end: true, identity: false, size: false, kind: false };
    assert_eq!(Incoming::open(&thin[..]).unwrap().promises(), promises);
    // A later line may still tell.
    demand(b"HYPERLAYER/1.0\n\n", Demands { end: true, ..nothing }).unwrap();
}

#[test]
fn ddxml_with_its_block_size() {
    let text = format!("<dd><block offset='1'>{}=</block></dd>", "A".repeat(683));
    let error = Incoming::open(text.as_bytes()).unwrap_err();
    assert_eq!((error.kind(), error.hint().unwrap().contains("`--block-size SIZE`")), (ErrorKind::Refused, true));
    let options = ReadOptions { block_size: Some(ChunkSize::SECTOR) };
    let target = Memory::new(vec![7; 1536]);
    let incoming = Incoming::open_with(text.as_bytes(), options).unwrap();
    incoming.apply(&target, how(Bytes::new(1536)), &Silent).unwrap();
    assert_eq!(target.into_vec(), [[7; 512], [0; 512], [7; 512]].concat());
}

/// The first lvbackup wrote 36 of the 38 characters of a UUID.
#[test]
fn a_parent_that_is_cut() {
    const UUID: &str = "CG3k1B-7dyZ-hpAC-0Y8C-tpwy-Vj2X-1QaXyk";
    let id = |text: &str| LayerId::new(text).unwrap();
    let size = Bytes::new(4096);
    let header = Header {
        format: Format::LvbackupV1,
        kind: Kind::Delta,
        parent: Some(id(&UUID[..36])),
        ..Header::thin_send(size)
    };
    let base = |text: &str| Base { name: "vg/lv".to_owned(), size, ids: vec![id(text)] };
    assert_eq!(identify(&header, &base(UUID), false).unwrap(), Identity::Proven);
    assert_eq!(identify(&header, &base(&UUID[..36]), false).unwrap(), Identity::Proven);
    assert!(matches!(identify(&header, &base(&UUID[1..]), false), Err(Error::WrongBase { .. })));
    // Its parent's size it does not say: the volume may have grown.
    let smaller = Base { size: Bytes::new(512), ..base(UUID) };
    assert_eq!(identify(&header, &smaller, false).unwrap(), Identity::Proven);
}

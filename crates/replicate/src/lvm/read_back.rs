//! What was written is read again, past every cache, before it counts.

use block_copy::{Progress, Queue, ReadAt, read_pieces};
use extents::{Bytes, Extent};
use hyperlayer::Digest;
use transfer::Error;

use super::records::Records;
use crate::{ReadBack, Verify};

/// How many records are read side by side.
const BATCH: usize = 1024;

/// The digest of those records of the volume that `verify` picks. `read` is told how much was read so far.
///
/// # Errors
/// The volume or the list cannot be read, or `progress` asks to stop.
pub(super) fn read_back(
    volume: &dyn ReadAt,
    records: Records,
    verify: Verify,
    progress: &dyn Progress,
    mut read: impl FnMut(Bytes),
) -> Result<Option<Digest>, Error> {
    let mut digest = ReadBack::new(verify);
    let mut records = records.read().map_err(Error::input)?;
    let (mut total, mut number) = (Bytes::ZERO, 0);
    loop {
        // Picked by their numbers, which the digest counts itself when they begin.
        let batch: Vec<Extent<Bytes>> = records.by_ref().take(BATCH).collect::<Result<_, _>>().map_err(Error::input)?;
        if batch.is_empty() {
            return Ok(digest.finish());
        }
        let picked = batch.iter().zip(number..).filter(|(_, number)| verify.picks(*number)).map(|(record, _)| *record);
        let picked: Vec<_> = picked.collect();
        number += batch.len() as u64;
        let mut coming = batch.into_iter();
        let mut rest = Bytes::ZERO;
        read_pieces(volume, picked, Queue::default(), progress, |piece| {
            if rest.is_zero() {
                let record = coming.by_ref().find(|record| digest.begin(*record));
                rest = record.map_or(Bytes::ZERO, Extent::len);
            }
            digest.update(&piece.buf);
            rest = rest.saturating_sub(piece.extent.len());
            total = total.saturating_add(piece.extent.len());
            read(total);
            Ok::<_, Error>(())
        })?;
        // Those behind the last one that was picked.
        for record in coming {
            let _ = digest.begin(record);
        }
    }
}

#[cfg(test)]
mod tests {
    use block_copy::{Memory, Silent, WriteAt};
    use proptest::prelude::*;

    use super::*;

    fn index(at: Bytes) -> usize {
        at.to_usize().unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// The sender makes its digest record by record, as it reads them; both are the same, however many there are and however
        /// long, and another one as soon as a picked byte is.
        #[test]
        fn both_ends_make_the_same(
            lens in prop::collection::vec(1u64..9, 1..60),
            verify in prop_oneof![Just(Verify::Full), any::<u64>().prop_map(|seed| Verify::Sampled { seed }), Just(Verify::None)],
            huge in any::<bool>(),
        ) {
            // One record longer than what is read at once.
            let lens = lens.iter().enumerate().map(|(n, len)| if huge && n == 0 { 5000 } else { *len });
            let (mut at, mut all) = (0, Vec::new());
            for len in lens {
                all.push(Extent::new(Bytes::new(at * 512), Bytes::new(len * 512)).unwrap());
                at += len + 1;
            }
            let content: Vec<u8> = (0..251).cycle().take(index(Bytes::new(at * 512))).collect();
            let volume = Memory::new(content.clone());
            let folder = tempfile::tempdir().unwrap();
            let list = || {
                let mut records = Records::new(&folder.path().join("list")).unwrap();
                all.iter().for_each(|record| records.add(*record));
                records
            };
            let mut sent = ReadBack::new(verify);
            let mut picked = Vec::new();
            for record in &all {
                let bytes = index(record.start())..index(record.end());
                if sent.begin(*record) {
                    picked.push(bytes.start);
                }
                sent.update(&content[bytes]);
            }
            let mut total = Bytes::ZERO;
            let found = read_back(&volume, list(), verify, &Silent, |read| total = read).unwrap();
            prop_assert_eq!(found, sent.finish());
            prop_assert_eq!(found.is_some(), verify != Verify::None);
            if let Some(first) = picked.last() {
                volume.write_at(Bytes::from(*first), &[content[*first] ^ 1]).unwrap();
                prop_assert_ne!(read_back(&volume, list(), verify, &Silent, |_| {}).unwrap(), sent.finish());
            } else {
                prop_assert_eq!(total, Bytes::ZERO);
            }
        }
    }
}

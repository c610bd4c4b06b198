//! Streams that may be written, out of bytes.

use extents::{Bytes, ChunkSize, Extent};

use super::Owned;
use crate::{Check, CheckHasher, Digest, Format, Header, Kind, LayerId, Resumes, Totals, delta_blocks};

/// The largest volume of a plan.
pub(super) const VOLUME_SECTORS_MAX: u16 = 512;

/// Small numbers out of bytes; zeros when they are used up.
pub(super) struct Dice<'a>(pub(super) &'a [u8]);

impl Dice<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn below(&mut self, limit: u16) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()]) % limit.max(1)
    }

    fn text(&mut self) -> Option<String> {
        const LETTERS: [char; 16] =
            ['a', 'Z', '0', '9', ' ', ':', '"', '\'', '\\', '#', '-', '@', 'ü', '\u{2028}', 'y', '.'];
        let len = self.byte() % 8;
        (len > 0).then(|| (1..len).map(|_| LETTERS[usize::from(self.byte() % 16)]).collect())
    }

    fn id(&mut self) -> Option<LayerId> {
        let number = self.byte();
        (number > 99).then(|| LayerId::new(format!("{number}:w5DLJD-l6Cx")).ok()).flatten()
    }
}

/// A stream that may be written.
pub(super) struct Plan {
    pub(super) events: Vec<Owned>,
    pub(super) damage: u16,
    pub(super) flip: u8,
}

impl Plan {
    pub(super) fn new(dice: &mut Dice<'_>) -> Self {
        let (damage, flip) = (dice.below(u16::MAX), dice.byte().max(1));
        let (format, kind) = match dice.byte() % 3 {
            0 => (Format::V1_1, Kind::Full),
            1 => (Format::V1_1, Kind::Delta),
            _ => (Format::V1_0, Kind::Delta),
        };
        let sectors = |count: u16| Bytes::new(u64::from(count) * 512);
        let volume_size = sectors(dice.below(VOLUME_SECTORS_MAX + 1));
        let base_size = if format == Format::V1_1 { sectors(dice.below(8192)) } else { volume_size };
        let chunk_size = ChunkSize::from_bytes(sectors(1 + dice.below(256))).expect("not zero");
        let mut meta: Vec<(String, String)> = Vec::new();
        for n in 0..dice.byte() % 4 {
            meta.extend(dice.text().map(|text| (format!("Key_{n}"), text)));
        }
        let (name, source, tool) = (dice.text(), dice.text(), dice.text());
        let (layer, parent) = (dice.id(), dice.id());

        let (mut totals, mut records) = (Totals::default(), Vec::new());
        let mut at = Bytes::ZERO;
        let next = |dice: &mut Dice<'_>, at: &mut Bytes, size: Bytes| {
            let start = at.saturating_add(sectors(dice.below(16)));
            let extent = Extent::between(start, start.saturating_add(sectors(1 + dice.below(64))).min(size))?;
            *at = extent.end();
            Some(extent)
        };
        for _ in 0..if kind == Kind::Full { 0 } else { dice.byte() % 4 } {
            let Some(extent) = next(dice, &mut at, base_size) else { break };
            let blake3 = format == Format::V1_1 && dice.byte().is_multiple_of(2);
            let mut hasher = if blake3 { CheckHasher::blake3() } else { CheckHasher::crc32() };
            hasher.update(&[dice.byte()]);
            totals.checks += 1;
            records.push(Owned::Check(Check { extent, hash: hasher.finish() }));
        }
        at = Bytes::ZERO;
        for _ in 0..dice.byte() % 16 {
            let Some(extent) = next(dice, &mut at, volume_size) else { break };
            if dice.byte().is_multiple_of(3) {
                totals.zero_records += 1;
                totals.zero = totals.zero.saturating_add(extent.len());
                records.push(Owned::Zero(extent));
            } else {
                totals.data_records += 1;
                totals.data = totals.data.saturating_add(extent.len());
                let bytes = vec![dice.byte(); extent.len().to_usize().unwrap_or(0)];
                records.push(Owned::Data { extent, bytes });
            }
        }
        let written = records.iter().filter_map(|event| match event {
            Owned::Data { extent, .. } | Owned::Zero(extent) => Some(*extent),
            _ => None,
        });
        let mut header = match (format, kind) {
            (Format::V1_0, _) => {
                let blocks = delta_blocks(written, chunk_size);
                let level = if totals.checks > 0 { 1 + i32::from(dice.byte() % 3) } else { 0 };
                Header { detect_level: Some(level), ..Header::v1_0(volume_size, chunk_size, totals, blocks) }
            }
            (_, Kind::Full) => Header::full(volume_size, chunk_size, totals),
            _ => Header::delta(volume_size, base_size, chunk_size, totals),
        };
        let created = (dice.byte().is_multiple_of(2)).then(|| "2026-11-21T03:00:00.5Z".to_owned());
        let parent = parent.filter(|_| kind == Kind::Delta);
        let resumes = (format == Format::V1_1 && dice.byte().is_multiple_of(4))
            .then(|| Resumes { at: Bytes::ZERO, skipped: Digest([dice.byte(); 32]) });
        header = Header { resumes, name, source, tool, layer, parent, created, meta, ..header };
        let events = std::iter::once(Owned::Header(Box::new(header))).chain(records).collect();
        Self { events, damage, flip }
    }
}

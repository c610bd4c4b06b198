//! The streams of the first `lvbackup`, big-endian: a header of 110 bytes, then blocks of one length, each with its number
//! and an MD5 of both.
//!
//! | at | bytes | |
//! | --- | --- | --- |
//! | 0 | 1 | version, 1 |
//! | 1 | 1 | type: 1 full, 2 delta |
//! | 2 | 8 | volume size, bytes |
//! | 10 | 4 | block size, bytes |
//! | 14 | 8 | number of blocks |
//! | 22 | 36 | LV UUID, the first 36 of its 38 characters |
//! | 58 | 36 | the parent's likewise, or zeros |
//! | 94 | 16 | MD5 of all before |

use byteorder::{BigEndian, ByteOrder};
use extents::{Bytes, ChunkSize, Chunks, Extent};
use md5::{Digest, Md5};

use super::{Codec, Field, Found, Payload, count_data, cut};
use crate::coverage::Coverage;
use crate::error::{DecodeError, ErrorKind};
use crate::limits::{MAX_CHUNK_SIZE, MAX_VOLUME_SIZE};
use crate::rules::past_end;
use crate::{Completeness, Event, Format, Header, HeaderError, Kind, LayerId, Totals};

/// Version and type of a full layer.
pub(super) const FULL: [u8; 2] = [1, 1];
/// The same of a delta.
pub(super) const DELTA: [u8; 2] = [1, 2];

const HEADER_BYTES: usize = 110;
const INDEX_BYTES: usize = 8;
const MD5_BYTES: usize = 16;

#[derive(Debug)]
struct LvbackupV1 {
    field: Field,
    state: State,
}

#[derive(Debug)]
enum State {
    Header,
    /// The number of a block comes, or, where none is left, the end.
    Index(Box<Body>),
    Data(Box<Body>, Payload, Md5),
    Digest(Box<Body>, Md5),
    /// Taken out while it is worked on.
    Busy,
}

#[derive(Debug)]
struct Body {
    volume_size: Bytes,
    block: ChunkSize,
    /// How many blocks are still to come.
    left: u64,
    /// To find a block that comes twice, and so one that is missing.
    coverage: Coverage,
    totals: Totals,
}

/// After the version and type of a header.
pub(super) fn open(magic: [u8; 2]) -> Box<dyn Codec> {
    Box::new(LvbackupV1 { field: Field::starting(&magic), state: State::Header })
}

impl Codec for LvbackupV1 {
    fn advance(&mut self, position: u64, input: &[u8]) -> Result<(usize, Found), DecodeError> {
        let starved = input.is_empty();
        let refuse = |taken: usize, len_bytes: usize| {
            let position = position + taken as u64 - len_bytes as u64;
            move |kind| DecodeError { position, kind }
        };
        match std::mem::replace(&mut self.state, State::Busy) {
            State::Index(body) if body.left == 0 => Ok((0, Found::End(Completeness::Counted, body.totals))),
            state if starved => {
                self.state = state;
                Ok((0, Found::Starved))
            }
            State::Header => {
                let (taken, bytes) = self.field.fill(input);
                let Some(bytes) = bytes else {
                    self.state = State::Header;
                    return Ok((taken, Found::Starved));
                };
                let (header, body) = header(&bytes).map_err(refuse(taken, HEADER_BYTES))?;
                self.state = State::Index(Box::new(body));
                Ok((taken, Found::Event(Event::Header(Box::new(header)))))
            }
            State::Index(mut body) => {
                let (taken, bytes) = self.field.fill::<INDEX_BYTES>(input);
                let Some(bytes) = bytes else {
                    self.state = State::Index(body);
                    return Ok((taken, Found::Starved));
                };
                let extent = body.block(BigEndian::read_u64(&bytes)).map_err(refuse(taken, INDEX_BYTES))?;
                self.state = State::Data(body, Payload::new(extent), Md5::new_with_prefix(bytes));
                Ok((taken, Found::Event(Event::DataStart(extent))))
            }
            State::Data(body, mut payload, mut md5) => {
                let taken = payload.part(input.len());
                md5.update(&input[..taken]);
                let at = payload.advance(taken);
                let done = payload.left().is_zero();
                self.state = if done { State::Digest(body, md5) } else { State::Data(body, payload, md5) };
                Ok((taken, Found::Data(at)))
            }
            State::Digest(mut body, md5) => {
                let (taken, stated) = self.field.fill::<MD5_BYTES>(input);
                let Some(stated) = stated else {
                    self.state = State::Digest(body, md5);
                    return Ok((taken, Found::Starved));
                };
                compare("a block", &stated, md5).map_err(refuse(taken, MD5_BYTES))?;
                body.left -= 1;
                self.state = State::Index(body);
                Ok((taken, Found::Further))
            }
            State::Busy => Ok((0, Found::Starved)),
        }
    }

    fn finish(&mut self, position: u64) -> Result<(Completeness, Totals), DecodeError> {
        match &self.state {
            State::Header => cut(position, "within the header"),
            State::Data(..) => cut(position, "within the data of a block"),
            State::Digest(..) => cut(position, "within the digest of a block"),
            // Only right behind the header: after a block the end is seen at once.
            State::Index(body) if body.left == 0 => Ok((Completeness::Counted, body.totals)),
            State::Index(_) | State::Busy => cut(position, "before all of its blocks"),
        }
    }
}

impl Body {
    fn block(&mut self, index: u64) -> Result<Extent<Bytes>, ErrorKind> {
        let extent = Extent::new(Chunks::new(index), Chunks::new(1)).and_then(|one| self.block.extent(one));
        let extent = extent.ok_or_else(|| ErrorKind::Field {
            field: "number of a block",
            expected: "one below the end of the volume",
            found: index.to_string(),
        })?;
        past_end("a block", extent, Some(self.volume_size))?;
        self.coverage.insert(extent)?;
        count_data(&mut self.totals, extent);
        Ok(extent)
    }
}

fn header(bytes: &[u8; HEADER_BYTES]) -> Result<(Header, Body), ErrorKind> {
    let (fields, md5) = bytes.split_at(HEADER_BYTES - MD5_BYTES);
    compare("the header", md5, Md5::new_with_prefix(fields))?;
    let wrong = |field, expected, found: u64| ErrorKind::Field { field, expected, found: found.to_string() };
    let kind = if fields.starts_with(&FULL) { Kind::Full } else { Kind::Delta };

    let size = Bytes::new(BigEndian::read_u64(&fields[2..]));
    if size.to_sectors().is_none() || size > MAX_VOLUME_SIZE {
        return Err(wrong("volume size", "a multiple of 512 below 2^63, in bytes", size.get()));
    }
    let block_bytes = u64::from(BigEndian::read_u32(&fields[10..]));
    let block = ChunkSize::from_bytes(Bytes::new(block_bytes)).filter(|block| block.bytes() <= MAX_CHUNK_SIZE);
    let block =
        block.ok_or_else(|| wrong("block size", "a multiple of 512 up to 1073741824, in bytes", block_bytes))?;
    let count = BigEndian::read_u64(&fields[14..]);
    if count > block.count(size).get() {
        return Err(wrong("number of blocks", "no more than the volume has", count));
    }
    let (layer, parent) = (uuid("LV UUID", &fields[22..58])?, uuid("source UUID", &fields[58..94])?);
    if let (Kind::Full, Some(parent)) = (kind, &parent) {
        let (field, found) = ("source UUID", parent.to_string());
        return Err(ErrorKind::Field { field, expected: "none in a full layer", found });
    }

    let data = Bytes::new(count.saturating_mul(block_bytes));
    let header = Header {
        volume_size: Some(size),
        chunk_size: Some(block),
        layer,
        parent,
        totals: Some(Totals { data_records: count, data, ..Totals::default() }),
        ..Header::empty(Format::LvbackupV1, kind)
    };
    let (coverage, totals) = (Coverage::new(None), Totals::default());
    Ok((header, Body { volume_size: size, block, left: count, coverage, totals }))
}

/// The UUID in a field of 36 bytes; none where all are zeros.
fn uuid(field: &'static str, bytes: &[u8]) -> Result<Option<LayerId>, ErrorKind> {
    if bytes.iter().all(|byte| *byte == 0) {
        return Ok(None);
    }
    let id = std::str::from_utf8(bytes).ok().and_then(|text| LayerId::new(text).ok());
    id.map(Some).ok_or_else(|| {
        let value = crate::error::excerpt(bytes);
        HeaderError::BadValue { key: field.to_owned(), value, expected: "letters, digits and hyphens, or zeros" }.into()
    })
}

fn compare(what: &'static str, stated: &[u8], found: Md5) -> Result<(), ErrorKind> {
    let found = found.finalize();
    if stated == found.as_slice() {
        return Ok(());
    }
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Err(ErrorKind::Md5Differs { what, stated: hex(stated), found: hex(&found) })
}

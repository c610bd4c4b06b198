//! What `lvmsync` dumps: after the magic line, records of a 64-bit offset and a 32-bit length, big-endian, each followed
//! by its data. Nothing says where the dump ends; records come in the order of a hash table.

use byteorder::{BigEndian, ByteOrder};

use super::{Codec, Field, Found, Payload, count_data, cut, range};
use crate::error::DecodeError;
use crate::{Completeness, Event, Format, Header, Kind, Totals};

pub(super) const MAGIC: &[u8] = b"lvmsync PROTO[3]\n";

const RECORD_HEADER_BYTES: usize = 12;

#[derive(Debug, Default)]
struct Lvmsync {
    begun: bool,
    field: Field,
    payload: Option<Payload>,
    totals: Totals,
}

/// After the magic line.
pub(super) fn open() -> Box<dyn Codec> {
    Box::new(Lvmsync::default())
}

impl Codec for Lvmsync {
    fn advance(&mut self, position: u64, input: &[u8]) -> Result<(usize, Found), DecodeError> {
        if !self.begun {
            self.begun = true;
            // It always is what changed since a snapshot was made, or, as `--snapback`, what it was before.
            let header = Header::empty(Format::Lvmsync, Kind::Delta);
            return Ok((0, Found::Event(Event::Header(Box::new(header)))));
        }
        if input.is_empty() {
            return Ok((0, Found::Starved));
        }
        if let Some(payload) = &mut self.payload {
            let taken = payload.part(input.len());
            let at = payload.advance(taken);
            self.payload.take_if(|payload| payload.left().is_zero());
            return Ok((taken, Found::Data(at)));
        }
        let (taken, bytes) = self.field.fill::<RECORD_HEADER_BYTES>(input);
        let Some(bytes) = bytes else { return Ok((taken, Found::Starved)) };
        let (offset, len) = bytes.split_at(8);
        let extent = range(BigEndian::read_u64(offset), BigEndian::read_u32(len).into());
        let position = position + taken as u64 - RECORD_HEADER_BYTES as u64;
        let extent = extent.map_err(|kind| DecodeError { position, kind })?;
        count_data(&mut self.totals, extent);
        self.payload = Some(Payload::new(extent));
        Ok((taken, Found::Event(Event::DataStart(extent))))
    }

    fn finish(&mut self, position: u64) -> Result<(Completeness, Totals), DecodeError> {
        match &self.payload {
            Some(_) => cut(position, "within the data of a record"),
            None if !self.field.is_empty() => cut(position, "within the offset and length of a record"),
            None => Ok((Completeness::Unknown, self.totals)),
        }
    }
}

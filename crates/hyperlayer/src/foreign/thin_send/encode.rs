//! Writing what `thin_recv` 1.1 applies.

use extents::{Bytes, Extent};

use super::{BEGIN, CHUNK_BYTES, COUNTS_BYTES, DATA, END, MAGIC_1_1, UNMAP};
use crate::error::EncodeError;
use crate::foreign::{count_data, count_zero};
use crate::rules::past_end;
use crate::{Finished, Format, Header, HeaderError, Totals};

/// Makes the chunks of one thin-send 1.1 stream. Does no output itself: each call gives the bytes to write, in the order
/// of the calls.
///
/// The format carries nothing but ranges and data: of the header, only the volume's size counts here, which no record
/// may pass. Records may have any length and come in any order.
///
/// ```
/// use extents::{Bytes, Extent};
/// use hyperlayer::{Header, ThinSendEncoder};
///
/// let (mut encoder, mut stream) = ThinSendEncoder::start(&Header::thin_send(Bytes::new(65536)))?;
/// let payload = [b'x'; 4096];
/// stream.extend(encoder.data(Extent::new(Bytes::ZERO, Bytes::new(4096)).expect("not empty"), &payload)?);
/// stream.extend(payload);
/// stream.extend(encoder.finish().bytes);
/// assert_eq!(stream.len(), 28 + 28 + 4096 + 28 + 24);
/// # Ok::<(), hyperlayer::EncodeError>(())
/// ```
#[derive(Debug)]
pub struct ThinSendEncoder {
    volume_size: Option<Bytes>,
    totals: Totals,
    hasher: blake3::Hasher,
    len: Bytes,
}

impl ThinSendEncoder {
    /// Begins a stream: gives the encoder, and the first bytes.
    ///
    /// # Errors
    /// [`HeaderError::Foreign`] where the header is one of another format, [`HeaderError::NotExpressible`] where it has
    /// the user's own pairs.
    pub fn start(header: &Header) -> Result<(Self, Vec<u8>), EncodeError> {
        if header.format != Format::ThinSend1_1 {
            return Err(HeaderError::Foreign { format: header.format }.into());
        }
        if !header.meta.is_empty() {
            let (format, what) = (header.format, "header lines of one's own");
            return Err(HeaderError::NotExpressible { format, what }.into());
        }
        let (hasher, len) = (blake3::Hasher::new(), Bytes::ZERO);
        let mut encoder = Self { volume_size: header.volume_size, totals: Totals::default(), hasher, len };
        let begin = encoder.chunk(0, 0, BEGIN);
        Ok((encoder, begin))
    }

    /// A data record: gives the bytes to write before `payload`. Nothing follows it.
    ///
    /// # Errors
    /// [`EncodeError`] where it is no whole sectors or past the volume, or `payload` is not as long as `extent`.
    pub fn data(&mut self, extent: Extent<Bytes>, payload: &[u8]) -> Result<Vec<u8>, EncodeError> {
        let found = Bytes::from(payload.len());
        if found != extent.len() {
            return Err(EncodeError::WrongLength { extent, found });
        }
        let chunk = self.record("a data record", extent, DATA)?;
        count_data(&mut self.totals, extent);
        self.count(payload);
        Ok(chunk)
    }

    /// A range that reads as zeros: gives the bytes to write.
    ///
    /// # Errors
    /// [`EncodeError`] where it is no whole sectors, or past the volume.
    pub fn zero(&mut self, extent: Extent<Bytes>) -> Result<Vec<u8>, EncodeError> {
        let chunk = self.record("a zero record", extent, UNMAP)?;
        count_zero(&mut self.totals, extent);
        Ok(chunk)
    }

    /// Ends the stream.
    pub fn finish(mut self) -> Finished {
        let mut bytes = self.chunk(0, COUNTS_BYTES as u64, END);
        let (data, unmaps) = (self.totals.data_records, self.totals.zero_records);
        let counts = [data + unmaps + 2, data, unmaps].map(u64::to_be_bytes).concat();
        self.count(&counts);
        bytes.extend(counts);
        Finished { bytes, totals: self.totals, len: self.len, blake3: self.hasher.finalize().into() }
    }

    fn record(&mut self, what: &'static str, extent: Extent<Bytes>, command: u32) -> Result<Vec<u8>, EncodeError> {
        if extent.to_sectors().is_none() {
            return Err(EncodeError::NotSectors { extent });
        }
        past_end(what, extent, self.volume_size)?;
        Ok(self.chunk(extent.start().get(), extent.len().get(), command))
    }

    fn chunk(&mut self, offset: u64, len: u64, command: u32) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(CHUNK_BYTES + COUNTS_BYTES);
        bytes.extend(MAGIC_1_1);
        bytes.extend(offset.to_be_bytes());
        bytes.extend(len.to_be_bytes());
        bytes.extend(command.to_be_bytes());
        self.count(&bytes);
        bytes
    }

    fn count(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.len = self.len.saturating_add(Bytes::from(bytes.len()));
    }
}

/// The length of the stream with these records.
pub(crate) fn stream_len(totals: Totals) -> Bytes {
    let chunks = totals.data_records.saturating_add(totals.zero_records).saturating_add(2);
    let around = chunks.saturating_mul(CHUNK_BYTES as u64).saturating_add(COUNTS_BYTES as u64);
    Bytes::new(around).saturating_add(totals.data)
}

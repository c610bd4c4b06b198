//! The sans-IO encoder: records in, lines out.

use std::borrow::Cow;

use extents::{Bytes, Extent};

use crate::chain::Chain;
use crate::coverage::DeltaBlocks;
use crate::error::EncodeError;
use crate::format::Version;
use crate::limits::RECOMMENDED_DATA_RECORD;
use crate::record::{DATA_TRAILER, range};
use crate::rules::{Rules, counts};
use crate::{Check, CheckHash, Digest, Header, HeaderError, RuleError, Totals};

/// Makes the lines of one stream. Does no output itself: each call gives the bytes to write, in the order of the
/// calls.
///
/// Base checks come first, ascending; then data and zeros, ascending together. Nothing overlaps. In the end all must
/// be as the header's totals say. After an error the stream can no longer become right: every later call fails with that error.
///
/// ```
/// use extents::{Bytes, ChunkSize, Extent};
/// use hyperlayer::{DATA_TRAILER, Encoder, Header, Totals};
///
/// let chunk_size = ChunkSize::from_bytes(Bytes::new(4096)).expect("8 sectors");
/// let first = Extent::new(Bytes::ZERO, Bytes::new(4096)).expect("not empty");
/// let totals = Totals { data_records: 1, data: first.len(), ..Totals::default() };
/// let (mut encoder, mut stream) = Encoder::start(&Header::full(Bytes::new(65536), chunk_size, totals))?;
/// let payload = [b'x'; 4096];
/// stream.extend(encoder.data(first, &payload)?);
/// stream.extend(payload);
/// stream.extend(DATA_TRAILER);
/// let finished = encoder.finish()?;
/// stream.extend(finished.bytes);
/// assert!(stream.starts_with(b"HYPERLAYER/1.1\n"));
/// # Ok::<(), hyperlayer::EncodeError>(())
/// ```
#[derive(Debug)]
pub struct Encoder {
    version: Version,
    rules: Rules,
    hasher: blake3::Hasher,
    len: Bytes,
    /// Under 1.1: what the next record's check covers first.
    chain: Chain,
    /// Under 1.0: the empty line between the base checks and the records is still to be written.
    separator: bool,
    /// Under 1.0: how many `W` lines were written, those for zeros included.
    records_1_0: u64,
    /// Under 1.0: the header's `Delta blocks`, and what is counted.
    blocks: Option<(u64, DeltaBlocks)>,
    unfinished_zero: bool,
    failed: Option<EncodeError>,
}

/// The end of one stream.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "without its end record the stream is cut"]
pub struct Finished {
    /// The last bytes to write.
    pub bytes: Vec<u8>,
    /// What the stream holds.
    pub totals: Totals,
    /// The stream's length in bytes, from its first to its last.
    pub len: Bytes,
    /// BLAKE3 of the whole stream, these last bytes included: what `b3sum` says of the file.
    pub blake3: Digest,
}

impl Encoder {
    /// Begins a stream: gives the encoder, and the header to write.
    ///
    /// # Errors
    /// [`EncodeError::Header`] where the header is wrong, or its format cannot say what it says.
    pub fn start(header: &Header) -> Result<(Self, Vec<u8>), EncodeError> {
        let text = header.print()?;
        let version = header.format.version().ok_or(HeaderError::Foreign { format: header.format })?;
        let mut encoder = Self {
            version,
            rules: Rules::new(header),
            hasher: blake3::Hasher::new(),
            len: Bytes::ZERO,
            chain: Chain::new(crc32fast::hash(&text)),
            separator: version == Version::V1_0 && header.totals.is_some_and(|totals| totals.checks > 0),
            records_1_0: 0,
            blocks: header.delta_blocks.zip(header.chunk_size.map(DeltaBlocks::new)),
            unfinished_zero: false,
            failed: None,
        };
        encoder.count(&text);
        Ok((encoder, text))
    }

    /// A base check: gives its line. Under 1.0 it must be a CRC-32.
    ///
    /// # Errors
    /// [`EncodeError`] where it may not stand here, or the format does not know its hash.
    pub fn check(&mut self, check: &Check) -> Result<Vec<u8>, EncodeError> {
        self.guarded(|encoder| encoder.check_line(check))
    }

    fn check_line(&mut self, check: &Check) -> Result<Vec<u8>, EncodeError> {
        let range = sectors(check.extent)?;
        let hash = match (self.version, &check.hash) {
            // The original compares text, and writes neither zeros in front nor capitals.
            (Version::V1_0, CheckHash::Crc32(crc)) => format!("CRC32 {crc:x}"),
            (Version::V1_1, CheckHash::Crc32(crc)) => format!("CRC32 {crc:08x}"),
            (Version::V1_1, CheckHash::Blake3(digest)) => format!("BLAKE3 {digest}"),
            (version, CheckHash::Blake3(_)) => {
                return Err(EncodeError::HashNotExpressible { format: version.into(), hash: "BLAKE3".to_owned() });
            }
            (version, CheckHash::Other { name, .. }) => {
                return Err(EncodeError::HashNotExpressible { format: version.into(), hash: name.clone() });
            }
        };
        self.rules.check(check.extent)?;
        let line = format!("D {range} {hash}");
        Ok(match self.version {
            Version::V1_0 => self.line(format!("{line}\n")),
            Version::V1_1 => self.record_line(line, &[]),
        })
    }

    /// A data record, at most [`MAX_DATA_RECORD`](crate::limits::MAX_DATA_RECORD): gives its line. The caller writes
    /// the line, then `payload`, then [`DATA_TRAILER`].
    ///
    /// # Errors
    /// [`EncodeError`] where it may not stand here, or `payload` is not as long as `extent`.
    pub fn data(&mut self, extent: Extent<Bytes>, payload: &[u8]) -> Result<Vec<u8>, EncodeError> {
        self.guarded(|encoder| encoder.data_line(extent, payload))
    }

    fn data_line(&mut self, extent: Extent<Bytes>, payload: &[u8]) -> Result<Vec<u8>, EncodeError> {
        let range = sectors(extent)?;
        let found = Bytes::from(payload.len());
        if found != extent.len() {
            return Err(EncodeError::WrongLength { extent, found });
        }
        self.record()?;
        self.rules.data(extent)?;
        self.count_blocks(extent);
        let line = match self.version {
            Version::V1_0 => self.line_1_0(&range),
            Version::V1_1 => self.record_line(format!("W {range}"), payload),
        };
        self.count(payload);
        self.count(DATA_TRAILER);
        Ok(line)
    }

    /// A range that reads as zeros, of any length: gives the pieces to write, one after the other. Under 1.1 that is
    /// one line; under 1.0, which has no such record, data records full of zeros.
    ///
    /// # Errors
    /// [`EncodeError`] where it may not stand here.
    pub fn zero(&mut self, extent: Extent<Bytes>) -> Result<ZeroPieces<'_>, EncodeError> {
        let range = self.guarded(|encoder| {
            let range = sectors(extent)?;
            encoder.record()?;
            encoder.rules.zero(extent)?;
            Ok(range)
        })?;
        self.count_blocks(extent);
        self.unfinished_zero = true;
        Ok(ZeroPieces { range, rest: Some(extent), fill: None, encoder: self })
    }

    /// Ends the stream.
    ///
    /// # Errors
    /// [`EncodeError`] where the stream does not hold what the header says.
    pub fn finish(mut self) -> Result<Finished, EncodeError> {
        let totals = self.guarded(|encoder| {
            encoder.record()?;
            if let Some((stated, found)) = encoder.blocks.as_ref().map(|(stated, blocks)| (*stated, blocks.count))
                && stated != found
            {
                return Err(RuleError::WrongTotal { by: "the header", what: "delta blocks", stated, found }.into());
            }
            Ok(encoder.rules.finish()?)
        })?;
        let mut line = match self.version {
            Version::V1_0 => format!("{}END {:X} records BLAKE3 ", self.separator(), self.records_1_0),
            Version::V1_1 => format!("E {} ", counts(totals)),
        }
        .into_bytes();
        self.count(&line);
        let digest = format!("{}\n", Digest::from(self.hasher.finalize())).into_bytes();
        self.count(&digest);
        line.extend(digest);
        Ok(Finished { bytes: line, totals, len: self.len, blake3: self.hasher.finalize().into() })
    }

    fn guarded<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, EncodeError>) -> Result<T, EncodeError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        work(self).inspect_err(|error| self.failed = Some(error.clone()))
    }

    fn count_blocks(&mut self, extent: Extent<Bytes>) {
        if let Some((_, blocks)) = &mut self.blocks {
            blocks.add(extent);
        }
    }

    fn record(&self) -> Result<(), EncodeError> {
        if self.unfinished_zero { Err(EncodeError::UnfinishedZero) } else { Ok(()) }
    }

    fn separator(&mut self) -> &'static str {
        if std::mem::take(&mut self.separator) { "\n" } else { "" }
    }

    fn line_1_0(&mut self, range: &str) -> Vec<u8> {
        self.records_1_0 += 1;
        let separator = self.separator();
        self.line(format!("{separator}W {range}\n"))
    }

    /// A record line of 1.1: `line` with its check, which covers the record's data too.
    fn record_line(&mut self, mut line: String, payload: &[u8]) -> Vec<u8> {
        line.push(' ');
        let mut check = self.chain.record(line.as_bytes());
        check.update(payload);
        self.chain = Chain::new(check.finalize());
        self.line(format!("{line}{}\n", self.chain))
    }

    fn line(&mut self, line: String) -> Vec<u8> {
        self.count(line.as_bytes());
        line.into_bytes()
    }

    fn count(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.len = self.len.saturating_add(Bytes::from(bytes.len()));
    }
}

fn sectors(extent: Extent<Bytes>) -> Result<String, EncodeError> {
    range(extent).ok_or(EncodeError::NotSectors { extent })
}

/// The pieces of a zero record, none longer than 64 KiB. All must be taken and written before the next record.
#[derive(Debug)]
#[must_use = "the pieces must be written"]
pub struct ZeroPieces<'e> {
    encoder: &'e mut Encoder,
    /// The whole record, as it stands in a line.
    range: String,
    /// What has no line yet.
    rest: Option<Extent<Bytes>>,
    /// How many zeros are still to come before the newline.
    fill: Option<Bytes>,
}

static ZEROS: [u8; 65536] = [0; 65536];

impl Iterator for ZeroPieces<'_> {
    type Item = Cow<'static, [u8]>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(left) = self.fill {
            let taken = left.to_usize().map_or(ZEROS.len(), |left| left.min(ZEROS.len()));
            self.fill = left.checked_sub(Bytes::from(taken)).filter(|_| taken > 0);
            let piece = if taken > 0 { &ZEROS[..taken] } else { DATA_TRAILER };
            self.encoder.unfinished_zero = self.rest.is_some() || self.fill.is_some();
            self.encoder.count(piece);
            return Some(Cow::Borrowed(piece));
        }
        let rest = self.rest?;
        let line = match self.encoder.version {
            Version::V1_1 => {
                self.rest = None;
                self.encoder.unfinished_zero = false;
                self.encoder.record_line(format!("Z {}", self.range), &[])
            }
            Version::V1_0 => {
                let piece = rest.pieces(RECOMMENDED_DATA_RECORD).next()?;
                self.rest = rest.split_at(piece.end()).1;
                self.fill = Some(piece.len());
                self.encoder.line_1_0(&range(piece)?)
            }
        };
        Some(Cow::Owned(line))
    }
}

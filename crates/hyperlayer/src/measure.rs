//! How long a stream will be.

use extents::{Bytes, Extent};

use crate::chain::CHECK_HEX_BYTES;
use crate::record::{DIGEST_HEX_BYTES, range};
use crate::rules::{compare, counts};
use crate::{DATA_TRAILER, EncodeError, Format, Header, Totals};

/// The length of the 1.1 stream that has this header and these records, to the byte, with BLAKE3 as the checks' hash;
/// `None` under 1.0, where the length of a check depends on its value. Of a thin-send stream, which has no checks, by
/// the header's totals.
///
/// # Errors
/// The header cannot be written, a range is no whole number of sectors, or the header's totals are not those of the
/// records.
pub fn stream_len(
    header: &Header,
    checks: impl IntoIterator<Item = Extent<Bytes>>,
    data: impl IntoIterator<Item = Extent<Bytes>>,
    zero: impl IntoIterator<Item = Extent<Bytes>>,
) -> Result<Option<Bytes>, EncodeError> {
    #[cfg(feature = "thin-send")]
    if header.format == Format::ThinSend1_1 {
        return Ok(header.totals.map(crate::foreign::thin_send::stream_len));
    }
    let text = header.print()?;
    let (Format::V1_1, Some(totals)) = (header.format, header.totals) else { return Ok(None) };
    let mut len = Bytes::from(text.len());
    let mut found = Totals::default();
    let mut add = |extent: Extent<Bytes>, around: &str, fixed_bytes: usize| {
        let range = range(extent).ok_or(EncodeError::NotSectors { extent })?;
        len = len.saturating_add(Bytes::from(around.len() + range.len() + fixed_bytes));
        Ok::<_, EncodeError>(())
    };
    for extent in checks {
        found.checks += 1;
        add(extent, "D  BLAKE3  \n", DIGEST_HEX_BYTES + CHECK_HEX_BYTES)?;
    }
    for extent in data {
        found.data_records += 1;
        found.data = found.data.saturating_add(extent.len());
        add(extent, "W  \n", CHECK_HEX_BYTES + DATA_TRAILER.len())?;
    }
    for extent in zero {
        found.zero_records += 1;
        found.zero = found.zero.saturating_add(extent.len());
        add(extent, "Z  \n", CHECK_HEX_BYTES)?;
    }
    compare("the header", counts(totals), counts(found))?;
    let end = Bytes::from("E  \n".len() + counts(totals).to_string().len() + DIGEST_HEX_BYTES);
    Ok(Some(len.saturating_add(totals.data).saturating_add(end)))
}

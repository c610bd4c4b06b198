//! What a stream says, from what was asked for and what was found.

use extents::{Bytes, ChunkSize, SECTOR_BYTES};
use hyperlayer::limits::RECOMMENDED_DATA_RECORD;
use hyperlayer::{EncodeError, Format, Header, Kind, LayerId, Totals, delta_blocks};

use crate::encoding::Encoding;
use crate::{Delta, DetectLevel, Error, Geometry, Plan, Record, checks};

/// A layer to send, before anything of it is read.
#[derive(Clone, Debug)]
pub struct Layer {
    /// What the stream calls the volume, and so what the receiver will.
    pub name: Option<String>,
    /// Where it is read from.
    pub source: String,
    /// Its id.
    pub id: Option<LayerId>,
    /// Its parent's id.
    pub parent: Option<LayerId>,
    /// Whether it stands alone.
    pub full: bool,
    /// Its sizes.
    pub geometry: Geometry,
    /// What it holds.
    pub delta: Delta,
}

/// How a layer is written.
#[derive(Clone, Debug)]
pub struct Style {
    /// The format.
    pub format: Format,
    /// How much of the base is hashed into the stream.
    pub detect: DetectLevel,
    /// The user's own lines in the header.
    pub meta: Vec<(String, String)>,
    /// What writes it, name and version.
    pub tool: String,
    /// When, as RFC 3339 in UTC.
    pub created: String,
}

impl Layer {
    /// The header and the records.
    ///
    /// # Errors
    /// The version that was asked for cannot say this.
    pub fn plan(self, style: &Style) -> Result<(Header, Plan), Error> {
        let Geometry { size, base_size, chunk } = self.geometry;
        // The same volumes give the same samples.
        let seed = format!("{:?} {:?} {size} {base_size}", self.id, self.parent);
        // thin-send has none.
        let detect = if style.format.is_hyperlayer() { style.detect } else { DetectLevel::None };
        let checks = checks(detect, &self.delta, self.geometry, &seed);
        let plan = Plan { checks, delta: self.delta, step: RECOMMENDED_DATA_RECORD };
        let base_size = (!self.full).then_some(base_size);
        let header = header(style.format, size, base_size, chunk, &plan, style.detect)?;
        let meta = style.meta.clone();
        let header = Header { name: self.name, layer: self.id, parent: self.parent, meta, ..header };
        let header = match header.format {
            Format::V1_1 => Header {
                source: Some(self.source),
                created: Some(style.created.clone()),
                tool: Some(style.tool.clone()),
                ..header
            },
            _ => header,
        };
        Ok((header, plan))
    }
}

/// A header without names; `base_size` is `None` for a full layer.
pub(crate) fn header(
    format: Format,
    size: Bytes,
    base_size: Option<Bytes>,
    chunk: ChunkSize,
    plan: &Plan,
    detect: DetectLevel,
) -> Result<Header, Error> {
    let totals = plan.totals();
    Ok(match (format, base_size) {
        (Format::V1_1, None) => Header::full(size, chunk, totals),
        (Format::V1_1, Some(base_size)) => Header::delta(size, base_size, chunk, totals),
        (Format::V1_0, None) => return Err(Error::NotInOld { what: "has no full layers" }),
        (Format::V1_0, Some(base_size)) if size != base_size => {
            return Err(Error::NotInOld { what: "cannot say that a volume grew or shrank" });
        }
        (Format::V1_0, Some(_)) => {
            let blocks = delta_blocks(plan.records().map(Record::extent), chunk);
            let level = if totals.checks > 0 { detect.number() } else { 0 };
            Header { detect_level: Some(level.into()), ..Header::v1_0(size, chunk, totals, blocks) }
        }
        // None of it is written: the receiver must know all of it.
        (format, parent_size) => {
            let kind = if parent_size.is_some() { Kind::Delta } else { Kind::Full };
            let (chunk_size, totals) = (Some(chunk), Some(Totals { checks: 0, ..totals }));
            Header { format, kind, parent_size, chunk_size, totals, ..Header::thin_send(size) }
        }
    })
}

impl Style {
    /// Refuses what the user wants in the header and no header can hold, before any volume is looked at.
    ///
    /// # Errors
    /// A key or value is not possible, or is one of the format's own.
    pub fn check(&self) -> Result<(), EncodeError> {
        let (size, chunk) = (Bytes::new(SECTOR_BYTES), ChunkSize::SECTOR);
        let header = match self.format {
            Format::V1_1 => Header::full(size, chunk, Totals::default()),
            Format::V1_0 => Header::v1_0(size, chunk, Totals::default(), 0),
            format => Header { format, ..Header::thin_send(size) },
        };
        Encoding::start(&Header { meta: self.meta.clone(), ..header }).map(drop)
    }
}

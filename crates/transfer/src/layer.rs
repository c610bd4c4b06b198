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
    /// When it became what it is, as RFC 3339 in UTC: LVM's time of a snapshot, the time of an image's last change.
    pub created: Option<String>,
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
}

impl Layer {
    /// The header and the records.
    ///
    /// # Errors
    /// The version that was asked for cannot say this.
    pub fn plan(self, style: &Style) -> Result<(Header, Plan), Error> {
        let Geometry { size, base_size, .. } = self.geometry;
        // The same volumes give the same samples.
        let seed = format!("{:?} {:?} {size} {base_size}", self.id, self.parent);
        // thin-send has none.
        let detect = if style.format.is_hyperlayer() { style.detect } else { DetectLevel::None };
        let checks = checks(detect, &self.delta, self.geometry, &seed);
        let level = if checks.is_empty() { 0 } else { style.detect.number() };
        let plan = Plan { checks, delta: self.delta, step: RECOMMENDED_DATA_RECORD };
        let header = header(style.format, self.full, self.geometry, &plan, level)?;
        let meta = style.meta.clone();
        let header = Header { name: self.name, layer: self.id, parent: self.parent, meta, ..header };
        if !header.format.is_hyperlayer() {
            return Ok((header, plan));
        }
        let (source, tool) = (Some(self.source), Some(style.tool.clone()));
        Ok((Header { source, created: self.created, tool, ..header }, plan))
    }
}

/// What the header of `plan` must say in `format`; `level` is how much of the base is checked.
///
/// # Errors
/// The format cannot say this.
pub(crate) fn header(format: Format, full: bool, geometry: Geometry, plan: &Plan, level: u8) -> Result<Header, Error> {
    let (Geometry { size, base_size, chunk }, totals) = (geometry, plan.totals());
    Ok(match format {
        Format::V1_1 if full => Header::full(size, chunk, totals),
        Format::V1_1 => Header::delta(size, base_size, chunk, totals),
        Format::V1_0 if full => return Err(Error::NotInOld { what: "has no full layers" }),
        Format::V1_0 if size != base_size => {
            return Err(Error::NotInOld { what: "cannot say that a volume grew or shrank" });
        }
        Format::V1_0 => {
            let blocks = delta_blocks(plan.records().map(Record::extent), chunk);
            Header { detect_level: Some(i32::from(level)), ..Header::v1_0(size, chunk, totals, blocks) }
        }
        // None of the header is written: its receiver must know all of it.
        _ => Header {
            format,
            parent_size: (!full).then_some(base_size),
            kind: if full { Kind::Full } else { Kind::Delta },
            chunk_size: Some(chunk),
            totals: Some(Totals { checks: 0, ..totals }),
            ..Header::thin_send(size)
        },
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

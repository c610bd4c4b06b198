//! LVM's JSON, in which every value is a string.

use extents::{Bytes, ChunkSize};
use serde::Deserialize;

use super::{Discards, Lv, LvAttr, Pv, ReportError, Vg};
use crate::{LvName, LvRef, NameError, Tag, ThinId};

#[derive(Deserialize)]
struct Report {
    report: Vec<Section>,
}

#[derive(Deserialize)]
pub(super) struct Section {
    #[serde(default)]
    pub(super) lv: Vec<LvRow>,
    #[serde(default)]
    pub(super) vg: Vec<VgRow>,
    #[serde(default)]
    pub(super) pv: Vec<PvRow>,
    #[serde(default)]
    pub(super) pvseg: Vec<SegmentRow>,
}

pub(super) fn rows<R>(
    json: &[u8],
    pick: fn(Section) -> Vec<R>,
    what: impl Fn() -> String,
) -> Result<Vec<R>, ReportError> {
    let report: Report = serde_json::from_slice(json).map_err(|source| ReportError::Json { what: what(), source })?;
    Ok(report.report.into_iter().flat_map(pick).collect())
}

/// As it comes: every value is a string, empty where there is none.
#[derive(Deserialize)]
pub(super) struct LvRow {
    lv_name: String,
    vg_name: String,
    lv_uuid: String,
    lv_attr: String,
    lv_size: String,
    pool_lv: String,
    origin: String,
    thin_id: String,
    transaction_id: String,
    chunk_size: String,
    data_percent: String,
    metadata_percent: String,
    lv_tags: String,
    lv_time: String,
    metadata_lv: String,
    discards: String,
    segtype: String,
    vg_extent_size: String,
}

#[derive(Deserialize)]
pub(super) struct VgRow {
    vg_name: String,
    vg_uuid: String,
    vg_size: String,
    vg_free: String,
    vg_extent_size: String,
}

#[derive(Deserialize)]
pub(super) struct PvRow {
    pv_name: String,
    pv_uuid: String,
    vg_name: String,
    pv_size: String,
    pv_free: String,
    pv_missing: String,
    pv_tags: String,
}

/// A part of a physical volume, and who has it.
#[derive(Deserialize)]
pub(super) struct SegmentRow {
    lv_name: String,
}

impl SegmentRow {
    /// Hidden ones are reported in brackets; empty for a free part.
    pub(super) fn name(self) -> String {
        self.lv_name.trim_matches(['[', ']']).to_owned()
    }
}

/// Reads the values of one row, and says whose value it was that could not be read.
struct Reader(String);

impl Reader {
    fn value<T>(
        &self,
        field: &'static str,
        text: &str,
        expected: &'static str,
        value: Option<T>,
    ) -> Result<T, ReportError> {
        value.ok_or_else(|| ReportError::Value { object: self.0.clone(), field, found: text.to_owned(), expected })
    }

    fn name<T>(&self, field: &'static str, text: &str, name: Result<T, NameError>) -> Result<T, ReportError> {
        self.value(field, text, "a valid name", name.ok())
    }

    fn number<T: std::str::FromStr>(&self, field: &'static str, text: &str) -> Result<T, ReportError> {
        self.value(field, text, "a number", text.parse().ok())
    }

    fn tags(&self, field: &'static str, text: &str) -> Result<Vec<Tag>, ReportError> {
        let tags = text.split(',').filter(|tag| !tag.is_empty());
        tags.map(|tag| self.name(field, tag, tag.parse())).collect()
    }

    /// Where there may be none.
    fn maybe<T>(
        &self,
        text: &str,
        read: impl FnOnce(&Self, &str) -> Result<T, ReportError>,
    ) -> Result<Option<T>, ReportError> {
        if text.is_empty() { Ok(None) } else { read(self, text).map(Some) }
    }
}

impl LvRow {
    pub(super) fn typed(self) -> Result<Lv, ReportError> {
        let r = Reader(format!("{}/{}", self.vg_name, self.lv_name));
        let lv_name = |field| move |r: &Reader, text: &str| r.name(field, text, LvName::reported(text));
        let vg = r.name("vg_name", &self.vg_name, self.vg_name.parse())?;
        let lv = lv_name("lv_name")(&r, &self.lv_name)?;
        Ok(Lv {
            name: LvRef::new(vg, lv),
            uuid: r.name("lv_uuid", &self.lv_uuid, self.lv_uuid.parse())?,
            attr: r.value("lv_attr", &self.lv_attr, "ten letters", LvAttr::parse(&self.lv_attr, &self.segtype))?,
            size: Bytes::new(r.number("lv_size", &self.lv_size)?),
            extent_size: Bytes::new(r.number("vg_extent_size", &self.vg_extent_size)?),
            pool: r.maybe(&self.pool_lv, lv_name("pool_lv"))?,
            origin: r.maybe(&self.origin, lv_name("origin"))?,
            thin_id: r.maybe(&self.thin_id, |r, text| {
                r.value("thin_id", text, "a number of 24 bits", text.parse().ok().and_then(ThinId::new))
            })?,
            transaction_id: r.maybe(&self.transaction_id, |r, text| r.number("transaction_id", text))?,
            // LVM reports zero for what has no chunks.
            chunk_size: r
                .maybe(&self.chunk_size, |r, text| r.number("chunk_size", text))?
                .and_then(|bytes| ChunkSize::from_bytes(Bytes::new(bytes))),
            data_percent: r.maybe(&self.data_percent, |r, text| r.number("data_percent", text))?,
            metadata_percent: r.maybe(&self.metadata_percent, |r, text| r.number("metadata_percent", text))?,
            tags: r.tags("lv_tags", &self.lv_tags)?,
            created_seconds: r.maybe(&self.lv_time, |r, text| r.number("lv_time", text))?,
            metadata_lv: r.maybe(&self.metadata_lv, lv_name("metadata_lv"))?,
            discards: r.maybe(&self.discards, |r, text| {
                let discards = match text {
                    "passdown" => Some(Discards::Passdown),
                    "nopassdown" => Some(Discards::NoPassdown),
                    "ignore" => Some(Discards::Ignore),
                    _ => None,
                };
                r.value("discards", text, "passdown, nopassdown or ignore", discards)
            })?,
        })
    }
}

impl VgRow {
    pub(super) fn typed(self) -> Result<Vg, ReportError> {
        let r = Reader(self.vg_name.clone());
        Ok(Vg {
            name: r.name("vg_name", &self.vg_name, self.vg_name.parse())?,
            uuid: r.name("vg_uuid", &self.vg_uuid, self.vg_uuid.parse())?,
            size: Bytes::new(r.number("vg_size", &self.vg_size)?),
            free: Bytes::new(r.number("vg_free", &self.vg_free)?),
            extent_size: Bytes::new(r.number("vg_extent_size", &self.vg_extent_size)?),
        })
    }
}

impl PvRow {
    pub(super) fn typed(self) -> Result<Pv, ReportError> {
        let r = Reader(self.pv_name.clone());
        Ok(Pv {
            uuid: r.name("pv_uuid", &self.pv_uuid, self.pv_uuid.parse())?,
            group: r.maybe(&self.vg_name, |r, text| r.name("vg_name", text, text.parse()))?,
            size: r.number("pv_size", &self.pv_size).map(Bytes::new)?,
            free: r.number("pv_free", &self.pv_free).map(Bytes::new)?,
            // LVM calls its device `[unknown]` then.
            tags: r.tags("pv_tags", &self.pv_tags)?,
            device: self.pv_missing.is_empty().then(|| self.pv_name.into()),
        })
    }
}

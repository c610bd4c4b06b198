//! The keys of 1.1 (FORMAT.md, section 2).

use extents::{Bytes, ChunkSize};

use super::parse::Fields;
use super::{Format, Header, HeaderError, Kind, Resumes, SIZE, Totals};
use super::{bad, check_chunk_size, check_meta, check_printable, check_size, check_time, decimal};
use crate::error::DecodeError;
use crate::{Digest, LayerId};

const NAME: &str = "Name";
const KIND: &str = "Kind";
const VOLUME_SIZE: &str = "Volume_size";
const CHUNK_SIZE: &str = "Chunk_size";
const PARENT_SIZE: &str = "Parent_size";
const LAYER: &str = "Layer";
const PARENT: &str = "Parent";
const SOURCE: &str = "Source";
const CREATED: &str = "Created";
const TOOL: &str = "Tool";
const CHECK_RECORDS: &str = "Check_records";
const DATA_RECORDS: &str = "Data_records";
const DATA_BYTES: &str = "Data_bytes";
const ZERO_RECORDS: &str = "Zero_records";
const ZERO_BYTES: &str = "Zero_bytes";
const RESUMES_AT: &str = "Resumes_at";
const SKIPPED: &str = "Skipped";

const RESERVED: [&str; 17] = [
    NAME,
    KIND,
    VOLUME_SIZE,
    CHUNK_SIZE,
    PARENT_SIZE,
    LAYER,
    PARENT,
    SOURCE,
    CREATED,
    TOOL,
    CHECK_RECORDS,
    DATA_RECORDS,
    DATA_BYTES,
    ZERO_RECORDS,
    ZERO_BYTES,
    RESUMES_AT,
    SKIPPED,
];

/// The rest of a layer is of another kind, so that a reader which does not know of such streams refuses them.
const KINDS: [(&str, Kind, bool); 4] = [
    ("full", Kind::Full, false),
    ("delta", Kind::Delta, false),
    ("full-rest", Kind::Full, true),
    ("delta-rest", Kind::Delta, true),
];

fn bytes(text: &str) -> Option<Bytes> {
    decimal(text).map(Bytes::new)
}

fn layer_id(text: &str) -> Option<LayerId> {
    text.parse().ok()
}

/// The header of these fields.
pub(super) fn header(mut fields: Fields) -> Result<Header, DecodeError> {
    const NUMBER: &str = "a decimal number";
    const ID: &str = "a layer id";
    for (n, pair) in fields.pairs().iter().enumerate() {
        if fields.pairs()[..n].iter().any(|other| other.key == pair.key) {
            return Err(pair.refuse(HeaderError::Repeated { key: crate::error::excerpt(pair.key.as_bytes()) }));
        }
    }
    let text = |text: &str| Some(text.to_owned());
    let kind = fields.value(KIND, "`full` or `delta`", |text| {
        KINDS.into_iter().find_map(|(word, kind, rest)| (word == text).then_some((kind, rest)))
    })?;
    let (kind, is_rest) = fields.need(KIND, kind)?;
    let mut header = Header::empty(Format::V1_1, kind);
    header.name = fields.value(NAME, "", text)?;
    header.volume_size = fields.value(VOLUME_SIZE, SIZE, bytes)?;
    header.chunk_size =
        fields.value(CHUNK_SIZE, "a multiple of 512, in bytes", |text| ChunkSize::from_bytes(bytes(text)?))?;
    header.parent_size = fields.value(PARENT_SIZE, SIZE, bytes)?;
    header.layer = fields.value(LAYER, ID, layer_id)?;
    header.parent = fields.value(PARENT, ID, layer_id)?;
    header.source = fields.value(SOURCE, "", text)?;
    header.created = fields.value(CREATED, "", text)?;
    header.tool = fields.value(TOOL, "", text)?;
    let (checks, data_records) =
        (fields.value(CHECK_RECORDS, NUMBER, decimal)?, fields.value(DATA_RECORDS, NUMBER, decimal)?);
    let (data, zero_records) = (fields.value(DATA_BYTES, NUMBER, bytes)?, fields.value(ZERO_RECORDS, NUMBER, decimal)?);
    let zero = fields.value(ZERO_BYTES, NUMBER, bytes)?;
    header.totals = Some(Totals {
        checks: fields.need(CHECK_RECORDS, checks)?,
        data_records: fields.need(DATA_RECORDS, data_records)?,
        data: fields.need(DATA_BYTES, data)?,
        zero_records: fields.need(ZERO_RECORDS, zero_records)?,
        zero: fields.need(ZERO_BYTES, zero)?,
    });
    let resumes_at = fields.value(RESUMES_AT, SIZE, bytes)?;
    let skipped = fields.value(SKIPPED, "64 lowercase hex digits", |text| text.parse::<Digest>().ok())?;
    header.resumes = match (is_rest, resumes_at, skipped) {
        (false, None, None) => None,
        (false, Some(_), _) => return Err(fields.refuse(unwanted(RESUMES_AT, "only the rest of a layer has"))),
        (false, None, Some(_)) => return Err(fields.refuse(unwanted(SKIPPED, "only the rest of a layer has"))),
        (true, at, skipped) => {
            Some(Resumes { at: fields.need(RESUMES_AT, at)?, skipped: fields.need(SKIPPED, skipped)? })
        }
    };
    header.meta = fields.pairs().iter().map(|pair| (pair.key.clone(), pair.value.clone())).collect();
    check(&header).map_err(|error| fields.refuse(error))?;
    Ok(header)
}

/// The lines of a header, after the magic line.
pub(super) fn lines(header: &Header) -> Result<Vec<(&str, String)>, HeaderError> {
    let totals = check(header)?;
    let built_in = [
        (NAME, header.name.clone()),
        (KIND, Some(kind_word(header).to_owned())),
        (VOLUME_SIZE, header.volume_size.map(|size| size.to_string())),
        (CHUNK_SIZE, header.chunk_size.map(|size| size.to_string())),
        (PARENT_SIZE, header.parent_size.map(|size| size.to_string())),
        (LAYER, header.layer.as_ref().map(LayerId::to_string)),
        (PARENT, header.parent.as_ref().map(LayerId::to_string)),
        (SOURCE, header.source.clone()),
        (CREATED, header.created.clone()),
        (TOOL, header.tool.clone()),
        (CHECK_RECORDS, Some(totals.checks.to_string())),
        (DATA_RECORDS, Some(totals.data_records.to_string())),
        (DATA_BYTES, Some(totals.data.to_string())),
        (ZERO_RECORDS, Some(totals.zero_records.to_string())),
        (ZERO_BYTES, Some(totals.zero.to_string())),
        (RESUMES_AT, header.resumes.map(|resumes| resumes.at.to_string())),
        (SKIPPED, header.resumes.map(|resumes| resumes.skipped.to_string())),
    ];
    let built_in = built_in.into_iter().filter_map(|(key, value)| Some((key, value?)));
    Ok(built_in.chain(header.meta.iter().map(|(key, value)| (key.as_str(), value.clone()))).collect())
}

fn kind_word(header: &Header) -> &'static str {
    let found = |(_, kind, rest): &(&str, Kind, bool)| (*kind, *rest) == (header.kind, header.resumes.is_some());
    KINDS.into_iter().find(found).map_or("", |(word, ..)| word)
}

/// Whether the header is a right one of 1.1; gives its totals.
fn check(header: &Header) -> Result<Totals, HeaderError> {
    let volume_size = header.volume_size.ok_or(HeaderError::Missing { key: VOLUME_SIZE })?;
    check_size(VOLUME_SIZE, volume_size)?;
    check_chunk_size(CHUNK_SIZE, header.chunk_size.ok_or(HeaderError::Missing { key: CHUNK_SIZE })?)?;
    match (header.kind, header.parent_size) {
        (Kind::Unknown, _) => return Err(bad(KIND, header.kind, "`full` or `delta`")),
        (Kind::Delta, None) => return Err(HeaderError::Missing { key: PARENT_SIZE }),
        (Kind::Full, Some(_)) => return Err(unwanted(PARENT_SIZE, "a full layer does not have")),
        (_, size) => size.map_or(Ok(()), |size| check_size(PARENT_SIZE, size))?,
    }
    if header.kind == Kind::Full && header.parent.is_some() {
        return Err(unwanted(PARENT, "a full layer does not have"));
    }
    if header.detect_level.is_some() {
        return Err(unwanted("Detect level", "only 1.0 has"));
    }
    if header.delta_blocks.is_some() {
        return Err(unwanted("Delta blocks", "only 1.0 has"));
    }
    for (key, text) in [(NAME, &header.name), (SOURCE, &header.source), (TOOL, &header.tool)] {
        text.as_ref().map_or(Ok(()), |text| check_printable(key, text))?;
    }
    header.created.as_ref().map_or(Ok(()), |time| check_time(CREATED, time))?;
    check_meta(&header.meta, &RESERVED)?;

    if let Some(Resumes { at, .. }) = header.resumes {
        check_size(RESUMES_AT, at)?;
        if at > volume_size {
            return Err(bad(RESUMES_AT, at, "no more than Volume_size"));
        }
    }
    let totals = header.totals.ok_or(HeaderError::Missing { key: CHECK_RECORDS })?;
    if header.kind == Kind::Full && totals.checks != 0 {
        return Err(bad(CHECK_RECORDS, totals.checks, "0 in a full layer"));
    }
    let fits = |key, records: u64, bytes: Bytes| {
        let right =
            bytes.to_sectors().is_some_and(|sectors| records <= sectors.get()) && (records == 0) == bytes.is_zero();
        right.then_some(()).ok_or_else(|| bad(key, bytes, "whole sectors, at least one in each record"))
    };
    fits(DATA_BYTES, totals.data_records, totals.data)?;
    fits(ZERO_BYTES, totals.zero_records, totals.zero)?;
    if totals.data.checked_add(totals.zero).is_none_or(|sum| sum > volume_size) {
        return Err(bad(DATA_BYTES, totals.data, "with Zero_bytes no more than Volume_size"));
    }
    Ok(totals)
}

fn unwanted(key: &'static str, why: &'static str) -> HeaderError {
    HeaderError::Unwanted { key, why }
}

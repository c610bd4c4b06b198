//! The keys of 1.0 (FORMAT.md, section 7), and what the original `lvpatch` understands of them.

use extents::{Bytes, ChunkSize};

use super::parse::Fields;
use super::{Format, Header, HeaderError, Kind, SIZE, yaml};
use super::{bad, check_chunk_size, check_meta, check_printable, check_size, check_time, decimal};
use crate::error::DecodeError;

const NAME: &str = "Name";
const VOLUME_SIZE: &str = "Volume size";
const CHUNK_SIZE: &str = "Chunk size";
const DELTA_BLOCKS: &str = "Delta blocks";
const VOLUME_UUID: &str = "VolumeUUID";
const DETECT_LEVEL: &str = "Detect level";
const BACKING_UUID: &str = "Backing volumeUUID";
// Ours; to the original they are a user's pairs.
const SOURCE: &str = "Source";
const CREATED: &str = "Created";
const TOOL: &str = "Tool";

const RESERVED: [&str; 5] = [NAME, VOLUME_UUID, SOURCE, CREATED, TOOL];

/// The header of these fields. Nothing is needed: one variant has no keys of its own. A key that comes again is a
/// user's pair, since the original writes its own keys first and the user's, whatever they are, after them.
pub(super) fn header(mut fields: Fields) -> Result<Header, DecodeError> {
    const ID: &str = "a layer id";
    let number = |text: &str| decimal(&yaml::read(text)?);
    let bytes = |text: &str| number(text).map(Bytes::new);
    let id = |text: &str| yaml::read(text)?.parse().ok();
    let level = |text: &str| {
        let text = yaml::read(text)?;
        let digits = text.strip_prefix('-').unwrap_or(&text);
        decimal(digits).and_then(|_| text.parse().ok())
    };
    let control = |text: &str| text.chars().any(|c| c.is_control() && c != '\t');
    if let Some(pair) = fields.pairs().iter().find(|pair| pair.key.contains(char::is_control) || control(&pair.value)) {
        return Err(pair.refuse(bad(&pair.key, &pair.value, "key and value without control characters")));
    }
    let mut header = Header::empty(Format::V1_0, Kind::Delta);
    header.name = fields.value(NAME, "a YAML scalar", yaml::read)?;
    header.volume_size = fields.value(VOLUME_SIZE, SIZE, bytes)?;
    let chunk_size = |text: &str| ChunkSize::from_bytes(bytes(text)?);
    header.chunk_size = fields.value(CHUNK_SIZE, "a multiple of 512, in bytes", chunk_size)?;
    header.delta_blocks = fields.value(DELTA_BLOCKS, "a decimal number", number)?;
    header.layer = fields.value(VOLUME_UUID, ID, id)?;
    header.detect_level = fields.value(DETECT_LEVEL, "a number from -2^31 to 2^31 - 1", level)?;
    header.parent = fields.value(BACKING_UUID, ID, id)?;
    let created = fields.pairs().iter().find(|pair| pair.key == CREATED).and_then(|pair| yaml::read(&pair.value));
    if created.is_some_and(|time| check_time(CREATED, &time).is_ok()) {
        header.created = fields.value(CREATED, "", yaml::read)?;
    }
    header.source = fields.value(SOURCE, "a YAML scalar", yaml::read)?;
    header.tool = fields.value(TOOL, "a YAML scalar", yaml::read)?;
    // Escapes may stand for any character: no other text may come to look like lines of its own where it is shown.
    for (key, text) in [(NAME, &header.name), (SOURCE, &header.source), (TOOL, &header.tool)] {
        text.as_ref().map_or(Ok(()), |text| check_printable(key, text)).map_err(|error| fields.refuse(error))?;
    }
    let user = |text: &str| yaml::read(text).filter(|text| !control(text)).unwrap_or_else(|| text.to_owned());
    header.meta = fields.pairs().iter().map(|pair| (pair.key.clone(), user(&pair.value))).collect();
    header.volume_size.map_or(Ok(()), |size| check_size(VOLUME_SIZE, size)).map_err(|error| fields.refuse(error))?;
    header
        .chunk_size
        .map_or(Ok(()), |size| check_chunk_size(CHUNK_SIZE, size))
        .map_err(|error| fields.refuse(error))?;
    Ok(header)
}

/// The lines of a header, after the magic line: the original's keys in its order, then ours, then the user's.
pub(super) fn lines(header: &Header) -> Result<Vec<(&str, String)>, HeaderError> {
    let volume_size = header.volume_size.ok_or(HeaderError::Missing { key: VOLUME_SIZE })?;
    check_size(VOLUME_SIZE, volume_size)?;
    let chunk_size = header.chunk_size.ok_or(HeaderError::Missing { key: CHUNK_SIZE })?;
    check_chunk_size(CHUNK_SIZE, chunk_size)?;
    let delta_blocks = header.delta_blocks.ok_or(HeaderError::Missing { key: DELTA_BLOCKS })?;
    if header.kind == Kind::Full {
        return Err(HeaderError::NotExpressible { format: Format::V1_0, what: "a full layer" });
    }
    if header.resumes.is_some() {
        return Err(HeaderError::NotExpressible { format: Format::V1_0, what: "the rest of a layer" });
    }
    // The original lvpatch works on a snapshot of the base and never resizes it.
    if header.parent_size.is_some_and(|size| size != volume_size) {
        return Err(HeaderError::NotExpressible {
            format: Format::V1_0,
            what: "a parent of another size than the volume",
        });
    }
    // It looks for D lines exactly when the level is not 0, and neither case fails when they disagree.
    let checks = header
        .totals
        .ok_or(HeaderError::NotExpressible { format: Format::V1_0, what: "an unknown number of base checks" })?
        .checks;
    let level = match (checks, header.detect_level) {
        (0, None | Some(0..=3)) => 0,
        (_, Some(level @ 1..=3)) => level,
        (_, level) => return Err(bad(DETECT_LEVEL, level.unwrap_or(0), "1 to 3 with base checks, 0 to 3 without")),
    };
    for (key, text) in [(NAME, &header.name), (SOURCE, &header.source), (TOOL, &header.tool)] {
        text.as_ref().map_or(Ok(()), |text| check_printable(key, text))?;
    }
    header.created.as_ref().map_or(Ok(()), |time| check_time(CREATED, time))?;
    check_meta(&header.meta, &RESERVED)?;

    let text = |text: &Option<String>| text.as_deref().map(yaml::write);
    let built_in = [
        (NAME, text(&header.name)),
        (VOLUME_SIZE, Some(volume_size.to_string())),
        (CHUNK_SIZE, Some(chunk_size.to_string())),
        (DELTA_BLOCKS, Some(delta_blocks.to_string())),
        (VOLUME_UUID, header.layer.as_ref().map(|id| yaml::write(id.as_str()))),
        (DETECT_LEVEL, Some(level.to_string())),
        (BACKING_UUID, header.parent.as_ref().map(|id| yaml::write(id.as_str()))),
        (SOURCE, text(&header.source)),
        (CREATED, text(&header.created)),
        (TOOL, text(&header.tool)),
    ];
    let built_in = built_in.into_iter().filter_map(|(key, value)| Some((key, value?)));
    Ok(built_in.chain(header.meta.iter().map(|(key, value)| (key.as_str(), yaml::write(value)))).collect())
}

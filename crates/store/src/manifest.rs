//! The manifest of a layer as JSON, read strictly.

use std::time::SystemTime;

use extents::{Bytes, ChunkSize};
use hyperlayer::limits::{MAX_CHUNK_SIZE, MAX_VOLUME_SIZE};
use hyperlayer::{LayerId, Totals};
use serde::{Deserialize, Deserializer, Serialize};

use crate::error::Error;
use crate::fault::Fault;
use crate::layer::{Facts, Layer, Wrapping};
use crate::limits::{FORMAT, MAX_OBJECT_BYTES, MAX_TEXT_BYTES};
use crate::names::{LayerKey, Series, manifest_key};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Json {
    version: u32,
    series: String,
    layer: String,
    kind: KindJson,
    parent: Option<String>,
    #[serde(with = "crate::time")]
    created: SystemTime,
    volume_size: u64,
    chunk_size: u64,
    stream: FactsJson,
    object: ObjectJson,
    totals: TotalsJson,
    tool: String,
    #[serde(default, deserialize_with = "not_null", skip_serializing_if = "Option::is_none")]
    host: Option<String>,
    #[serde(default, deserialize_with = "not_null", skip_serializing_if = "Option::is_none")]
    machine: Option<String>,
}

/// Absent or a text, and nothing between.
fn not_null<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    String::deserialize(from).map(Some)
}

#[derive(Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum KindJson {
    Full,
    Delta,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FactsJson {
    len: u64,
    blake3: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ObjectJson {
    key: String,
    len: u64,
    blake3: String,
    encoding: Vec<StepJson>,
}

#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum StepJson {
    Zstd,
    Age,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TotalsJson {
    checks: u64,
    data_records: u64,
    data: u64,
    zero_records: u64,
    zero: u64,
}

/// The layer as a manifest.
pub(crate) fn print(layer: &Layer) -> Result<Vec<u8>, Error> {
    let unwritable = |what, found: String| Error::Draft { what, found };
    let steps = [(layer.wrapping.zstd, StepJson::Zstd), (layer.wrapping.age, StepJson::Age)];
    let json = Json {
        version: FORMAT,
        series: layer.series.to_string(),
        layer: layer.layer.to_string(),
        kind: if layer.parent.is_some() { KindJson::Delta } else { KindJson::Full },
        parent: layer.parent.as_ref().map(ToString::to_string),
        created: layer.created,
        volume_size: layer.volume_size.get(),
        chunk_size: layer.chunk_size.bytes().get(),
        stream: FactsJson { len: layer.stream.len.get(), blake3: layer.stream.blake3.to_string() },
        object: ObjectJson {
            key: layer.key.clone(),
            len: layer.object.len.get(),
            blake3: layer.object.blake3.to_string(),
            encoding: steps.iter().filter(|(is, _)| *is).map(|(_, step)| *step).collect(),
        },
        totals: TotalsJson {
            checks: layer.totals.checks,
            data_records: layer.totals.data_records,
            data: layer.totals.data.get(),
            zero_records: layer.totals.zero_records,
            zero: layer.totals.zero.get(),
        },
        tool: layer.tool.clone(),
        host: layer.host.clone(),
        machine: layer.machine.clone(),
    };
    let mut text = serde_json::to_vec_pretty(&json).map_err(|e| unwritable("manifest", e.to_string()))?;
    text.push(b'\n');
    // What cannot be read back is not written.
    match parse(&manifest_key(&layer.series, &layer.layer), &text) {
        Ok(same) if same == *layer => Ok(text),
        Ok(_) => Err(unwritable("manifest", "read back as it was written".into())),
        Err(fault) => Err(unwritable("manifest", fault.to_string())),
    }
}

/// The layer that the manifest at `key` describes.
pub(crate) fn parse(key: &str, text: &[u8]) -> Result<Layer, Fault> {
    let json: Json = json(text)?;
    let layer = Layer {
        series: Series::new(json.series).map_err(|e| malformed(&e))?,
        layer: LayerId::new(json.layer).map_err(|e| malformed(&e))?,
        parent: json.parent.map(LayerId::new).transpose().map_err(|e| malformed(&e))?,
        created: json.created,
        volume_size: Bytes::new(json.volume_size),
        chunk_size: ChunkSize::from_bytes(Bytes::new(json.chunk_size))
            .filter(|size| size.bytes() <= MAX_CHUNK_SIZE)
            .ok_or_else(|| bad("chunk_size", json.chunk_size))?,
        totals: Totals {
            checks: json.totals.checks,
            data_records: json.totals.data_records,
            data: Bytes::new(json.totals.data),
            zero_records: json.totals.zero_records,
            zero: Bytes::new(json.totals.zero),
        },
        stream: facts("stream", json.stream.len, &json.stream.blake3)?,
        object: facts("object", json.object.len, &json.object.blake3)?,
        key: json.object.key,
        wrapping: wrapping(&json.object.encoding)?,
        tool: json.tool,
        host: json.host,
        machine: json.machine,
    };
    if (json.kind == KindJson::Delta) != layer.parent.is_some() {
        return Err(Fault::Malformed("`kind` and `parent` contradict each other".into()));
    }
    if layer.parent.as_ref() == Some(&layer.layer) {
        return Err(Fault::Malformed("the layer is its own parent".into()));
    }
    if layer.volume_size.to_sectors().is_none() || layer.volume_size > MAX_VOLUME_SIZE {
        return Err(bad("volume_size", layer.volume_size));
    }
    if layer.totals.data > layer.volume_size || layer.totals.zero > layer.volume_size {
        return Err(Fault::Malformed("`totals` are more than the volume can hold".into()));
    }
    let is_text = |text: &str| text.len() <= MAX_TEXT_BYTES && !text.chars().any(char::is_control);
    if !is_text(&layer.tool) {
        return Err(Fault::Malformed("`tool` is no short printable text".into()));
    }
    for (key, text) in [("host", &layer.host), ("machine", &layer.machine)] {
        if text.as_deref().is_some_and(|text| text.is_empty() || !is_text(text)) {
            return Err(Fault::Malformed(format!("`{key}` is no short printable text")));
        }
    }
    let belongs = manifest_key(&layer.series, &layer.layer);
    if belongs != key {
        return Err(Fault::Misplaced { belongs });
    }
    let object = LayerKey::parse(&layer.key).map_err(|_| bad("object.key", layer.key.escape_debug()))?;
    if (&object.series, &object.layer, object.wrapping) != (&layer.series, &layer.layer, layer.wrapping) {
        return Err(Fault::Malformed(format!("`object.key` is another layer's: {}", layer.key)));
    }
    Ok(layer)
}

/// A small object of the store: its version first, so that a newer one is called so.
pub(crate) fn json<'de, T: Deserialize<'de>>(text: &'de [u8]) -> Result<T, Fault> {
    #[derive(Deserialize)]
    struct Versioned {
        version: u64,
    }
    let Versioned { version } = serde_json::from_slice(text).map_err(|e| malformed(&e))?;
    if version != u64::from(FORMAT) {
        return Err(Fault::Version { found: version });
    }
    serde_json::from_slice(text).map_err(|e| malformed(&e))
}

fn facts(of: &str, len: u64, blake3: &str) -> Result<Facts, Fault> {
    if len > MAX_OBJECT_BYTES {
        return Err(bad(&format!("{of}.len"), len));
    }
    let hash = blake3::Hash::from_hex(blake3).ok().filter(|hash| hash.to_hex().as_str() == blake3);
    let blake3 = hash.ok_or_else(|| Fault::Malformed(format!("`{of}.blake3` is not 64 lower case hex digits")))?;
    Ok(Facts { len: Bytes::new(len), blake3 })
}

fn wrapping(steps: &[StepJson]) -> Result<Wrapping, Fault> {
    match steps {
        [] => Ok(Wrapping { zstd: false, age: false }),
        [StepJson::Zstd] => Ok(Wrapping { zstd: true, age: false }),
        [StepJson::Age] => Ok(Wrapping { zstd: false, age: true }),
        [StepJson::Zstd, StepJson::Age] => Ok(Wrapping { zstd: true, age: true }),
        _ => Err(Fault::Malformed("`object.encoding` names no order of steps that is used".into())),
    }
}

fn bad(key: &str, value: impl std::fmt::Display) -> Fault {
    Fault::Malformed(format!("`{key}` cannot be {value}"))
}

fn malformed(error: &dyn std::fmt::Display) -> Fault {
    Fault::Malformed(error.to_string().escape_debug().take(MAX_TEXT_BYTES).collect())
}

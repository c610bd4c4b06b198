//! A layer in words and as JSON, wherever one is shown.

use extents::{Bytes, human};
use hyperlayer::{Completeness, End, Header, LayerId};
use serde_json::{Value, json};

use crate::store::printable;

/// What is known of a stream's wholeness.
#[derive(Clone, Debug)]
pub(crate) enum State {
    /// Only its header was read.
    Unread,
    /// It was read to its end.
    Read(End),
    /// It is cut or altered.
    Damaged(String),
}

impl State {
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Unread => "unread",
            Self::Read(end) => match end.completeness {
                Completeness::Proven => "proven",
                Completeness::Counted => "counted",
                Completeness::Unknown => "unknown",
            },
            Self::Damaged(_) => "damaged",
        }
    }

    fn sentence(&self) -> String {
        match self {
            Self::Unread => "only its header was read".to_owned(),
            Self::Read(end) => match end.completeness {
                Completeness::Proven => "whole and unaltered: its counts and its digest are right",
                Completeness::Counted => "as many blocks as it says; no digest covers them all",
                Completeness::Unknown => "it does not say how much it holds, so nobody can tell whether it was cut",
            }
            .to_owned(),
            Self::Damaged(error) => error.clone(),
        }
    }

    fn end(&self) -> Option<&End> {
        match self {
            Self::Read(end) => Some(end),
            _ => None,
        }
    }
}

/// A size for people and to the byte.
pub(crate) fn sized(size: Bytes) -> String {
    format!("{} ({size} bytes)", human(size))
}

/// One layer as lines.
pub(crate) fn text(name: &str, header: &Header, state: &State) -> String {
    // No text of a stream, nor a file's name, may look like a line of its own.
    let mut lines = vec![printable(&format!("{name}:"))];
    let mut line =
        |key: &str, value: Option<String>| lines.extend(value.map(|value| printable(&format!("  {key:<9} {value}"))));
    let id = |id: &Option<LayerId>| id.as_ref().map(ToString::to_string);
    line("format", Some(header.format.to_string()));
    line("kind", Some(header.kind.to_string()));
    line("layer", id(&header.layer));
    line("parent", id(&header.parent));
    line("name", header.name.clone());
    line("source", header.source.clone());
    line("created", header.created.clone());
    line("tool", header.tool.clone());
    line("volume", header.volume_size.map(sized));
    line("base", header.parent_size.filter(|size| Some(*size) != header.volume_size).map(sized));
    line("chunk", header.chunk_size.map(|chunk| sized(chunk.bytes())));
    line("resumes", header.resumes.map(|rest| format!("only the rest of the layer, from byte {} on", rest.at)));
    for (key, value) in &header.meta {
        line("meta", Some(format!("{key}: {value}")));
    }
    let totals = state.end().map(|end| end.totals).or(header.totals);
    line("data", totals.map(|t| format!("{} in {} records", sized(t.data), t.data_records)));
    line("zeros", totals.map(|t| format!("{} in {} records", sized(t.zero), t.zero_records)));
    line("checks", totals.map(|t| format!("{} of the base", t.checks)));
    line("stream", state.end().map(|end| format!("{}, decompressed", sized(end.len))));
    line("blake3", state.end().map(|end| end.blake3.to_string()));
    line("state", Some(state.sentence()));
    lines.join("\n")
}

/// One layer as a JSON object.
pub(crate) fn json(name: &str, header: &Header, state: &State) -> Value {
    let id = |id: &Option<LayerId>| id.as_ref().map(ToString::to_string);
    let end = state.end();
    let totals = end.map(|end| end.totals).or(header.totals);
    json!({
        "input": name,
        "format": header.format.to_string(),
        "kind": header.kind.to_string(),
        "name": header.name,
        "layer": id(&header.layer),
        "parent": id(&header.parent),
        "source": header.source,
        "created": header.created,
        "tool": header.tool,
        "meta": header.meta,
        "volume_size_bytes": header.volume_size.map(Bytes::get),
        "parent_size_bytes": header.parent_size.map(Bytes::get),
        "chunk_size_bytes": header.chunk_size.map(|chunk| chunk.bytes().get()),
        "resumes_at_bytes": header.resumes.map(|rest| rest.at.get()),
        "check_records": totals.map(|t| t.checks),
        "data_records": totals.map(|t| t.data_records),
        "data_bytes": totals.map(|t| t.data.get()),
        "zero_records": totals.map(|t| t.zero_records),
        "zero_bytes": totals.map(|t| t.zero.get()),
        "stream_bytes": end.map(|end| end.len.get()),
        "blake3": end.map(|end| end.blake3.to_string()),
        "state": state.word(),
        "error": match state { State::Damaged(error) => Some(error), _ => None },
    })
}

//! What a dry run says.

use extents::{Bytes, human};
use hyperlayer::{Header, stream_len};
use serde_json::json;
use transfer::Plan;

use crate::{Exit, OrFail, Outcome, print};

/// Says on standard output what the stream would hold: as text, or as one JSON object in a line.
///
/// # Errors
/// Nobody reads it, or the header cannot be written.
pub fn show_plan(header: &Header, plan: &Plan, as_json: bool) -> Outcome {
    let totals = plan.totals();
    let stream =
        stream_len(header, plan.checks.iter().copied(), plan.reads(), &plan.delta.zero).or_fail(Exit::Usage)?;
    let id = |id: &Option<hyperlayer::LayerId>| id.as_ref().map(ToString::to_string);
    let text = if as_json {
        json!({
            "format": header.format.to_string(),
            "kind": header.kind.to_string(),
            "name": header.name,
            "layer": id(&header.layer),
            "parent": id(&header.parent),
            "volume_size_bytes": header.volume_size.map(Bytes::get),
            "parent_size_bytes": header.parent_size.map(Bytes::get),
            "chunk_size_bytes": header.chunk_size.map(|chunk| chunk.bytes().get()),
            "check_records": totals.checks,
            "data_records": totals.data_records,
            "data_bytes": totals.data.get(),
            "zero_records": totals.zero_records,
            "zero_bytes": totals.zero.get(),
            "stream_bytes": stream.map(Bytes::get),
        })
        .to_string()
    } else {
        let sized = |size: Bytes| format!("{} ({size} bytes)", human(size));
        let mut lines = vec![
            format!("volume   {}", header.volume_size.map_or_else(String::new, sized)),
            format!("data     {} in {} records", sized(totals.data), totals.data_records),
            format!("zeros    {} in {} records", sized(totals.zero), totals.zero_records),
            format!("checks   {} of the base", totals.checks),
        ];
        lines.extend(stream.map(|len| format!("stream   {} before compression", sized(len))));
        lines.join("\n")
    };
    print(&format!("{text}\n"))
}

//! `lvbackup list`: what a store holds.

use std::collections::BTreeMap;

use cli::{Common, Exit, Failure, Outcome, Stop, say};
use extents::{Bytes, human};
use hyperlayer::LayerId;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use store::tree::{Node, chains};
use store::{Series, Stored};

use super::table::{Table, marks, printable, short_ids, wrapping};
use super::{open, when};

/// Show what a store holds: the layers of each volume, chain by chain
///
/// Each chain begins with a full layer; a delta (`+`) stands behind the one that it is applied on, on a line of its own
/// where several are applied on one. Nothing is locked, and no secret is needed.
#[derive(clap::Args, Debug)]
#[command(after_long_help = AFTER)]
pub(crate) struct Args {
    /// The store: a folder, or `s3://BUCKET/PREFIX`, `gs://...`, `az://...`
    #[arg(value_name = "STORE")]
    store: String,

    /// Only the layers of this volume
    #[arg(long, value_name = "VG/LV")]
    series: Option<String>,

    /// Show whole ids, not just as much as no other one begins with
    #[arg(long)]
    ids: bool,

    /// The time zone in which dates are shown, such as Europe/Berlin or +02:00
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    zone: String,

    /// As one JSON object a line for each layer
    #[arg(long)]
    json: bool,
}

const AFTER: &str = "\
Examples:
  lvbackup list /backup/store
  lvbackup list s3://bucket/hosts/web1 --series vg0/data --zone Europe/Berlin
  lvbackup list --json /backup/store | jq -r 'select(.chain_layers == null).layer'

Columns: when the volume was in this state; the layer's id, as far as other commands need it; its kind; the volume's size;
the data in the layer; what it takes in the store, compressed; from how many layers it is restored; marks, `#` before a tag.

Keys of --json: series, layer, parent (null: a full layer), kind, created (RFC 3339, UTC), volume_size_bytes,
chunk_size_bytes, data_bytes, zero_bytes, stream_bytes, stored_bytes, wrapping (zstd, age), chain_layers (null: it cannot be
restored), held, tags, tool, host (null: it is not known).

Exit status: 0; or 3 where objects could not be understood or layers are missing: all others are shown all the same.";

/// Shows the layers.
///
/// # Errors
/// See the exit status in the help.
pub(crate) fn run(args: &Args, common: Common, stop: &Stop) -> Outcome {
    let zone = when::zone(&args.zone)?;
    let series = args.series.as_deref().map(Series::new).transpose()?;
    let store = open::store(&args.store, stop)?;
    let listing = store.list(series.as_ref())?;
    let layers = listing.layers();
    let ids = if args.ids { BTreeMap::new() } else { short_ids(&layers) };
    for (number, series) in listing.series().enumerate() {
        let nodes = chains(&listing.of(series));
        if args.json {
            cli::print(&nodes.iter().map(|node| format!("{}\n", json_of(node))).collect::<String>())?;
        } else {
            let apart = if number > 0 { "\n" } else { "" };
            cli::print(&format!("{apart}{}", text_of(series, &nodes, &ids, &zone)))?;
        }
    }
    if layers.is_empty() && !common.quiet {
        let of = series.map_or_else(String::new, |series| format!(" of {series}"));
        say(&format!("lvbackup: {} holds no layers{of}", store.location()));
    }
    let problems: Vec<_> = listing.problems.iter().map(ToString::to_string).collect();
    let broken: Vec<_> = listing.broken().iter().map(ToString::to_string).collect();
    let all: Vec<_> = problems.into_iter().chain(broken).collect();
    for one in &all {
        say(&format!("lvbackup: {}", printable(one)));
    }
    if all.is_empty() {
        return Ok(());
    }
    Err(Failure::msg(
        Exit::Refused,
        format!("{} in the store, shown above", counted(all.len(), "thing is wrong", "things are wrong")),
    )
    .hint("`lvbackup check STORE` says what that means"))
}

fn text_of(series: &Series, nodes: &[Node<'_>], ids: &BTreeMap<&LayerId, &str>, zone: &TimeZone) -> String {
    let stored = nodes.iter().fold(Bytes::ZERO, |sum, node| sum.saturating_add(node.stored.layer.object.len));
    let full = nodes.iter().filter(|node| node.stored.layer.parent.is_none()).count();
    let mut table =
        Table::new(&["created", "layer", "kind", "volume", "data", "stored", "chain", "marks"], &[3, 4, 5, 6]);
    for node in nodes {
        let Stored { layer, .. } = node.stored;
        let id = ids.get(&layer.layer).copied().unwrap_or(layer.layer.as_str());
        let plus = if layer.parent.is_some() { "+ " } else { "" };
        table.row([
            when::minute(layer.created, zone),
            format!("{}{plus}{id}", "  ".repeat(node.branch)),
            kind(node.stored).to_owned(),
            human(layer.volume_size).to_string(),
            human(layer.totals.data).to_string(),
            human(layer.object.len).to_string(),
            node.chain.map_or_else(|| "broken".to_owned(), |chain| chain.to_string()),
            marks(node.stored),
        ]);
    }
    let layers = counted(nodes.len(), "layer", "layers");
    format!("{}: {layers}, {full} full, {} in the store\n{}", printable(series.as_str()), human(stored), table.text())
}

fn json_of(node: &Node<'_>) -> Value {
    let Stored { layer, held, tags } = node.stored;
    json!({
        "series": layer.series.as_str(),
        "layer": layer.layer.as_str(),
        "parent": layer.parent.as_ref().map(LayerId::as_str),
        "kind": kind(node.stored),
        "created": when::utc(layer.created),
        "volume_size_bytes": layer.volume_size.get(),
        "chunk_size_bytes": layer.chunk_size.bytes().get(),
        "data_bytes": layer.totals.data.get(),
        "zero_bytes": layer.totals.zero.get(),
        "stream_bytes": layer.stream.len.get(),
        "stored_bytes": layer.object.len.get(),
        "wrapping": wrapping(layer.wrapping),
        "chain_layers": node.chain,
        "held": held,
        "tags": tags.iter().map(store::Tag::as_str).collect::<Vec<_>>(),
        "tool": layer.tool,
        "host": layer.host,
    })
}

fn kind(stored: &Stored) -> &'static str {
    if stored.layer.parent.is_some() { "delta" } else { "full" }
}

/// `1 layer`, `2 layers`.
pub(crate) fn counted(count: usize, one: &str, more: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { more })
}

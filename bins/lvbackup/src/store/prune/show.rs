//! What becomes of the layers, for people and for programs.

use std::collections::BTreeMap;

use extents::human;
use hyperlayer::LayerId;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use store::Garbage;

use super::plan::{Fate, Plan, Planned};
use crate::store::list::counted;
use crate::store::table::{Table, printable};
use crate::store::when;

/// The table of one series.
pub(super) fn text(plan: &Plan<'_>, ids: &BTreeMap<&LayerId, &str>, zone: &TimeZone) -> String {
    let short = |id: &LayerId| ids.get(id).map_or_else(|| id.to_string(), ToString::to_string);
    let mut table = Table::new(&["what", "created", "layer", "stored", "why"], &[3]);
    for Planned { stored, fate, reasons, .. } in &plan.layers {
        let why = match fate {
            Fate::Rewrite { onto: Some(onto) } => format!(" (merged, onto {})", short(onto)),
            Fate::Rewrite { onto: None } => " (merged, in full)".to_owned(),
            Fate::Merge { into } => format!(" (into {})", into.iter().map(short).collect::<Vec<_>>().join(", ")),
            Fate::Keep | Fate::Remove => String::new(),
        };
        table.row([
            fate.word().to_owned(),
            when::minute(stored.layer.created, zone),
            short(&stored.layer.layer),
            human(stored.layer.object.len).to_string(),
            format!("{}{why}", reasons.join(", ")),
        ]);
    }
    let going = plan.layers.iter().filter(|planned| planned.fate.goes()).count();
    let (of, freed) = (counted(plan.layers.len(), "layer", "layers"), human(plan.freed()));
    format!("{}: {going} of {of} to go, {freed}\n{}", printable(plan.series.as_str()), table.text())
}

/// What dead runs left.
pub(super) fn garbage_text(garbage: &[Garbage]) -> String {
    garbage.iter().map(|one| printable(&format!("`{}`: left by a dead run", one.key)) + "\n").collect()
}

/// All of it as an object.
pub(super) fn json(plans: &[Plan<'_>], garbage: &[Garbage], dry_run: bool) -> Value {
    let layers = plans.iter().flat_map(|plan| &plan.layers).map(|Planned { stored, fate, reasons, .. }| {
        let (onto, into) = match fate {
            Fate::Rewrite { onto } => (onto.as_ref(), None),
            Fate::Merge { into } => (None, Some(into.iter().map(LayerId::as_str).collect::<Vec<_>>())),
            Fate::Keep | Fate::Remove => (None, None),
        };
        json!({
            "series": stored.layer.series.as_str(),
            "layer": stored.layer.layer.as_str(),
            "created": when::utc(stored.layer.created),
            "stored_bytes": stored.layer.object.len.get(),
            "verdict": fate.word(),
            "onto": onto.map(LayerId::as_str),
            "into": into,
            "reasons": reasons,
        })
    });
    let freed = plans.iter().map(|plan| plan.freed().get()).sum::<u64>();
    let garbage_bytes: u64 = garbage.iter().filter_map(|one| one.len_bytes).sum();
    json!({
        "dry_run": dry_run,
        "layers": layers.collect::<Vec<_>>(),
        "garbage": garbage.iter().map(|one| json!({ "key": one.key, "len_bytes": one.len_bytes })).collect::<Vec<_>>(),
        "freed_bytes": freed.saturating_add(garbage_bytes),
    })
}

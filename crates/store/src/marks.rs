//! Marks: what may change about a layer, each a tiny object of its own, so that two who mark do not undo each other.

use std::collections::{BTreeMap, BTreeSet};

use hyperlayer::LayerId;

use crate::error::{Fault, Problem};
use crate::names::{Series, Tag, escape, marks_prefix, parse_mark_key, unescape};

/// The marks on one layer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Marks {
    pub(crate) held: bool,
    pub(crate) tags: BTreeSet<Tag>,
}

pub(crate) fn hold_key(series: &Series, layer: &LayerId) -> String {
    format!("{}/hold", marks_prefix(series, layer))
}

pub(crate) fn tag_key(series: &Series, layer: &LayerId, tag: &Tag) -> String {
    format!("{}/tag-{}", marks_prefix(series, layer), escape(tag.as_str()))
}

/// The marks that keys say, and the keys that say none.
pub(crate) fn read(keys: impl IntoIterator<Item = String>) -> (BTreeMap<(Series, LayerId), Marks>, Vec<Problem>) {
    let mut marks: BTreeMap<_, Marks> = BTreeMap::new();
    let mut problems = Vec::new();
    for key in keys {
        match parse(&key) {
            Ok((series, layer, None)) => marks.entry((series, layer)).or_default().held = true,
            Ok((series, layer, Some(tag))) => {
                marks.entry((series, layer)).or_default().tags.insert(tag);
            }
            Err(fault) => problems.push(Problem { key, fault }),
        }
    }
    (marks, problems)
}

/// Whose mark it is, and the tag, if it is one.
pub(crate) fn parse(key: &str) -> Result<(Series, LayerId, Option<Tag>), Fault> {
    let (series, layer, mark) = parse_mark_key(key)?;
    let tag = match mark.strip_prefix("tag-") {
        None if mark == "hold" => None,
        None => return Err(Fault::Foreign),
        Some(text) => Some(unescape(text).and_then(|text| Tag::new(text).ok()).ok_or(Fault::Foreign)?),
    };
    Ok((series, layer, tag))
}

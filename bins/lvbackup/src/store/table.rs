//! Tables and names for people.

use std::collections::BTreeMap;

use hyperlayer::LayerId;
use store::{Stored, Wrapping};

/// How much of an id is shown at least, in characters.
const SHORT: usize = 8;

/// Rows in columns as wide as their widest cell, two spaces apart and before the first.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
    /// Columns of numbers, which end at the same place.
    right: Vec<usize>,
}

impl Table {
    /// With these titles; the columns with these numbers hold sizes.
    pub(crate) fn new(titles: &[&str], right: &[usize]) -> Self {
        Self { rows: vec![titles.iter().map(ToString::to_string).collect()], right: right.to_vec() }
    }

    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.map(|cell| printable(&cell)).to_vec());
    }

    /// All of it, each line with its end.
    pub(crate) fn text(&self) -> String {
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<_> = (0..self.rows.first().map_or(0, Vec::len)).map(width).collect();
        let line = |row: &Vec<String>| {
            let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| {
                if self.right.contains(&column) { format!("  {cell:>width$}") } else { format!("  {cell:<width$}") }
            });
            format!("{}\n", cells.collect::<String>().trim_end())
        };
        self.rows.iter().map(line).collect()
    }
}

/// The text without what could move a terminal's cursor: keys may come from anybody who can write to the store.
pub(crate) fn printable(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        if c.is_control() {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
        out
    })
}

/// The beginnings of the layers' ids, all of one length, that tell each from all others of the store: what the commands
/// take for the id.
pub(crate) fn short_ids<'s>(layers: &[&'s Stored]) -> BTreeMap<&'s LayerId, &'s str> {
    let mut ids: Vec<_> = layers.iter().map(|stored| &stored.layer.layer).collect();
    ids.sort_unstable();
    ids.dedup();
    // An id is plain ASCII. Those most alike are neighbours.
    let alike = |pair: &[&LayerId]| {
        let (a, b) = (pair[0].as_str().bytes(), pair[1].as_str().bytes());
        a.zip(b).take_while(|(a, b)| a == b).count()
    };
    let len = ids.windows(2).map(|pair| alike(pair) + 1).max().unwrap_or(0).max(SHORT);
    ids.into_iter().map(|id| (id, id.as_str().get(..len).unwrap_or(id.as_str()))).collect()
}

/// `held #a #b`.
pub(crate) fn marks(stored: &Stored) -> String {
    let tags: Vec<_> = stored.tags.iter().map(store::Tag::as_str).collect();
    let tagged = if tags.is_empty() { String::new() } else { format!("#{}", tags.join(" #")) };
    match (stored.held, tagged.is_empty()) {
        (true, true) => "held".to_owned(),
        (true, false) => format!("held {tagged}"),
        (false, _) => tagged,
    }
}

/// What is around a layer's stream, inside first.
pub(crate) fn wrapping(of: Wrapping) -> Vec<&'static str> {
    [(of.zstd, "zstd"), (of.age, "age")].into_iter().filter_map(|(is, name)| is.then_some(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns() {
        let mut table = Table::new(&["layer", "size", "why"], &[1]);
        table.row(["a\u{1b}[2J".into(), "5".into(), String::new()]);
        table.row(["b".into(), "1.0 GiB".into(), "newest".into()]);
        let expected = "  layer          size  why\n  a\\u{1b}[2J        5\n  b           1.0 GiB  newest\n";
        assert_eq!(table.text(), expected);
    }
}

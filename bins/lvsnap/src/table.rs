//! A table for people.

/// Lines of cells, each column as wide as its widest cell.
pub(crate) fn table<const COLUMNS: usize>(lines: &[[String; COLUMNS]]) -> String {
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<_> = (0..COLUMNS).map(width).collect();
    let mut text = String::new();
    for line in lines {
        let cells: Vec<_> = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        text += cells.join("  ").trim_end();
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn table() {
        let lines = [["A", "LONG"], ["longer", ""], ["b", "c"]].map(|line| line.map(str::to_owned));
        assert_eq!(super::table(&lines), "A       LONG\nlonger\nb       c\n");
    }
}

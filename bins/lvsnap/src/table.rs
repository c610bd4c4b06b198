//! Tables for people.

/// Columns as wide as their widest cell, two spaces apart.
pub(crate) fn columns<const N: usize>(lines: &[[String; N]]) -> String {
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<_> = (0..N).map(width).collect();
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
    fn columns() {
        let lines = [["A", "LONG"], ["longer", ""], ["b", "c"]].map(|line| line.map(str::to_owned));
        assert_eq!(super::columns(&lines), "A       LONG\nlonger\nb       c\n");
    }
}

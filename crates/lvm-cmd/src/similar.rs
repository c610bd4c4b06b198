//! Names that somebody may have meant.

/// At most this many are offered.
const MOST: usize = 3;

/// Up to three of `names` that are close to `wanted`, the closest first: at most two changed, missing or added letters
/// (one in a name of up to four), or one contained in the other.
pub(crate) fn similar<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let limit = if wanted.len() <= 4 { 1 } else { 2 };
    let mut found: Vec<(usize, &str)> = names
        .into_iter()
        .filter_map(|name| {
            let distance = distance(wanted, name);
            let contained = name.len() > 2 && wanted.len() > 2 && (name.contains(wanted) || wanted.contains(name));
            (distance <= limit || contained).then_some((distance, name))
        })
        .collect();
    found.sort_unstable();
    found.into_iter().take(MOST).map(|(_, name)| name.to_owned()).collect()
}

/// `; similar: a, b`, or nothing.
pub(crate) fn hint(names: &[String]) -> String {
    if names.is_empty() { String::new() } else { format!("; similar: `{}`", names.join("`, `")) }
}

/// Levenshtein's distance, by bytes.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offers_what_is_close() {
        let names = ["home", "home-2024", "root", "swap", "hoem", "var"];
        for (wanted, expected) in [
            ("homee", vec!["home", "hoem"]),
            ("home-2042", vec!["home-2024", "home"]),
            ("rot", vec!["root"]),
            ("database", vec![]),
        ] {
            assert_eq!(similar(wanted, names), expected, "{wanted}");
        }
    }

    #[test]
    fn distance_counts_edits() {
        for (a, b, edits) in
            [("", "", 0), ("", "abc", 3), ("kitten", "sitting", 3), ("ab", "ba", 2), ("same", "same", 0)]
        {
            assert_eq!(distance(a, b), edits, "{a} {b}");
            assert_eq!(distance(b, a), edits, "{b} {a}");
        }
    }
}

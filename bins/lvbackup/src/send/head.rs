//! The header lines that a user adds from a file.

use std::path::Path;

use cli::{Exit, Failure, OrFail, Outcome};
use hyperlayer::limits::MAX_HEADER_BYTES;

/// What a file adds to a stream's header.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Head {
    /// The volume's name, where it says one.
    pub name: Option<String>,
    /// All other lines.
    pub meta: Vec<(String, String)>,
}

/// Reads `KEY: VALUE` lines. The magic line with which such a file began for the original `lvbackup`, and what follows
/// an empty line, are left out.
///
/// # Errors
/// The file cannot be read, or a line is none.
pub(crate) fn read(path: &Path) -> Outcome<Head> {
    let of_file = |failure: Failure| failure.context(format!("`{}` as the header's lines", path.display()));
    let len_bytes = std::fs::metadata(path).or_fail(Exit::Failed).map_err(of_file)?.len();
    if len_bytes > MAX_HEADER_BYTES as u64 {
        let text = format!("it has {len_bytes} bytes, a header at most {MAX_HEADER_BYTES}");
        return Err(of_file(Failure::msg(Exit::Usage, text)));
    }
    let text = std::fs::read_to_string(path).or_fail(Exit::Failed).map_err(of_file)?;
    parse(&text).map_err(of_file)
}

fn parse(text: &str) -> Outcome<Head> {
    let mut head = Head::default();
    for (n, line) in text.lines().enumerate() {
        if n == 0 && line.starts_with("HYPERLAYER/") {
            continue;
        }
        if line.is_empty() {
            break;
        }
        let Some((key, value)) = line.split_once(':') else {
            return Err(Failure::msg(Exit::Usage, format!("line {} is not `KEY: VALUE`: {line}", n + 1)));
        };
        match (key.trim(), value.trim()) {
            ("Name", name) => head.name = Some(name.to_owned()),
            (key, value) => head.meta.push((key.to_owned(), value.to_owned())),
        }
    }
    Ok(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_the_original_took_it_and_without_its_magic() {
        let expected = Head { name: Some("sp1".into()), meta: vec![("Author".into(), "me: myself".into())] };
        for text in ["HYPERLAYER/1.0\nName: sp1\nAuthor: me: myself\n\n0 8\n", "Name:sp1\nAuthor: me: myself"] {
            assert_eq!(parse(text).unwrap(), expected);
        }
        assert_eq!(parse("").unwrap(), Head::default());
    }

    #[test]
    fn a_line_that_is_none() {
        let said = parse("Name: a\nno colon\n").unwrap_err();
        assert_eq!((said.exit(), said.to_string().as_str()), (Exit::Usage, "line 2 is not `KEY: VALUE`: no colon"));
    }
}

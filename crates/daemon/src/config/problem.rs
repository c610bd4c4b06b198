//! What is wrong with a file, and where.

use std::fmt;

/// So many problems are told; a file that has more is none of ours.
pub(super) const MAX_PROBLEMS: usize = 100;

/// One thing that is wrong in a configuration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// In which line, from 1.
    pub line: usize,
    /// At which character of it, from 1.
    pub column: usize,
    /// What is wrong: the key, what was expected, and what was found.
    pub text: String,
}

/// All that is wrong in a configuration, from its first line to its last.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problems {
    name: String,
    list: Vec<Problem>,
}

impl Problems {
    pub(super) fn new(name: &str, mut list: Vec<Problem>) -> Self {
        list.sort_by(|a, b| (a.line, a.column, &a.text).cmp(&(b.line, b.column, &b.text)));
        list.dedup();
        Self { name: name.to_owned(), list }
    }

    /// Each of them, never none.
    #[must_use]
    pub fn list(&self) -> &[Problem] {
        &self.list
    }
}

/// One line for each, as compilers write them: `FILE:LINE:COLUMN: TEXT`.
impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, problem) in self.list.iter().take(MAX_PROBLEMS).enumerate() {
            let Problem { line, column, text } = problem;
            let end = if nth == 0 { "" } else { "\n" };
            write!(f, "{end}{}:{line}:{column}: {text}", self.name)?;
        }
        if self.list.len() > MAX_PROBLEMS { f.write_str("\nand more") } else { Ok(()) }
    }
}

impl std::error::Error for Problems {}

/// Finds lines and columns.
pub(super) struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        let starts = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Self { text, starts: [0].into_iter().chain(starts).collect() }
    }

    /// The problem that `text` says of what stands at byte `at`.
    pub(super) fn problem(&self, at: usize, text: String) -> Problem {
        let line = self.starts.partition_point(|start| *start <= at);
        let start = self.starts[line - 1];
        let before = self.text.get(start..at).unwrap_or_default();
        Problem { line, column: before.chars().count() + 1, text }
    }
}

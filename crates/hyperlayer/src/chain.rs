//! The check that every record of 1.1 carries (FORMAT.md, section 3).

use std::fmt;

use crc32fast::Hasher;

/// How many hex digits of a record line its check takes; the check covers all before it.
pub(crate) const CHECK_HEX_BYTES: usize = 8;

/// The check of the record before, or of the header: each record's check covers it, so that a record is right only
/// where it follows the records that its writer put before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Chain(u32);

impl Chain {
    /// From the check of what precedes the next record.
    pub(crate) fn new(check: u32) -> Self {
        Self(check)
    }

    /// Begins the check of the next record, whose line is `line` up to and including the space before its check. Its
    /// data, where it has any, is still to be added.
    pub(crate) fn record(self, line: &[u8]) -> Hasher {
        let mut hasher = Hasher::new();
        hasher.update(self.to_string().as_bytes());
        hasher.update(line);
        hasher
    }
}

/// As it stands in a record line.
impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

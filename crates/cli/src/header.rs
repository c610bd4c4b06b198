//! What a user says of a stream's header.

use std::str::FromStr;

use clap::ValueEnum;
use hyperlayer::Format;

/// `KEY:VALUE`, a line of the user's own. The value may contain `:`.
#[derive(Clone, Debug)]
pub struct Meta(String, String);

impl Meta {
    /// The key and the value.
    #[must_use]
    pub fn into_pair(self) -> (String, String) {
        (self.0, self.1)
    }
}

impl FromStr for Meta {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (key, value) = text.split_once(':').ok_or("it has no `:` between key and value")?;
        // As in a header line: one space after the colon is no part of the value, any other is.
        Ok(Self(key.to_owned(), value.strip_prefix(' ').unwrap_or(value).to_owned()))
    }
}

/// The format to write.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum WriteFormat {
    /// With end mark, digests and identities
    #[value(name = "1.1")]
    V1_1,
    /// For the original lvpatch
    #[value(name = "1.0")]
    V1_0,
    /// For `thin_recv` 1.1: no header, no base checks, no identities
    #[value(name = "thin-send")]
    ThinSend,
}

impl From<WriteFormat> for Format {
    fn from(format: WriteFormat) -> Self {
        match format {
            WriteFormat::V1_1 => Self::V1_1,
            WriteFormat::V1_0 => Self::V1_0,
            WriteFormat::ThinSend => Self::ThinSend1_1,
        }
    }
}

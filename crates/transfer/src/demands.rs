//! What a stream can promise, and what its receiver asks for.

use hyperlayer::{Completeness, End, Format, Header, Kind};

use crate::Error;

/// What a stream can promise, known from its header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Promises {
    /// That no cut goes unseen. Of HYPERLAYER 1.0 without `Delta blocks` only its last line tells: `false` here.
    pub end: bool,
    /// That it is applied on nothing but its base: it names it, or needs none.
    pub identity: bool,
    /// How large its volume is.
    pub size: bool,
    /// Whether it is a whole volume or what changed.
    pub kind: bool,
}

impl Promises {
    /// Those of a stream with this header.
    #[must_use]
    pub fn of(header: &Header) -> Self {
        Self {
            end: header.format.promises_end() || header.delta_blocks.is_some(),
            identity: header.kind == Kind::Full || header.parent.is_some(),
            size: header.volume_size.is_some(),
            kind: header.kind != Kind::Unknown,
        }
    }
}

/// What a stream must promise to be taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Demands {
    /// That no cut goes unseen.
    pub end: bool,
    /// That a delta names its base.
    pub identity: bool,
}

/// The end of what is written on a volume must be certain; what it is written on, the base checks may tell.
impl Default for Demands {
    fn default() -> Self {
        Self { end: true, identity: false }
    }
}

impl Demands {
    /// Refuses early what could only be refused at its end.
    ///
    /// # Errors
    /// The stream promises less.
    pub fn check(self, header: &Header) -> Result<(), Error> {
        let promises = Promises::of(header);
        // One of 1.0 may still have the line that tells.
        if self.end && !promises.end && header.format != Format::V1_0 {
            return Err(Error::OpenEnd);
        }
        if self.identity && !promises.identity {
            return Err(Error::NoIdentity { format: header.format });
        }
        Ok(())
    }

    /// The same at the end of the stream.
    ///
    /// # Errors
    /// Nothing in the stream says that it is whole.
    pub fn check_end(self, end: &End) -> Result<(), Error> {
        if self.end && end.completeness == Completeness::Unknown { Err(Error::OpenEnd) } else { Ok(()) }
    }
}

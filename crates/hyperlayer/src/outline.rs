//! Where a layer's records lie, as a digest that can be carried on (FORMAT.md, "The rest of a layer").

use std::fmt;
use std::str::FromStr;

use extents::{Bytes, Extent, Sectors};

use crate::record::range;
use crate::{Digest, EncodeError, RuleError};

/// What a record says of a range.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Content {
    /// Data.
    Data,
    /// Reads as zeros.
    Zero,
}

impl Content {
    fn letter(self) -> char {
        match self {
            Self::Data => 'W',
            Self::Zero => 'Z',
        }
    }
}

/// Where the records of a layer lie up to some place: a digest over the ranges, whatever pieces they come in. It takes
/// the same memory however many there are, and can be kept as text and carried on.
///
/// ```
/// use extents::{Bytes, Extent};
/// use hyperlayer::{Content, Outline};
///
/// let extent = |start, end| Extent::between(Bytes::new(start), Bytes::new(end)).expect("not empty");
/// let (mut whole, mut pieces) = (Outline::default(), Outline::default());
/// whole.add(Content::Data, extent(0, 4096))?;
/// pieces.add(Content::Data, extent(0, 1024))?;
/// let mut pieces: Outline = pieces.to_string().parse().expect("what was kept");
/// pieces.add(Content::Data, extent(1024, 4096))?;
/// assert_eq!(whole.digest(), pieces.digest());
/// # Ok::<(), hyperlayer::EncodeError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outline {
    /// The digest of the ranges that are complete.
    chained: Digest,
    /// The last one, which the next record may make longer.
    open: Option<(Content, Extent<Bytes>)>,
}

impl Default for Outline {
    fn default() -> Self {
        Self { chained: Digest([0; 32]), open: None }
    }
}

impl Outline {
    /// Adds the next record.
    ///
    /// # Errors
    /// [`EncodeError`] where the record begins before the end of the last one, or does not consist of whole sectors. Nothing
    /// is added then.
    pub fn add(&mut self, content: Content, extent: Extent<Bytes>) -> Result<(), EncodeError> {
        let before = self.open.map_or(Bytes::ZERO, |(_, open)| open.end());
        if extent.start() < before {
            return Err(RuleError::NotAscending { record: "a record", extent, before }.into());
        }
        if extent.to_sectors().is_none() {
            return Err(EncodeError::NotSectors { extent });
        }
        if let Some((_, open)) = self.open.filter(|(kind, open)| *kind == content && open.end() == extent.start()) {
            self.open = Some((content, open.join(extent).unwrap_or(extent)));
            return Ok(());
        }
        self.chained = self.digest();
        self.open = Some((content, extent));
        Ok(())
    }

    /// The outline of what lies below `at`; `None` where that is no longer known, since the last range begins there or
    /// later.
    #[must_use]
    pub fn until(&self, at: Bytes) -> Option<Self> {
        let open = match self.open {
            None => None,
            Some((content, extent)) => Some((content, extent.split_at(at).0?)),
        };
        Some(Self { chained: self.chained, open })
    }

    /// The digest of everything so far.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let Some((content, extent)) = self.open else { return self.chained };
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.chained.0);
        hasher.update(format!("{} {}\n", content.letter(), range(extent).unwrap_or_default()).as_bytes());
        hasher.finalize().into()
    }
}

/// As text, to be kept: the digest, and the range that may become longer.
impl fmt::Display for Outline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.chained)?;
        match self.open {
            Some((content, extent)) => write!(f, " {} {}", content.letter(), range(extent).unwrap_or_default()),
            None => Ok(()),
        }
    }
}

/// A text that is no [`Outline`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("expected 64 hex digits, and perhaps a range as in a record line")]
pub struct OutlineError;

impl FromStr for Outline {
    type Err = OutlineError;

    fn from_str(text: &str) -> Result<Self, OutlineError> {
        let mut words = text.split(' ');
        let chained = words.next().and_then(|word| word.parse().ok()).ok_or(OutlineError)?;
        let open = match words.next() {
            None => None,
            Some(letter) => {
                let content =
                    [Content::Data, Content::Zero].into_iter().find(|content| content.letter().to_string() == letter);
                let mut sectors = || u64::from_str_radix(words.next()?, 16).ok().map(Sectors::new);
                let extent = sectors().zip(sectors()).and_then(|(start, len)| Extent::new(start, len)?.to_bytes());
                Some(content.zip(extent).ok_or(OutlineError)?)
            }
        };
        if words.next().is_some() { Err(OutlineError) } else { Ok(Self { chained, open }) }
    }
}

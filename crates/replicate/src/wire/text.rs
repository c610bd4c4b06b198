//! Values as they stand in a message: as the one text that they are shown as, sizes as numbers, lists with an end.

use std::collections::BTreeSet;
use std::fmt::{self, Display};
use std::marker::PhantomData;
use std::str::FromStr;

use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::limits::{MAX_TEXT_BYTES, MAX_WORD_BYTES};

pub(crate) fn serialize<T: Display, S: Serializer>(value: &T, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(value)
}

pub(crate) fn deserialize<'de, T, D>(from: D) -> Result<T, D::Error>
where
    T: FromStr<Err: Display> + Display,
    D: Deserializer<'de>,
{
    canonical(&String::deserialize(from)?).map_err(D::Error::custom)
}

/// The value of a text in its one spelling: `/dev/vg0/data` is no `vg0/data` here.
fn canonical<T: FromStr<Err: Display> + Display>(text: &str) -> Result<T, String> {
    let value: T = text.parse().map_err(|error: T::Err| error.to_string())?;
    let spelt = value.to_string();
    if spelt == text { Ok(value) } else { Err(format!("`{}` is spelt `{spelt}`", text.escape_debug())) }
}

/// The same of what may be missing.
pub(crate) mod option {
    use super::{Deserialize, Deserializer, Display, Error, FromStr, Serializer, canonical};

    pub(crate) fn serialize<T: Display, S: Serializer>(value: &Option<T>, to: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => to.collect_str(value),
            None => to.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, T, D>(from: D) -> Result<Option<T>, D::Error>
    where
        T: FromStr<Err: Display> + Display,
        D: Deserializer<'de>,
    {
        let text = Option::<String>::deserialize(from)?;
        text.map(|text| canonical(&text).map_err(D::Error::custom)).transpose()
    }
}

/// The same of several, at most `MAX_LAYER_IDS`.
pub(crate) mod list {
    use super::{Deserialize, Deserializer, Display, Error, FromStr, Serializer, bounded, canonical};
    use crate::limits::MAX_LAYER_IDS;

    pub(crate) fn serialize<T: Display, S: Serializer>(values: &[T], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(values.iter().map(ToString::to_string))
    }

    pub(crate) fn deserialize<'de, T, D>(from: D) -> Result<Vec<T>, D::Error>
    where
        T: FromStr<Err: Display> + Display,
        D: Deserializer<'de>,
    {
        #[derive(Deserialize)]
        struct Text(String);
        let texts = bounded::<Text, D, MAX_LAYER_IDS>(from)?;
        texts.iter().map(|Text(text)| canonical(text).map_err(D::Error::custom)).collect()
    }
}

/// Sizes and offsets in bytes.
pub(crate) mod bytes {
    use extents::Bytes;
    use serde::{Deserialize, Deserializer, Serializer};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
    pub(crate) fn serialize<S: Serializer>(value: &Bytes, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(value.get())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Bytes, D::Error> {
        u64::deserialize(from).map(Bytes::new)
    }
}

/// The length of a chunk in bytes.
pub(crate) mod chunk_size {
    use extents::{Bytes, ChunkSize};
    use hyperlayer::limits::MAX_CHUNK_SIZE;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
    pub(crate) fn serialize<S: Serializer>(value: &ChunkSize, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(value.bytes().get())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<ChunkSize, D::Error> {
        let bytes = Bytes::new(u64::deserialize(from)?);
        ChunkSize::from_bytes(bytes).filter(|size| size.bytes() <= MAX_CHUNK_SIZE).ok_or_else(|| {
            D::Error::custom(format_args!(
                "a chunk has {bytes} bytes, expected a multiple of 512 up to {MAX_CHUNK_SIZE}"
            ))
        })
    }
}

/// A list of at most `MAX` values. One that is longer is refused at the first value too many, before that is kept.
pub(crate) fn bounded<'de, T: Deserialize<'de>, D: Deserializer<'de>, const MAX: usize>(
    from: D,
) -> Result<Vec<T>, D::Error> {
    struct AtMost<T, const MAX: usize>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for AtMost<T, MAX> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a list of at most {MAX}")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Vec<T>, A::Error> {
            let mut all = Vec::new();
            while let Some(value) = values.next_element()? {
                if all.len() == MAX {
                    return Err(A::Error::custom(format_args!("a list of more than {MAX}")));
                }
                all.push(value);
            }
            Ok(all)
        }
    }

    from.deserialize_seq(AtMost::<T, MAX>(PhantomData))
}

/// A text of the other side for people: at most [`MAX_TEXT_BYTES`] bytes, and of the control characters only line feeds,
/// so that showing it cannot do anything to a terminal.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(transparent)]
pub struct Text(String);

impl Text {
    /// Takes any text: other control characters become spaces, and what is too long is cut.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let plain = |c: char| if c.is_control() && c != '\n' { ' ' } else { c };
        let mut kept = String::new();
        for c in text.chars().map(plain) {
            if kept.len() + c.len_utf8() > MAX_TEXT_BYTES {
                break;
            }
            kept.push(c);
        }
        Self(kept)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Refuses what [`Text::new`] would change.
impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let kept = Self::new(&text);
        if kept.0 == text {
            Ok(kept)
        } else {
            Err(D::Error::custom(format_args!(
                "a text with control characters, or of more than {MAX_TEXT_BYTES} bytes"
            )))
        }
    }
}

/// The name of an ability: 1 to [`MAX_WORD_BYTES`] of `a-z`, `0-9` and `-`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(transparent)]
pub struct Word(String);

impl Word {
    /// A word of this crate's own.
    pub(crate) fn own(word: &'static str) -> Self {
        Self(word.to_owned())
    }
}

/// A text that is no [`Word`].
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{}` is no word: expected 1 to {MAX_WORD_BYTES} of a-z, 0-9 and `-`", text.escape_debug())]
pub struct WordError {
    text: String,
}

impl FromStr for Word {
    type Err = WordError;

    fn from_str(text: &str) -> Result<Self, WordError> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if (1..=MAX_WORD_BYTES).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(WordError { text: text.chars().take(MAX_WORD_BYTES).collect() })
        }
    }
}

impl Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

/// Abilities, each once.
pub(crate) fn words<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeSet<Word>, D::Error> {
    Ok(bounded::<Word, D, { crate::limits::MAX_ABILITIES }>(from)?.into_iter().collect())
}

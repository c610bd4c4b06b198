//! Encryption at rest: age recipients and identities, and the streams through them.

use std::fmt;
use std::io::{self, Read, Write};

use crate::error::Error;
use crate::limits::MAX_RECIPIENTS;

#[cfg(feature = "age")]
type Recipient = age::x25519::Recipient;
#[cfg(feature = "age")]
type Identity = age::x25519::Identity;
#[cfg(not(feature = "age"))]
type Recipient = std::convert::Infallible;
#[cfg(not(feature = "age"))]
type Identity = std::convert::Infallible;

/// Whether a text holds a secret key of age, which no message may repeat.
#[must_use]
pub fn is_secret(text: &str) -> bool {
    text.to_ascii_uppercase().contains("AGE-SECRET-KEY-")
}

/// Who can open what is written. Nobody: it is not encrypted.
#[derive(Clone, Default)]
pub struct Recipients(Vec<Recipient>);

/// The secrets that open encrypted layers. Shown nowhere.
#[derive(Clone, Default)]
pub struct Identities(Vec<Identity>);

impl Recipients {
    /// Takes recipients such as `age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p`.
    ///
    /// # Errors
    /// [`Error::Key`]: a text is none (only one that begins as a public key does is repeated), there are more than
    /// [`MAX_RECIPIENTS`], or this program was built without encryption.
    pub fn parse<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> Result<Self, Error> {
        let texts = texts.into_iter().enumerate();
        let all = texts.map(|(n, text)| recipient(n + 1, text.as_ref().trim())).collect::<Result<Vec<_>, _>>()?;
        match all.len() {
            0..=MAX_RECIPIENTS => Ok(Self(all)),
            len => Err(Error::Key(format!("{len} recipients are given, at most {MAX_RECIPIENTS} fit in an object"))),
        }
    }

    /// Whether there is nobody.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Identities {
    /// No secrets: opens what is not encrypted.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Takes the text of an identity file as `age-keygen` writes it: `AGE-SECRET-KEY-1...` lines, comments, empty lines.
    ///
    /// # Errors
    /// [`Error::Key`]: a line is none (the line's number is named, not the line), there is none, or this program was
    /// built without encryption.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let lines = text.lines().enumerate().map(|(n, line)| (n + 1, line.trim()));
        let secrets = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        let identities = secrets.map(|(n, line)| identity(n, line)).collect::<Result<Vec<_>, _>>()?;
        if identities.is_empty() {
            return Err(Error::Key("there is no identity in the key file".into()));
        }
        Ok(Self(identities))
    }

    /// The secrets of several files.
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }

    #[cfg(feature = "age")]
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

impl fmt::Debug for Recipients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recipients({})", self.0.len())
    }
}

impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identities({})", self.0.len())
    }
}

/// A sink, with encryption before it where there are recipients.
pub(crate) enum Sealed<W: Write> {
    Plain(W),
    #[cfg(feature = "age")]
    Age(age::stream::StreamWriter<W>),
}

/// Why an encrypted object cannot be opened.
pub(crate) enum OpenError {
    /// No identity fits.
    #[cfg(feature = "age")]
    NoIdentity,
    /// It is damaged, or reading it failed.
    Io(io::Error),
}

#[cfg(feature = "age")]
mod with_age {
    use std::io::{BufRead, BufReader};

    use super::{Error, Identities, Identity, OpenError, Read, Recipient, Recipients, Sealed, Write, io, is_secret};
    use crate::limits::{MAX_AGE_HEADER_BYTES, MAX_AGE_HEADER_LINES};

    pub(super) fn recipient(number: usize, text: &str) -> Result<Recipient, Error> {
        text.parse().map_err(|why: &str| {
            Error::Key(if is_secret(text) {
                format!(
                    "recipient {number} is a secret key; give its public key, `age1...`, which `age-keygen -y` prints"
                )
            } else if text.starts_with("age1") {
                format!("`{}` is not an age recipient: {why}", text.escape_debug())
            } else {
                format!("recipient {number} is not an age recipient, `age1...`: {why}")
            })
        })
    }

    pub(super) fn identity(line: usize, text: &str) -> Result<Identity, Error> {
        text.parse().map_err(|why: &str| Error::Key(format!("line {line} of the key file is no age identity: {why}")))
    }

    pub(crate) fn seal<W: Write>(sink: W, recipients: &Recipients) -> io::Result<Sealed<W>> {
        if recipients.is_empty() {
            return Ok(Sealed::Plain(sink));
        }
        let recipients = recipients.0.iter().map(|recipient| recipient as &dyn age::Recipient);
        let encryptor = age::Encryptor::with_recipients(recipients).map_err(io::Error::other)?;
        encryptor.wrap_output(sink).map(Sealed::Age)
    }

    pub(crate) fn open(source: impl Read + Send + 'static, by: &Identities) -> Result<Box<dyn Read + Send>, OpenError> {
        let of_age = |error: age::DecryptError| match error {
            age::DecryptError::Io(error) => OpenError::Io(error),
            age::DecryptError::NoMatchingKeys => OpenError::NoIdentity,
            other => OpenError::Io(io::Error::new(io::ErrorKind::InvalidData, other.to_string())),
        };
        let mut source = BufReader::new(source);
        let header = io::Cursor::new(header(&mut source).map_err(OpenError::Io)?);
        let decryptor = age::Decryptor::new_buffered(header.chain(source)).map_err(of_age)?;
        let identities = by.0.iter().map(|identity| identity as &dyn age::Identity);
        Ok(Box::new(decryptor.decrypt(identities).map_err(of_age)?))
    }

    /// The lines of a header, up to the one with its MAC. `age` itself would read any line to its end, and all lines
    /// again for each one. What is cut is left for it to refuse.
    fn header(source: &mut impl BufRead) -> io::Result<Vec<u8>> {
        let refuse = |what: &str| Err(io::Error::new(io::ErrorKind::InvalidData, format!("the age header has {what}")));
        let mut header = Vec::new();
        for _ in 0..MAX_AGE_HEADER_LINES {
            let start = header.len();
            let room = (MAX_AGE_HEADER_BYTES - start) as u64;
            let read = source.take(room).read_until(b'\n', &mut header)?;
            if header.ends_with(b"\n") && header[start..].starts_with(b"---") {
                return Ok(header);
            }
            if header.len() == MAX_AGE_HEADER_BYTES {
                return refuse(&format!("more than {MAX_AGE_HEADER_BYTES} bytes"));
            }
            if read == 0 || !header.ends_with(b"\n") {
                return Ok(header);
            }
        }
        refuse(&format!("more than {MAX_AGE_HEADER_LINES} lines"))
    }
}

#[cfg(not(feature = "age"))]
mod with_age {
    use super::{Error, Identities, Identity, OpenError, Read, Recipient, Recipients, Sealed, Write, io};

    const WITHOUT: &str = "this program was built without encryption";

    pub(super) fn recipient(_: usize, _: &str) -> Result<Recipient, Error> {
        Err(Error::Key(WITHOUT.into()))
    }

    pub(super) fn identity(_: usize, _: &str) -> Result<Identity, Error> {
        Err(Error::Key(WITHOUT.into()))
    }

    pub(crate) fn seal<W: Write>(sink: W, _: &Recipients) -> io::Result<Sealed<W>> {
        Ok(Sealed::Plain(sink))
    }

    pub(crate) fn open(_: impl Read + Send + 'static, _: &Identities) -> Result<Box<dyn Read + Send>, OpenError> {
        Err(OpenError::Io(io::Error::other(WITHOUT)))
    }
}

use with_age::{identity, recipient};
pub(crate) use with_age::{open, seal};

impl<W: Write> Sealed<W> {
    /// Writes what encryption held back, and gives the sink back.
    pub(crate) fn finish(self) -> io::Result<W> {
        match self {
            Self::Plain(sink) => Ok(sink),
            #[cfg(feature = "age")]
            Self::Age(sink) => sink.finish(),
        }
    }
}

impl<W: Write> Write for Sealed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(sink) => sink.write(bytes),
            #[cfg(feature = "age")]
            Self::Age(sink) => sink.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(sink) => sink.flush(),
            #[cfg(feature = "age")]
            Self::Age(sink) => sink.flush(),
        }
    }
}

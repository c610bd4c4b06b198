//! Why a store failed, and what to do next.

use std::io;
use std::time::SystemTime;

use hyperlayer::LayerId;

use crate::chain::ChainError;
use crate::fault::Fault;
use crate::limits::{FORMAT, MAX_TEXT_BYTES};
use crate::lock::LockInfo;
use crate::names::{MARKER, Series};
use crate::trouble::Trouble;

/// Why a store failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A text names no place for a store.
    #[error("`{text}` is no place for a store: {why}")]
    Location {
        /// The text.
        text: String,
        /// Why not.
        why: String,
    },
    /// A text cannot be a series, a layer or a tag in a store.
    #[error("`{text}` cannot be {what} in a store: {why}")]
    Name {
        /// The text.
        text: String,
        /// What it was to name.
        what: &'static str,
        /// Why it cannot.
        why: String,
    },
    /// There is no store.
    #[error("{location} holds no store")]
    NotAStore {
        /// Where.
        location: String,
    },
    /// A store is not made among other things.
    #[error("{location} holds other things (`{found}`), a store is made in an empty place")]
    NotEmpty {
        /// Where.
        location: String,
        /// One of them.
        found: String,
    },
    /// A store is not made in another one.
    #[error("{location} lies in the store {outer}, where it would be a foreign thing")]
    Within {
        /// Where.
        location: String,
        /// The other one.
        outer: String,
    },
    /// There is a store already.
    #[error("{location} holds a store already")]
    AlreadyAStore {
        /// Where.
        location: String,
    },
    /// The store was made by a newer program.
    #[error("{location} holds a store of format {found}, this program knows formats up to {FORMAT}")]
    Newer {
        /// Where.
        location: String,
        /// Its format.
        found: u32,
    },
    /// The folder or the service failed.
    #[error("cannot {doing} in {location}")]
    Backend {
        /// What was being done.
        doing: String,
        /// Where.
        location: String,
        /// What it means.
        kind: ErrorKind,
        /// What it said.
        source: Cause,
    },
    /// A file system lacks what a store needs.
    #[error("cannot keep a store in {location}: {lacks}")]
    FileSystem {
        /// Where.
        location: String,
        /// What it lacks.
        lacks: String,
    },
    /// A variable of the environment cannot be used.
    #[error("cannot use the environment variable {name}: {why}")]
    Setting {
        /// The variable.
        name: String,
        /// Why not; without its value, which may be secret.
        why: String,
    },
    /// The service replaces objects that must only be made where there is none.
    #[error("cannot make a store in {location}: the service ignores the condition of a write (`If-None-Match: *`)")]
    Unconditional {
        /// Where.
        location: String,
    },
    /// No such layer.
    #[error("the store has no layer {layer} of {series}")]
    NoLayer {
        /// The series.
        series: Series,
        /// The layer.
        layer: LayerId,
    },
    /// Layers do not change once they are written.
    #[error("the store has layer {layer} of {series} already")]
    Exists {
        /// The series.
        series: Series,
        /// The layer.
        layer: LayerId,
    },
    /// An object is not what the store says it is.
    #[error("`{key}` is refused")]
    Object {
        /// The object's key.
        key: String,
        /// What is wrong.
        source: Fault,
    },
    /// The layers that lead to one are not all there.
    #[error("the chain is broken")]
    Chain {
        /// Where.
        #[from]
        source: ChainError,
    },
    /// Somebody else works on the store.
    #[error("the store is locked: {0}")]
    Locked(Box<LockInfo>),
    /// A lock cannot be understood, so nobody knows what it guards.
    #[error("the store is locked by `{key}`, which cannot be understood")]
    UnknownLock {
        /// The lock's key.
        key: String,
        /// What is wrong with it.
        source: Fault,
    },
    /// Somebody removed the lock that was held, and may have removed what it guarded.
    #[error("this run's lock `{key}` was lost")]
    LockLost {
        /// The lock's key.
        key: String,
    },
    /// What is held is not removed.
    #[error("layer {layer} of {series} is held")]
    Held {
        /// The series.
        series: Series,
        /// The layer.
        layer: LayerId,
    },
    /// What others need is not removed.
    #[error("layer {layer} of {series} is the parent of {child}")]
    Needed {
        /// The series.
        series: Series,
        /// The layer.
        layer: LayerId,
        /// One that needs it.
        child: LayerId,
    },
    /// A layer's facts cannot be written down.
    #[error("the layer's {what} cannot be {found}")]
    Draft {
        /// Which fact.
        what: &'static str,
        /// What it was.
        found: String,
    },
    /// A text is no recipient or identity, or this program was built without encryption.
    #[error("{0}")]
    Key(String),
    /// An encrypted layer cannot be opened with the identities given: they are others' (or what says whose they must be
    /// was altered).
    #[error("`{key}` is encrypted, and {}", unopened(*identities))]
    NoIdentity {
        /// The object's key.
        key: String,
        /// How many were tried.
        identities: usize,
    },
    /// Whoever watched had it stopped.
    #[error("stopped while the store was read")]
    Stopped,
    /// Compressing, encrypting or starting the store's threads failed.
    #[error("cannot {doing}")]
    Local {
        /// What was being done.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

/// What a failure means to its caller.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The operation failed.
    Other,
    /// What was asked for cannot be meant.
    Usage,
    /// It is not there.
    NotFound,
    /// It is there already.
    Exists,
    /// The data was refused: altered, cut, or none of the store's.
    Refused,
    /// The folder or service cannot be reached, or does not let this user in.
    Unreachable,
    /// There is no space left.
    Full,
    /// Somebody else works on the store.
    Locked,
    /// The environment says something that cannot be used, or the service cannot keep a store.
    Environment,
}

/// Why a service or the system failed: one sentence where the cause is known, else all that was said, in one line no
/// longer than [`MAX_TEXT_BYTES`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{sentence}")]
pub struct Cause {
    sentence: String,
    trouble: Option<Box<Trouble>>,
    may_be_done: bool,
}

impl Cause {
    pub(crate) fn new(error: &object_store::Error) -> Self {
        let details = line(error);
        let errors = || std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
        let trouble = errors().find_map(|error| error.downcast_ref::<Trouble>()).cloned().map(Box::new);
        let sentence = match (error, &trouble) {
            (_, Some(trouble)) => {
                tracing::debug!("{details}");
                trouble.sentence()
            }
            (object_store::Error::InvalidPath { source }, _) => {
                format!("there is an object with a name that no store has: {source}")
            }
            _ => details,
        };
        Self { sentence, may_be_done: trouble.as_deref().is_some_and(Trouble::may_be_done), trouble }
    }

    /// The caller wanted to stop before there was an answer.
    pub(crate) fn stopped() -> Self {
        let sentence = "stopped before it was answered, so it may or may not be done".into();
        Self { sentence, trouble: None, may_be_done: true }
    }

    /// What it means, where that is known of a service.
    pub(crate) fn kind(&self) -> Option<ErrorKind> {
        self.trouble.as_deref().map(Trouble::kind)
    }
}

/// An error and what it hides; most say their causes themselves, those of TLS do not.
fn line(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let said = cause.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        source = cause.source();
    }
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let end = (0..=MAX_TEXT_BYTES.min(line.len())).rev().find(|at| line.is_char_boundary(*at)).unwrap_or(0);
    line[..end].to_owned()
}

impl Error {
    /// What this means to the caller.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Location { .. } | Self::Name { .. } | Self::Key(_) => ErrorKind::Usage,
            Self::NotAStore { .. } | Self::NoLayer { .. } => ErrorKind::NotFound,
            Self::NotEmpty { .. } | Self::Within { .. } | Self::AlreadyAStore { .. } | Self::Exists { .. } => {
                ErrorKind::Exists
            }
            Self::Newer { .. } | Self::Object { .. } | Self::Chain { .. } | Self::NoIdentity { .. } => {
                ErrorKind::Refused
            }
            Self::Backend { kind, .. } => *kind,
            Self::FileSystem { .. } => ErrorKind::Unreachable,
            Self::Setting { .. } | Self::Unconditional { .. } => ErrorKind::Environment,
            Self::Locked(_) | Self::UnknownLock { .. } => ErrorKind::Locked,
            _ => ErrorKind::Other,
        }
    }

    /// What to do next, where that is known: one sentence, with the command in backticks.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NotAStore { location } => {
                format!("make one: `lvbackup init {location}`, or look whether the place is spelled rightly")
            }
            Self::Within { .. } => "name a place beside it; one store takes any number of volumes, each by its series".into(),
            Self::AlreadyAStore { location } => format!("it can be used as it is: `lvbackup list {location}`"),
            Self::FileSystem { .. } => "name a directory on a file system such as ext4, XFS, btrfs or NFS".into(),
            Self::NotEmpty { .. } => "name an empty or new folder or prefix".into(),
            Self::Newer { .. } => "use the version of this program that wrote it, or a newer one".into(),
            Self::Exists { .. } => "nothing was changed; `lvbackup list STORE` shows it".into(),
            Self::Object { key, .. } if key == MARKER => {
                "put it back from a copy; without one, STORE.md says how it is written by hand".into()
            }
            Self::Object { .. } => "`lvbackup check STORE --read-data` tells what else is damaged".into(),
            Self::Locked(lock) => format!(
                "wait for that run to end; if you know that it is dead: `lvbackup unlock STORE --force {}`",
                lock.id
            ),
            Self::UnknownLock { key, .. } => format!(
                "remove it once no other run works on the store: `lvbackup unlock STORE --force {}`",
                crate::names::lock_name(key)
            ),
            Self::LockLost { .. } => "nothing was added; run the same command again".into(),
            Self::Held { .. } => "`lvbackup unhold` lets it go".into(),
            Self::NoIdentity { identities: 0, .. } => "name the key file that opens it: `--identity FILE`".into(),
            Self::NoIdentity { .. } => "name the right key file: `--identity FILE`; `lvbackup check --read-data` tells whether the object is altered".into(),
            Self::Backend { kind: ErrorKind::Full, .. } => {
                "nothing was lost: make room, then run the same command again; `lvbackup prune` makes some, as soon as its \
                 own lock, of a kilobyte, can be written"
                    .into()
            }
            Self::Backend { kind: ErrorKind::Unreachable, location, source, .. } => {
                let again = "nothing was lost: when the store can be reached, run the same command again";
                let first = match &source.trouble {
                    Some(trouble) => trouble.hint(scheme(location)),
                    None => account(location).map(str::to_owned),
                };
                first.map_or_else(|| again.to_owned(), |first| format!("{first}; {again}"))
            }
            Self::Backend { kind: ErrorKind::Refused, .. } => {
                "remove that object with the service's own tools, or use a prefix that is the store's alone".into()
            }
            Self::Backend { location, source, .. } => source.trouble.as_ref()?.hint(scheme(location))?,
            Self::Unconditional { .. } => {
                "use a service, or a version of it, that has conditional writes; no setting replaces them".into()
            }
            _ => return None,
        })
    }

    /// The error that a [`LayerReader`](crate::LayerReader) or [`LayerWriter`](crate::LayerWriter) failed with, out of
    /// what `Read` and `Write` can say.
    ///
    /// # Errors
    /// The error itself, where it came from elsewhere.
    pub fn from_io(error: io::Error) -> Result<Self, io::Error> {
        error.downcast::<Self>()
    }

    /// The same, for `Read` and `Write`.
    #[must_use]
    pub fn into_io(self) -> io::Error {
        let kind = match self.kind() {
            ErrorKind::Refused => io::ErrorKind::InvalidData,
            ErrorKind::Full => io::ErrorKind::StorageFull,
            ErrorKind::NotFound => io::ErrorKind::NotFound,
            _ => io::ErrorKind::Other,
        };
        io::Error::new(kind, self)
    }

    /// Whether it may be done all the same.
    pub(crate) fn may_be_done(&self) -> bool {
        matches!(self, Self::Backend { source, .. } if source.may_be_done)
    }

    /// What lies directly below it, for a line of a log.
    pub(crate) fn cause(&self) -> String {
        std::error::Error::source(self).map(ToString::to_string).unwrap_or_default()
    }

    /// An object that is not what it must be.
    pub(crate) fn object(key: &str, source: Fault) -> Self {
        Self::Object { key: key.to_owned(), source }
    }
}

fn unopened(identities: usize) -> String {
    match identities {
        0 => "no identity is given to open it".into(),
        1 => "the identity given does not open it".into(),
        more => format!("none of the {more} identities given opens it"),
    }
}

fn scheme(location: &str) -> &str {
    location.split_once("://").map_or("", |(scheme, _)| scheme)
}

/// Where the account and the endpoint of a service come from.
fn account(location: &str) -> Option<&'static str> {
    let of_service = [
        (
            "s3://",
            "the account and the endpoint are what the environment says: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY \
             (without them, the role of the machine, where it has one), AWS_REGION, AWS_ENDPOINT, and AWS_ALLOW_HTTP=true \
             for one without TLS",
        ),
        ("gs://", "the account is what the environment says: GOOGLE_SERVICE_ACCOUNT, the path of its key file"),
        ("az://", "the account is what the environment says: AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY"),
    ];
    of_service.into_iter().find(|(scheme, _)| location.starts_with(scheme)).map(|(_, says)| says)
}

/// A time for a sentence.
pub(crate) fn when(time: SystemTime) -> String {
    crate::time::to_text(time).unwrap_or_else(|| "an unknown time".into())
}

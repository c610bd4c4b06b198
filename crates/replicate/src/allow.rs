//! What `serve` lets the far side do.

use std::fmt;
use std::str::FromStr;

use lvm_cmd::{LvName, LvRef, NameError, VgName};

use crate::{Ability, Message, RefusalKind, Role};

/// Volumes by the beginning of their names: `VG/PREFIX*`, `VG/*`, or one volume, `VG/LV`.
///
/// The group is always spelt out. A `*` stands at the end only, for any number of characters; capital and small letters
/// differ. What is compared are checked names, never paths: there is no `..` and no doubled hyphen in them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Pattern {
    vg: VgName,
    names: Names,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Names {
    One(LvName),
    /// May be empty.
    Beginning(String),
}

impl Pattern {
    /// Whether it is one of these volumes.
    #[must_use]
    pub fn matches(&self, volume: &LvRef) -> bool {
        *volume.vg() == self.vg
            && match &self.names {
                Names::One(name) => volume.lv() == name,
                Names::Beginning(beginning) => volume.lv().as_str().starts_with(beginning),
            }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.names {
            Names::One(name) => write!(f, "{}/{name}", self.vg),
            Names::Beginning(beginning) => write!(f, "{}/{beginning}*", self.vg),
        }
    }
}

/// A text that is no [`Pattern`].
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PatternError {
    /// Not two parts.
    #[error("`{}` allows nothing: expected VG/PREFIX*, VG/* or VG/LV", text.escape_debug())]
    Form {
        /// The text.
        text: String,
    },
    /// No name begins, or is spelt, like that.
    #[error("`{}` allows nothing, since no volume is called so", text.escape_debug())]
    Name {
        /// The text.
        text: String,
        /// Why not.
        source: NameError,
    },
}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        let form = || PatternError::Form { text: text.to_owned() };
        let name = |source| PatternError::Name { text: text.to_owned(), source };
        let (vg, lv) = text.split_once('/').ok_or_else(form)?;
        let vg = vg.parse().map_err(name)?;
        let names = match lv.strip_suffix('*') {
            Some("") => Names::Beginning(String::new()),
            Some(beginning) => {
                // Some name begins like that: this one.
                format!("{beginning}0").parse::<LvName>().map_err(name)?;
                Names::Beginning(beginning.to_owned())
            }
            None => Names::One(lv.parse().map_err(name)?),
        };
        Ok(Self { vg, names })
    }
}

/// Which volumes the far side may name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Volumes {
    /// All: whoever logs in may do anything here.
    Any,
    /// Those that one of the patterns matches; none where there is no pattern.
    Matching(Vec<Pattern>),
}

/// In which direction data may go, seen from the server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// Both ways.
    Both,
    /// Nothing is ever received here. Snapshots are made, and removed by the rules of whoever asks.
    ReadOnly,
    /// No content ever leaves this host: only what layers there are, and hashes of blocks, which confirm a guess.
    ReceiveOnly,
}

/// What a server allows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Allow {
    /// Which volumes.
    pub volumes: Volumes,
    /// Which way.
    pub access: Access,
}

/// Something that the server does not allow.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotAllowed {
    /// No pattern matches.
    #[error("`{volume}` is not among the volumes that this server allows")]
    Volume {
        /// The volume.
        volume: LvRef,
    },
    /// Something was to be written.
    #[error("this server is read-only, and `{volume}` was to be written")]
    ReadOnly {
        /// The volume.
        volume: LvRef,
    },
    /// Something was to be read.
    #[error("this server only receives, and `{volume}` was to be read")]
    ReceiveOnly {
        /// The volume.
        volume: LvRef,
    },
}

impl NotAllowed {
    /// What the far side is told that this is.
    #[must_use]
    pub const fn kind(&self) -> RefusalKind {
        RefusalKind::NotAllowed
    }
}

impl Allow {
    /// Whether a request may be served. What names no volume may.
    ///
    /// # Errors
    /// [`NotAllowed`], whose text may be shown to the far side: it says nothing that is not in the request.
    pub fn check(&self, request: &Message<'_>) -> Result<(), NotAllowed> {
        // Nothing is told about a volume that may not be named, not even which way it may go.
        let Some(volume) = request.volume() else { return Ok(()) };
        if !self.names(volume) {
            return Err(NotAllowed::Volume { volume: volume.clone() });
        }
        // A snapshot of any name may be taken for a layer, and sent then.
        if let Message::Adopt(adopt) = request {
            let snapshot = LvRef::new(volume.vg().clone(), adopt.snapshot.clone());
            if !self.names(&snapshot) {
                return Err(NotAllowed::Volume { volume: snapshot });
            }
        }
        let volume = || volume.clone();
        match (self.access, direction(request)) {
            (Access::ReadOnly, Some(Role::Destination)) => Err(NotAllowed::ReadOnly { volume: volume() }),
            (Access::ReceiveOnly, Some(Role::Source)) => Err(NotAllowed::ReceiveOnly { volume: volume() }),
            _ => Ok(()),
        }
    }

    fn names(&self, volume: &LvRef) -> bool {
        match &self.volumes {
            Volumes::Any => true,
            Volumes::Matching(patterns) => patterns.iter().any(|pattern| pattern.matches(volume)),
        }
    }
}

/// What end of a pair the volume is for a request that only one end serves.
fn direction(request: &Message<'_>) -> Option<Role> {
    match request {
        Message::Try(_) | Message::Receive(_) | Message::Settle(_) => Some(Role::Destination),
        Message::Plan(_) | Message::Send(_) | Message::Differ(_) => Some(Role::Source),
        Message::Snapshot(snapshot) => Some(snapshot.role),
        Message::Adopt(adopt) => Some(adopt.role),
        Message::Prune(prune) => Some(prune.role),
        // A listing and hashes tell no content.
        _ => None,
    }
}

impl Access {
    /// What a server says that it can do.
    #[must_use]
    pub fn abilities(self) -> Vec<Ability> {
        use Ability::{Adopt, Compare, Prune, Receive, Send, Snapshot, Zstd};
        let way: &[Ability] = match self {
            Self::Both => &[Send, Receive],
            Self::ReadOnly => &[Send],
            Self::ReceiveOnly => &[Receive],
        };
        [way, &[Compare, Snapshot, Adopt, Prune, Zstd]].concat()
    }
}

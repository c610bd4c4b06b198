//! What is odd about two volumes that are to be compared, and no obstacle.

use std::fmt;

use lvm_cmd::LvRef;

use super::{Selection, keeps_its_layer, newest_first};
use crate::DetectLevel;

/// Something that the user should know before a delta is sent: what, and what to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Doubt {
    /// The volume is older than its base.
    TurnedRound {
        /// The volume to send.
        new: LvRef,
        /// Its base.
        base: LvRef,
    },
    /// The base may have been written since the receiver got it: that makes a wrong copy, and only checks can tell.
    WritableBase {
        /// The base.
        base: LvRef,
    },
}

impl Selection {
    /// What is odd where the base is checked as `detect` says.
    #[must_use]
    pub fn doubts(&self, detect: DetectLevel) -> Vec<Doubt> {
        let Some(base) = &self.base else { return Vec::new() };
        let named = || (self.new.name.clone(), base.name.clone());
        let turned = (!newest_first(&self.new, base)).then(named).map(|(new, base)| Doubt::TurnedRound { new, base });
        let unchecked = !keeps_its_layer(base) && detect < DetectLevel::Every;
        let writable = unchecked.then(|| Doubt::WritableBase { base: base.name.clone() });
        turned.into_iter().chain(writable).collect()
    }
}

/// One sentence.
impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TurnedRound { new, base } => {
                write!(f, "`{new}` is older than its base `{base}`; to send what changed since, turn both round")
            }
            Self::WritableBase { base } => write!(
                f,
                "the base `{base}` is writable, so it may not be what the receiver has; `lvchange -pr {base}` keeps it, and \
                 `-d 3` lets the receiver check every block"
            ),
        }
    }
}

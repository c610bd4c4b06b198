//! What a reservation leaves on disk, so that the next run knows whose it is.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{LvRef, StateDir, Uuid};

/// The record of one pool's reservation. Written before the reservation without its root ("we are about to"), and
/// again with it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Record {
    /// The pool's name, for people.
    pool: String,
    pool_uuid: String,
    boot_id: String,
    /// The pool's transaction id before the reservation.
    transaction_id: u64,
    /// The same after it, where that is known: the reservation has one from here to there.
    #[serde(default)]
    transaction_id_after: Option<u64>,
    held_root: Option<u64>,
}

/// What a record says of a root that a pool holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Proof {
    /// It is ours.
    Ours,
    /// It may be ours, and may be somebody else's.
    Perhaps,
    /// Nothing speaks for us.
    Nothing,
}

impl Record {
    pub(crate) fn intent(pool: &LvRef, uuid: &Uuid, state: &StateDir, transaction_id: u64) -> Self {
        Self {
            pool: pool.to_string(),
            pool_uuid: uuid.to_string(),
            boot_id: state.boot_id().to_owned(),
            transaction_id,
            transaction_id_after: None,
            held_root: None,
        }
    }

    pub(crate) fn complete(self, held_root: u64, transaction_id: u64) -> Self {
        Self { held_root: Some(held_root), transaction_id_after: Some(transaction_id), ..self }
    }

    /// Whether the reservation with this root is the recorded one. Only a complete record of this boot proves it: an
    /// intent may have been followed by somebody else's reservation, and since a boot there was time for anything. The root's
    /// block is used again, so the transaction id in the held copy, where `held_transaction` can read it, must be the recorded
    /// one too.
    pub(crate) fn proves(
        &self,
        uuid: &Uuid,
        state: &StateDir,
        held_root: u64,
        held_transaction: impl FnOnce() -> Option<u64>,
    ) -> Proof {
        if self.pool_uuid != uuid.as_str() {
            return Proof::Nothing;
        }
        let recorded = self.transaction_id..=self.transaction_id_after.unwrap_or(self.transaction_id);
        match self.held_root {
            Some(root) if root != held_root => Proof::Nothing,
            Some(_) if self.boot_id == state.boot_id() => match held_transaction() {
                Some(id) if recorded.contains(&id) => Proof::Ours,
                Some(_) => Proof::Nothing,
                None => Proof::Perhaps,
            },
            _ => Proof::Perhaps,
        }
    }

    /// `None` where there is none, or none that can be understood.
    pub(crate) fn read(path: &Path) -> Option<Self> {
        let text = fs::read(path).ok()?;
        serde_json::from_slice(&text)
            .inspect_err(|error| tracing::warn!(path = %path.display(), %error, "not a record"))
            .ok()
    }

    /// Replaces what is there, whole or not at all.
    pub(crate) fn write(&self, path: &Path) -> io::Result<()> {
        let mut text = serde_json::to_vec(self)?;
        text.push(b'\n');
        durable::replace(path, durable::PRIVATE_FILE, &text)
    }

    pub(crate) fn remove(path: &Path) {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(path = %path.display(), %error, "a record stays");
            }
            _ => {}
        }
    }

    pub(crate) fn path(lock: &Path) -> PathBuf {
        lock.with_extension("json")
    }
}

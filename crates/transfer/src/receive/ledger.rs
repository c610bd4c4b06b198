//! Where a partial chain is kept, so that a power cut takes nothing away that it says.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use block_copy::Op;
use serde::{Deserialize, Serialize};

use super::Partial;

/// Where the ledgers of volumes lie. Those of files lie beside them.
pub const DEFAULT_PARTIAL_DIR: &str = "/var/lib/hyperlayer/partial";

/// Keeps a [`Partial`].
pub trait Ledger: Sync {
    /// Returns when this is what will be read, whatever happens.
    ///
    /// # Errors
    /// It is not known which one will be: this or the one before.
    fn keep(&self, partial: &Partial) -> Result<(), block_copy::Error>;
}

/// A ledger in a file: JSON with a version and a digest of itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LedgerFile {
    path: PathBuf,
}

/// 1 had no reach, chunk size and samples in its mark, 2 no fingerprint of the layers that are in.
const VERSION: u64 = 3;
/// Far more than any has.
const MAX_BYTES: u64 = 1 << 20;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u64,
    partial: Partial,
    /// BLAKE3 of `partial` as compact JSON, in hex.
    digest: String,
}

impl LedgerFile {
    /// The ledger at a path; there need not be one.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it says; `None` where there is none.
    ///
    /// # Errors
    /// It cannot be read, or is damaged: then nobody knows how far what it was about is.
    pub fn read(&self) -> Result<Option<Partial>, LedgerError> {
        let damaged = |why: String| LedgerError::Damaged { path: self.path.clone(), why };
        let unreadable = |source| LedgerError::Unreadable { path: self.path.clone(), source };
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(unreadable(source)),
        };
        let mut text = Vec::new();
        file.take(MAX_BYTES).read_to_end(&mut text).map_err(unreadable)?;
        // Its version first: a later one may look otherwise.
        let any: serde_json::Value = serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))?;
        match any.get("version").and_then(serde_json::Value::as_u64) {
            Some(VERSION) => {}
            Some(1..VERSION) => return Err(LedgerError::Older { path: self.path.clone() }),
            Some(version) => return Err(LedgerError::Version { path: self.path.clone(), version }),
            None => return Err(damaged("it has no version".to_owned())),
        }
        let document: Document = serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))?;
        if digest(&document.partial) != Some(document.digest) {
            return Err(damaged("its content is not what its digest says".to_owned()));
        }
        Ok(Some(document.partial))
    }

    /// Removes it, for good.
    ///
    /// # Errors
    /// What the system said.
    pub fn remove(&self) -> Result<(), block_copy::Error> {
        durable::remove_file(&self.path).map_err(|source| self.failed(source))
    }

    fn replace(&self, partial: &Partial) -> io::Result<()> {
        let digest = digest(partial).ok_or(io::ErrorKind::InvalidData)?;
        let document = Document { version: VERSION, partial: partial.clone(), digest };
        durable::make_directory(durable::parent(&self.path), 0o700)?;
        let mut text = serde_json::to_vec_pretty(&document)?;
        text.push(b'\n');
        durable::replace(&self.path, durable::PRIVATE_FILE, &text)
    }

    fn failed(&self, source: io::Error) -> block_copy::Error {
        block_copy::Error::System { op: Op::Write, name: self.path.clone(), extent: None, source }
    }
}

impl Ledger for LedgerFile {
    fn keep(&self, partial: &Partial) -> Result<(), block_copy::Error> {
        self.replace(partial).map_err(|source| self.failed(source))
    }
}

fn digest(partial: &Partial) -> Option<String> {
    Some(blake3::hash(&serde_json::to_vec(partial).ok()?).to_hex().to_string())
}

/// Why a ledger says nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// It cannot be read.
    #[error("cannot read `{}`", path.display())]
    Unreadable {
        /// The ledger.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is not what was written.
    #[error("`{}` is damaged, so nobody knows how far the interrupted receive was: {why}", path.display())]
    Damaged {
        /// The ledger.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// An older version of this program wrote it.
    #[error("`{}` was made by an older version, which this one cannot continue", path.display())]
    Older {
        /// The ledger.
        path: PathBuf,
    },
    /// A later version of this program wrote it.
    #[error("`{}` has version {version}, this program knows version {VERSION}", path.display())]
    Version {
        /// The ledger.
        path: PathBuf,
        /// Its version.
        version: u64,
    },
}

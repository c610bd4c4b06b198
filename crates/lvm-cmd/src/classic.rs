//! How full a classic snapshot is, as the kernel tells it.

use extents::Sectors;

use crate::{Command, ExecError, Executor, Kind, LvRef, Program};

/// The state of a classic snapshot (`Documentation/admin-guide/device-mapper/snapshot.rst`, "snapshot-status").
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ClassicStatus {
    /// It holds what it is to hold.
    Valid {
        /// The space that is used up.
        used: Sectors,
        /// The space that it has.
        total: Sectors,
    },
    /// Its space was full, or could not be written: what it held is lost.
    Invalid,
}

impl ClassicStatus {
    /// From a line of `dmsetup status`, `START LENGTH snapshot USED/TOTAL METADATA`.
    ///
    /// # Errors
    /// The line is not of that form.
    pub fn parse(line: &str) -> Result<Self, ClassicError> {
        let malformed = || ClassicError::Malformed { line: line.trim().to_owned() };
        let mut words = line.split_whitespace().skip(2);
        if words.next() != Some("snapshot") {
            return Err(malformed());
        }
        let state = words.next().ok_or_else(malformed)?;
        // The kernel's words for a snapshot that is lost: `Invalid`, since 4.12 also `Overflow`.
        if matches!(state, "Invalid" | "Overflow") {
            return Ok(Self::Invalid);
        }
        let (used, total) = state.split_once('/').ok_or_else(malformed)?;
        let sectors = |text: &str| text.parse().map(Sectors::new).map_err(|_| malformed());
        Ok(Self::Valid { used: sectors(used)?, total: sectors(total)? })
    }

    /// How full it is, in percent, rounded down; 100 where it is lost.
    #[must_use]
    pub fn full_percent(self) -> u8 {
        match self {
            Self::Invalid => 100,
            Self::Valid { used, total } => {
                let percent = u128::from(used.get()) * 100 / u128::from(total.get().max(1));
                u8::try_from(percent.min(100)).unwrap_or(100)
            }
        }
    }
}

/// How full a classic snapshot is that is active. Runs one command, without LVM: it takes no lock and waits for nobody.
///
/// # Errors
/// It is not active, or the answer is not understood.
pub fn classic_status(exec: &dyn Executor, name: &LvRef) -> Result<ClassicStatus, ClassicError> {
    let output = exec.run(&Command::new(Program::Dmsetup).args(["status", &name.dm_name()]))?;
    ClassicStatus::parse(&output.text())
}

/// Why nobody knows how full a classic snapshot is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClassicError {
    /// dmsetup(8) failed.
    #[error(transparent)]
    Exec(#[from] ExecError),
    /// It is no classic snapshot, or its answer is another one.
    #[error("expected the status of a classic snapshot, `START LENGTH snapshot USED/TOTAL METADATA`, found `{}`", line.escape_debug())]
    Malformed {
        /// The answer.
        line: String,
    },
}

impl ClassicError {
    /// What kind of failure this is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Exec(error) => error.kind(),
            Self::Malformed { .. } => Kind::Failed,
        }
    }
}

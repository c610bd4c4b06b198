//! A thin pool's state, and a thin volume's table, as the kernel tells them.

use std::collections::BTreeSet;

use extents::{Bytes, Chunks, Sectors};

use crate::{Command, ExecError, Executor, Kind, LvRef, Program, ThinId};

/// One block of a pool's metadata (`THIN_METADATA_BLOCK_SIZE` in the kernel's dm-thin-metadata.h), in bytes.
const METADATA_BLOCK_BYTES: u64 = 4096;

/// The state of a working thin pool (`Documentation/admin-guide/device-mapper/thin-provisioning.rst`, "Status").
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct PoolStatus {
    /// Counts LVM's changes to the pool's set of volumes.
    pub transaction_id: u64,
    /// Metadata in use. What the kernel keeps for itself (a tenth, at most 16 MiB) counts as used.
    pub metadata_used: Bytes,
    /// Metadata in all.
    pub metadata_total: Bytes,
    /// Data in use, in the pool's chunks.
    pub data_used: Chunks,
    /// Data in all, in the pool's chunks.
    pub data_total: Chunks,
    /// The metadata block in which a metadata snapshot has its root. A pool has at most one such snapshot; who
    /// reserved it, the kernel does not know.
    pub held_root: Option<u64>,
    /// What the pool still does.
    pub mode: PoolMode,
    /// Whether a discard unmaps chunks (any pool but one with `discards=ignore`).
    pub discards: bool,
    /// Whether a pool that is full fails writes at once, instead of keeping them waiting.
    pub error_if_full: bool,
    /// Whether the metadata is known to be damaged and must be checked and repaired (`lvconvert --repair`).
    pub needs_check: bool,
}

/// What a pool still does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PoolMode {
    /// Everything.
    ReadWrite,
    /// No new chunk can be had.
    OutOfDataSpace,
    /// Nothing that changes metadata, and no message; also what the kernel says of a pool without metadata space.
    ReadOnly,
}

impl PoolStatus {
    /// Metadata for everything that does not grow with what is written: one more volume, inner nodes, the space maps.
    pub const METADATA_FLOOR: Bytes = Bytes::new(256 * 1024);

    /// Data that is free, in chunks.
    #[must_use]
    pub const fn data_free(&self) -> Chunks {
        self.data_total.saturating_sub(self.data_used)
    }

    /// Metadata that is free.
    #[must_use]
    pub const fn metadata_free(&self) -> Bytes {
        self.metadata_total.saturating_sub(self.metadata_used)
    }

    /// From a line of `dmsetup status`, `START LENGTH thin-pool ...`.
    ///
    /// # Errors
    /// The pool has failed, or the line is not of that form.
    pub fn parse(line: &str) -> Result<Self, StatusError> {
        let mut words = Words::new(line);
        words.sector_range()?;
        words.expect("the target `thin-pool`", |word| (word == "thin-pool").then_some(()))?;
        // The kernel says the first when it gave the pool up, the second when it cannot read the metadata.
        if let Some("Fail" | "Error") = words.peek() {
            return Err(StatusError::Failed);
        }
        let transaction_id = words.number("a transaction id")?;
        let metadata = |word: &str| {
            let (used, total) = pair(word)?;
            let bytes = |blocks: u64| blocks.checked_mul(METADATA_BLOCK_BYTES).map(Bytes::new);
            Some((bytes(used)?, bytes(total)?))
        };
        let (metadata_used, metadata_total) = words.expect("used/total metadata blocks", metadata)?;
        let (data_used, data_total) = words.expect("used/total data chunks", |word| {
            pair(word).map(|(used, total)| (Chunks::new(used), Chunks::new(total)))
        })?;
        let held_root = words.expect("a held metadata root or `-`", |word| match word {
            "-" => Some(None),
            block => block.parse().ok().map(Some),
        })?;
        let mode = words.expect("one of `rw`, `ro`, `out_of_data_space`", |word| match word {
            "rw" => Some(PoolMode::ReadWrite),
            "ro" => Some(PoolMode::ReadOnly),
            "out_of_data_space" => Some(PoolMode::OutOfDataSpace),
            _ => None,
        })?;
        // Kernels before 3.10, 3.19 and 4.0 end earlier; what they do not say is what is always so there. Unknown
        // words are later kernels' additions.
        let mut status = Self {
            transaction_id,
            metadata_used,
            metadata_total,
            data_used,
            data_total,
            held_root,
            mode,
            discards: true,
            error_if_full: false,
            needs_check: false,
        };
        for word in words {
            match word {
                "ignore_discard" => status.discards = false,
                "error_if_no_space" => status.error_if_full = true,
                "needs_check" => status.needs_check = true,
                _ => {}
            }
        }
        Ok(status)
    }
}

/// A status or table line that is not usable.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StatusError {
    /// The kernel has given the pool up.
    #[error("the pool has failed; it answers nothing until it is deactivated and repaired (`lvconvert --repair`)")]
    Failed,
    /// Not the expected form.
    #[error("word {word} of `{}`: expected {expected}", line.escape_debug())]
    Malformed {
        /// The line.
        line: String,
        /// Which word, counted from 1.
        word: usize,
        /// What should be there.
        expected: &'static str,
    },
}

/// The table of an active thin volume.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct ThinTarget {
    /// The pool's device, `MAJOR:MINOR`.
    pub pool: String,
    /// The volume's number in the pool.
    pub thin_id: ThinId,
    /// The device `MAJOR:MINOR` whose data is read where the volume has mapped nothing.
    pub external_origin: Option<String>,
}

impl ThinTarget {
    /// From a line of `dmsetup table`, `START LENGTH thin POOL ID [ORIGIN]`.
    ///
    /// # Errors
    /// The line is not of that form.
    pub fn parse(line: &str) -> Result<Self, StatusError> {
        let mut words = Words::new(line);
        words.sector_range()?;
        words.expect("the target `thin`", |word| (word == "thin").then_some(()))?;
        Ok(Self {
            pool: words.expect("the pool's device", |word| Some(word.to_owned()))?,
            thin_id: words.expect("a thin id", |word| word.parse().ok().and_then(ThinId::new))?,
            external_origin: words.next().map(str::to_owned),
        })
    }
}

/// Why a pool's state is not known.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PoolError {
    /// The device mapper does not have it.
    #[error("`{name}` is not active; activate it with `lvchange -ay -K {name}`")]
    Inactive {
        /// The pool or volume.
        name: LvRef,
    },
    /// `dmsetup` failed.
    #[error("cannot ask the device mapper about `{name}`")]
    Query {
        /// The pool or volume.
        name: LvRef,
        /// Why not.
        source: ExecError,
    },
    /// The answer says that the pool has failed, or is not understood.
    #[error("unusable state of `{name}`")]
    Status {
        /// The pool or volume.
        name: LvRef,
        /// What is wrong.
        source: StatusError,
    },
}

impl PoolError {
    /// What kind of failure this is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Inactive { .. } | Self::Status { source: StatusError::Failed, .. } => Kind::Environment,
            Self::Query { source, .. } => source.kind(),
            Self::Status { .. } => Kind::Failed,
        }
    }
}

/// The state of an active pool. Runs one command, or three where the pool has no thin volume yet: as long as it never
/// had one, LVM gives the target the pool's own name, without `-tpool`.
///
/// # Errors
/// The pool is not active or has failed, or the answer is not understood.
pub fn pool_status(exec: &dyn Executor, pool: &LvRef) -> Result<PoolStatus, PoolError> {
    let ask = |dm_name: &str| {
        exec.run(&Command::new(Program::Dmsetup).args(["status", "--target", "thin-pool", dm_name]))
            .map_err(|source| PoolError::Query { name: pool.clone(), source })
    };
    let output = match ask(&pool.dm_pool_name()) {
        Err(error) => match names(exec) {
            Some(names) if names.contains(&pool.dm_pool_name()) => Err(error),
            Some(names) if names.contains(&pool.dm_name()) => ask(&pool.dm_name()),
            Some(_) => Err(PoolError::Inactive { name: pool.clone() }),
            None => Err(error),
        },
        answered => answered,
    }?;
    PoolStatus::parse(output.text().trim_end()).map_err(|source| PoolError::Status { name: pool.clone(), source })
}

/// The table of an active thin volume. Runs one command. [`Lv::external_origin`](crate::Lv::external_origin) tells
/// of inactive ones too.
///
/// # Errors
/// The volume is not active or not a thin one.
pub fn thin_target(exec: &dyn Executor, volume: &LvRef) -> Result<ThinTarget, PoolError> {
    let line = query(exec, volume, &["table", "--target", "thin"], &volume.dm_name())?;
    ThinTarget::parse(&line).map_err(|source| PoolError::Status { name: volume.clone(), source })
}

/// How much an active thin volume has mapped. Runs one command.
///
/// # Errors
/// The volume is not active or not a thin one, or its pool has failed.
pub fn mapped(exec: &dyn Executor, volume: &LvRef) -> Result<Sectors, PoolError> {
    let line = query(exec, volume, &["status", "--target", "thin"], &volume.dm_name())?;
    parse_mapped(&line).map_err(|source| PoolError::Status { name: volume.clone(), source })
}

/// From a line of `dmsetup status`, `START LENGTH thin MAPPED HIGHEST`.
fn parse_mapped(line: &str) -> Result<Sectors, StatusError> {
    let mut words = Words::new(line);
    words.sector_range()?;
    words.expect("the target `thin`", |word| (word == "thin").then_some(()))?;
    match words.peek() {
        Some("Fail" | "Error") => Err(StatusError::Failed),
        _ => words.number("a number of mapped sectors").map(Sectors::new),
    }
}

/// Sends a message to an active pool. Runs one command.
pub(crate) fn message(exec: &dyn Executor, pool: &LvRef, message: &str) -> Result<(), ExecError> {
    exec.run(&message_command(pool, message)).map(drop)
}

pub(crate) fn message_command(pool: &LvRef, message: &str) -> Command {
    Command::new(Program::Dmsetup).args(["message", &pool.dm_pool_name(), "0", message])
}

/// Asks about a volume that is active.
fn query(exec: &dyn Executor, name: &LvRef, args: &[&str], dm_name: &str) -> Result<String, PoolError> {
    let command = Command::new(Program::Dmsetup).args(args).arg(dm_name);
    match exec.run(&command) {
        Ok(output) => Ok(output.text().trim_end().to_owned()),
        Err(_) if names(exec).is_some_and(|names| !names.contains(dm_name)) => {
            Err(PoolError::Inactive { name: name.clone() })
        }
        Err(source) => Err(PoolError::Query { name: name.clone(), source }),
    }
}

/// What the device mapper has, by its names; `None` where it does not answer. Without any device it says so in words, which
/// are no name: all of LVM's have a hyphen and no blank. Runs one command.
fn names(exec: &dyn Executor) -> Option<BTreeSet<String>> {
    let list = Command::new(Program::Dmsetup).args(["info", "--columns", "--noheadings", "--options", "name"]);
    let output = exec.run(&list).ok()?;
    Some(output.text().lines().map(|name| name.trim().to_owned()).collect())
}

fn pair(word: &str) -> Option<(u64, u64)> {
    let (used, total) = word.split_once('/')?;
    let (used, total): (u64, u64) = (used.parse().ok()?, total.parse().ok()?);
    (used <= total).then_some((used, total))
}

/// The words of a line, with the position of the next one.
struct Words<'a> {
    line: &'a str,
    words: std::iter::Peekable<std::str::SplitAsciiWhitespace<'a>>,
    taken: usize,
}

impl<'a> Words<'a> {
    fn new(line: &'a str) -> Self {
        Self { line, words: line.split_ascii_whitespace().peekable(), taken: 0 }
    }

    fn peek(&mut self) -> Option<&'a str> {
        self.words.peek().copied()
    }

    fn expect<T>(&mut self, expected: &'static str, read: impl FnOnce(&str) -> Option<T>) -> Result<T, StatusError> {
        let word = self.next();
        word.and_then(read).ok_or_else(|| StatusError::Malformed {
            line: self.line.to_owned(),
            word: self.taken,
            expected,
        })
    }

    fn number(&mut self, expected: &'static str) -> Result<u64, StatusError> {
        self.expect(expected, |word| word.parse().ok())
    }

    fn sector_range(&mut self) -> Result<(), StatusError> {
        self.number("the first sector")?;
        self.number("a number of sectors").map(drop)
    }
}

impl<'a> Iterator for Words<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        self.taken += 1;
        self.words.next()
    }
}

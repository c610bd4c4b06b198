//! Whether a thin pool has room for what is to come.

use std::fmt;

use extents::{Bytes, Chunks};
use lvm_cmd::{LvRef, PoolMode, PoolStatus};

/// A part of a whole in hundredths: 1 to 100.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Percent(u8);

impl Percent {
    /// `None` for 0 and above 100.
    #[must_use]
    pub const fn new(percent: u8) -> Option<Self> {
        if percent >= 1 && percent <= 100 { Some(Self(percent)) } else { None }
    }

    /// The plain number.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %", self.0)
    }
}

/// From how full on something is done. In ascending order, though two may be the same.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Levels {
    warn: Percent,
    prune: Percent,
    refuse: Percent,
}

impl Levels {
    /// Told from `warn` on, snapshots of ours go from `prune` on, nothing begins that would lead to `refuse`. `None` where
    /// they do not ascend.
    #[must_use]
    pub fn new(warn: Percent, prune: Percent, refuse: Percent) -> Option<Self> {
        (warn <= prune && prune <= refuse).then_some(Self { warn, prune, refuse })
    }

    /// Where people are told.
    #[must_use]
    pub const fn warn(&self) -> Percent {
        self.warn
    }

    /// Where nothing begins any more.
    #[must_use]
    pub const fn refuse(&self) -> Percent {
        self.refuse
    }
}

/// 80, 90 and 95 %: a pool needs some room for the writes to its other volumes while a transfer runs.
impl Default for Levels {
    fn default() -> Self {
        Self { warn: Percent(80), prune: Percent(90), refuse: Percent(95) }
    }
}

/// The levels of a pool.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Thresholds {
    /// Of its data.
    pub data: Levels,
    /// Of its metadata, which cannot be had back as easily when it has run out.
    pub metadata: Levels,
}

/// What is to be done in a pool.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Purpose {
    /// Nothing; somebody only looks.
    Look,
    /// One more snapshot.
    Snapshot,
    /// A stream is received.
    Receive {
        /// Chunks that it will allocate at most.
        data: Chunks,
        /// Metadata that these take at most.
        metadata: Bytes,
    },
}

/// A pool, as it is found.
#[derive(Clone, Copy, Debug)]
pub struct Pool<'a> {
    /// What the kernel says.
    pub status: &'a PoolStatus,
    /// The transaction id that LVM's metadata has; `None` where it was not asked.
    pub lvm_transaction_id: Option<u64>,
    /// Whether the metadata snapshot that may be held is a live run's of ours.
    pub holder_is_ours: bool,
    /// Snapshots that can be removed, in the order in which they are to go.
    pub removable: &'a [LvRef],
}

/// What to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Action {
    /// Go on.
    Go,
    /// Go on, and tell.
    Warn,
    /// Remove this one snapshot, then look again.
    Prune(LvRef),
    /// Do not begin.
    Refuse,
}

/// What to do, and why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verdict {
    /// What to do.
    pub action: Action,
    /// All that speaks for it or for less, the worst first; none with [`Action::Go`].
    pub reasons: Vec<Reason>,
}

/// Something that is not as it should be.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Reason {
    /// The metadata is known to be damaged.
    NeedsCheck,
    /// Metadata cannot be written.
    ReadOnly,
    /// There is no data left.
    OutOfDataSpace,
    /// The kernel's pool is not the one that LVM knows.
    TransactionId {
        /// What LVM's metadata says.
        lvm: u64,
        /// What the kernel says.
        kernel: u64,
    },
    /// It is, or would be, so full that a level is reached.
    Full {
        /// Data or metadata.
        what: Space,
        /// How full in hundredths, rounded up; more than 100 where it does not fit.
        percent: u64,
        /// Which level, and what it means.
        level: Percent,
        /// Whether it is so full before anything is begun.
        already: bool,
    },
    /// A metadata snapshot is held by somebody else, or by a run that died: until it is released, it keeps metadata, and
    /// no delta can be made.
    HeldMetadata,
}

/// What a pool has two of.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Space {
    /// Chunks for data.
    Data,
    /// Blocks for metadata.
    Metadata,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    Warn,
    Prune,
    Refuse,
}

/// Looks at a pool before `purpose`. Reads no clock, asks nobody; the answer is for the state that it is given, so that it
/// is asked again after each removal. Each of these takes one of `removable` away, so that ends.
#[must_use]
pub fn judge(pool: &Pool<'_>, thresholds: &Thresholds, purpose: Purpose) -> Verdict {
    let mut found = faults(pool);
    let (more_data, more_metadata) = match purpose {
        Purpose::Look => (Chunks::ZERO, Bytes::ZERO),
        Purpose::Snapshot => (Chunks::ZERO, PoolStatus::METADATA_FLOOR),
        Purpose::Receive { data, metadata } => (data, metadata),
    };
    let status = pool.status;
    let (data, metadata) = (status.data_used.get(), status.metadata_used.get());
    found.extend(full(
        Space::Metadata,
        metadata,
        more_metadata.get(),
        status.metadata_total.get(),
        &thresholds.metadata,
    ));
    found.extend(full(Space::Data, data, more_data.get(), status.data_total.get(), &thresholds.data));
    // Stable: of the same weight, what was looked at first.
    found.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));

    let heaviest = found.first().map(|(weight, _)| *weight);
    let helps = found.iter().filter(|(weight, _)| *weight >= Weight::Prune).all(|(_, reason)| reason.is_space());
    let action = match (heaviest, pool.removable.first().filter(|_| helps)) {
        (None, _) => Action::Go,
        (Some(Weight::Warn), _) | (Some(Weight::Prune), None) => Action::Warn,
        (Some(Weight::Prune | Weight::Refuse), Some(volume)) => Action::Prune(volume.clone()),
        (Some(Weight::Refuse), None) => Action::Refuse,
    };
    Verdict { action, reasons: found.into_iter().map(|(_, reason)| reason).collect() }
}

fn faults(pool: &Pool<'_>) -> Vec<(Weight, Reason)> {
    let status = pool.status;
    let mut found = Vec::new();
    if status.needs_check {
        found.push((Weight::Refuse, Reason::NeedsCheck));
    }
    match status.mode {
        PoolMode::ReadWrite => {}
        // The kernel still takes the message that removes a volume (`pool_message` in its dm-thin.c).
        PoolMode::OutOfDataSpace => found.push((Weight::Refuse, Reason::OutOfDataSpace)),
        PoolMode::ReadOnly => found.push((Weight::Refuse, Reason::ReadOnly)),
    }
    match pool.lvm_transaction_id {
        Some(lvm) if lvm != status.transaction_id => {
            found.push((Weight::Refuse, Reason::TransactionId { lvm, kernel: status.transaction_id }));
        }
        _ => {}
    }
    if status.held_root.is_some() && !pool.holder_is_ours {
        found.push((Weight::Warn, Reason::HeldMetadata));
    }
    found
}

fn full(what: Space, used: u64, more: u64, total: u64, levels: &Levels) -> Option<(Weight, Reason)> {
    let percent = |used: u128| match u128::from(total) {
        0 => u64::MAX,
        total => u64::try_from((used * 100).div_ceil(total)).unwrap_or(u64::MAX),
    };
    // At a level: not one byte below it, hence exact rather than by the rounded number.
    let reaches = |used: u128, level: Percent| used * 100 >= u128::from(total) * u128::from(level.0);
    let (before, after) = (u128::from(used), u128::from(used) + u128::from(more));
    let levels = [(Weight::Refuse, levels.refuse), (Weight::Prune, levels.prune), (Weight::Warn, levels.warn)];
    let (weight, level) = levels.into_iter().find(|(_, level)| reaches(after, *level))?;
    let already = reaches(before, level);
    Some((weight, Reason::Full { what, percent: percent(after), level, already }))
}

impl Reason {
    /// Whether it goes away when snapshots do. Removing one from a pool that is damaged, or is not the one that LVM thinks
    /// of, would make it worse.
    const fn is_space(&self) -> bool {
        matches!(self, Self::Full { .. } | Self::OutOfDataSpace)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NeedsCheck => f.write_str("its metadata must be checked (`lvconvert --repair`)"),
            Self::ReadOnly => f.write_str("it is read-only: its metadata is damaged or full"),
            Self::OutOfDataSpace => f.write_str("it has no data space left"),
            Self::TransactionId { lvm, kernel } => {
                write!(f, "its transaction id is {kernel}, while LVM expects {lvm}")
            }
            Self::Full { what, percent, level, already } => {
                let verb = if *already { "is" } else { "would be" };
                let what = if *what == Space::Data { "data" } else { "metadata" };
                write!(f, "its {what} {verb} {percent} % full, the limit is {level}")
            }
            Self::HeldMetadata => f.write_str("somebody else holds its metadata snapshot"),
        }
    }
}

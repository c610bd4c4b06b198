//! What a job says of how it is sent and received.

use extents::Bytes;
use lvm_cmd::{LvName, Tag};

use super::reader::{Field, Table};

/// The longest name of a pair that a session takes, in bytes.
const MAX_PAIR_BYTES: usize = 256;
/// The longest command that is taken, in bytes.
const MAX_COMMAND_BYTES: usize = 4000;

/// How a job is sent and received. What is `None` is left to `lvbackup sync`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Sync {
    /// The pool at the destination, in the group of the destination's volume; needed for the first run only.
    pub pool: Option<LvName>,
    /// What the pair is called in the tags of both sides.
    pub pair: Option<String>,
    /// Whether the destination's volume is read-only.
    pub recv_read_only: Option<bool>,
    /// How much of the destination is read back.
    pub verify: Option<Verify>,
    /// `zstd`, `zstd:LEVEL` or `none`.
    pub compress: Option<String>,
    /// At most so many bytes per second.
    pub bwlimit: Option<Bytes>,
    /// What is run for `ssh`, with its options.
    pub ssh: Option<String>,
    /// What is run for `lvbackup` on the other host.
    pub remote_command: Option<String>,
}

/// How much of the destination is read back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verify {
    /// All that was written.
    Full,
    /// Some of it.
    Sampled,
    /// Nothing.
    None,
}

impl Verify {
    const ALL: [Self; 3] = [Self::Full, Self::Sampled, Self::None];

    /// As it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Sampled => "sampled",
            Self::None => "none",
        }
    }
}

impl Sync {
    pub(super) fn read(table: &mut Table<'_>) -> Self {
        Self {
            pool: table.read("pool", |field| {
                field.text("the name of a pool in the destination's group", |text| text.parse().ok())
            }),
            // Never among the defaults: no two jobs have the same.
            pair: None,
            recv_read_only: table.read("recv_read_only", Field::boolean),
            verify: table.read("verify", |field| {
                field.text("one of `full`, `sampled`, `none`", |text| {
                    Verify::ALL.into_iter().find(|verify| verify.name() == text)
                })
            }),
            compress: table.read("compress", |field| {
                field.text("`zstd`, `zstd:LEVEL` with a level from 1 to 19, or `none`", |text| {
                    let level = text.strip_prefix("zstd:").and_then(|level| level.parse::<u8>().ok());
                    let fits = ["zstd", "none"].contains(&text) || level.is_some_and(|level| (1..=19).contains(&level));
                    fits.then(|| text.to_owned())
                })
            }),
            bwlimit: table.read("bwlimit", rate),
            ssh: table.read("ssh", command),
            remote_command: table.read("remote_command", command),
        }
    }

    /// With what the defaults say where this says nothing.
    pub(super) fn or(self, defaults: &Self) -> Self {
        let defaults = defaults.clone();
        Self {
            pool: self.pool.or(defaults.pool),
            pair: self.pair,
            recv_read_only: self.recv_read_only.or(defaults.recv_read_only),
            verify: self.verify.or(defaults.verify),
            compress: self.compress.or(defaults.compress),
            bwlimit: self.bwlimit.or(defaults.bwlimit),
            ssh: self.ssh.or(defaults.ssh),
            remote_command: self.remote_command.or(defaults.remote_command),
        }
    }
}

pub(super) fn pair(field: &Field<'_>) -> Option<String> {
    // It stands in a tag of LVM's.
    let fits = |text: &str| {
        (1..=MAX_PAIR_BYTES).contains(&text.len()) && format!("hyperlayer.sync={text}").parse::<Tag>().is_ok()
    };
    field.text("a name of a-z A-Z 0-9 _ + . - / : and the like", |text| fits(text).then(|| text.to_owned()))
}

fn rate(field: &Field<'_>) -> Option<Bytes> {
    const EXPECTED: &str = "bytes per second such as `\"20M\"` or `\"500k\"`, more than none";
    if field.is_number() {
        return field.number(EXPECTED, 1..u64::MAX).map(Bytes::new);
    }
    field.text(EXPECTED, |text| extents::parse_size(text).ok().filter(|rate| !rate.is_zero()))
}

fn command(field: &Field<'_>) -> Option<String> {
    let fits = |text: &str| {
        (1..=MAX_COMMAND_BYTES).contains(&text.trim().len()) && !text.starts_with('-') && !text.contains('\0')
    };
    field.text("a command", |text| fits(text).then(|| text.to_owned()))
}

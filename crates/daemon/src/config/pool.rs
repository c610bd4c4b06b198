//! `[pool."VG/POOL"]`.

use std::num::NonZeroU32;

use super::{
    PoolConfig,
    reader::{Field, Table},
};
use crate::{Levels, Percent, Thresholds};

pub(super) fn read(mut table: Table<'_>) -> PoolConfig {
    let usual = PoolConfig::default();
    let parallel = table.read("parallel", |field| {
        let number = field.number("a whole number from 1 to 64", 1..65)?;
        NonZeroU32::new(u32::try_from(number).ok()?)
    });
    let thresholds = Thresholds {
        data: table.read("data", levels).unwrap_or(usual.thresholds.data),
        metadata: table.read("metadata", levels).unwrap_or(usual.thresholds.metadata),
    };
    table.done();
    PoolConfig { parallel: parallel.unwrap_or(usual.parallel), thresholds }
}

fn levels(field: &Field<'_>) -> Option<Levels> {
    let mut table = field.table("levels such as `{ warn = 80, prune = 90, refuse = 95 }`")?;
    let percent = |field: Field<'_>| {
        let number = field.number("hundredths from 1 to 100", 1..101)?;
        Percent::new(u8::try_from(number).ok()?)
    };
    let mut level = |key, expected| table.need(key, expected).and_then(percent);
    let warn = level("warn", "from how full on it is told");
    let prune = level("prune", "from how full on snapshots of ours go");
    let refuse = level("refuse", "from how full on nothing begins");
    table.done();
    Levels::new(warn?, prune?, refuse?).or_else(|| field.wrong("expected `warn` <= `prune` <= `refuse`"))
}

//! What the tests of several crates share: content that proves its place ([`stamped`]), thin volumes as a model
//! ([`ThinVolume`], [`Pair`], [`histories`]), what LVM says ([`lv_row`]), and the workspace's binaries in a cleared environment ([`Tool`], [`Folder`], [`contract!`]),
//! how long a test searches ([`adversary()`]), and damage to the streams that it gives ([`damage()`]).
//!
//! A dev-dependency only. **Panics.** All over: a test that cannot go on fails.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a test that cannot go on fails")]

mod adversary;
mod contract;
mod damage;
mod folder;
mod lvs;
mod patience;
mod stamp;
mod thin;
mod tool;

pub use adversary::{Totals, adversary, adversary_cases};
pub use contract::{check_help, check_refused, check_standard_output};
pub use damage::{Damage, damage};
pub use folder::Folder;
pub use lvs::{LISTS_STEP, LVS, POOL_UUID, lv_row, lvs_step, pool_row, pool_row_with};
pub use patience::{LIMIT, eventually, within_limit};
pub use rustix::process::Signal;
pub use stamp::{BLOCK_BYTES, stamped};
pub use thin::{Pair, ThinVolume, chunk_runs, delta_xml, histories, pairs};
pub use tool::{Finished, Spawned, Tool};

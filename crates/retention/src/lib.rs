//! Which backups stay and which go: from dated items, a [`Policy`] and the present time to a [`Decision`] for each
//! item, with all its reasons.
//!
//! ```
//! use std::num::NonZeroUsize;
//! use retention::{Item, Per, Policy, Rule, UnixSeconds, decide};
//!
//! let at = |hour: i64| UnixSeconds::new(1_795_219_200 + hour * 3600).expect("2026"); // 2026-11-21 00:00 UTC + hour
//! let items = [Item::new("midnight", at(0)), Item::new("noon", at(12)), Item::new("next day", at(30))];
//!
//! let mut policy = Policy::keep_all("Europe/Berlin".parse()?);
//! policy.rules.push(Rule::Calendar(Per::Day, NonZeroUsize::new(7).expect("not 0")));
//!
//! let decisions = decide(&items, &policy, at(31))?;
//! let table: Vec<_> = decisions.iter().map(ToString::to_string).collect();
//! assert_eq!(
//!     table,
//!     [
//!         "drop midnight: not the newest of 2026-11-21",
//!         "keep noon: daily 2 of 7 (2026-11-21)",
//!         "keep next day: newest, daily 1 of 7 (2026-11-22)",
//!     ]
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! **Promises.** These always stay, whatever the rules: the newest item; a held one; one taken after `now`; and the
//! parent of one that stays, unless [`Merging::Allowed`] lets it be merged into its children first. A policy without
//! rules keeps everything. Adding a rule to one that has rules never drops what was kept. Deciding again about what
//! stayed drops nothing more, and the order of the items never matters to what stays.
//!
//! **What counts.** Items taken after `now` come from a clock that was wrong; they stay, and no rule counts them, or
//! they would push out the backups of today. The newest item is the newest of the others; of two taken in the same
//! second, the one with the greater id.
//!
//! **Units.** Times are whole seconds since 1970 UTC ([`UnixSeconds`]); hours, days, weeks, months and years are those
//! of the policy's [`Zone`], whose data is compiled in. **Limits.** `n` items take time in `n log n` for each rule,
//! memory in `n` times the number of rules, and no recursion. **Invariant.** This crate knows neither clock nor
//! environment nor the machine's zone, and nothing of what the items are. **Panics.** Nothing here panics.

#![forbid(unsafe_code)]

mod calendar;
mod chain;
mod decide;
mod error;
mod period;
mod policy;
mod reason;
mod rules;
mod text;
mod time;

pub use calendar::{Bucket, Per};
pub use decide::{Decision, Verdict, decide};
pub use error::Error;
pub use period::{ParsePeriodError, Period};
pub use policy::{Item, Merging, Policy, Rule};
pub use reason::{Class, Reason};
pub use text::ParseRuleError;
pub use time::{ParseZoneError, UnixSeconds, Zone};

//! Tests that search for broken promises: how long each searches, and what it found.

use std::collections::BTreeMap;
use std::fmt;

use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// The number of cases that an adversary generates: what the environment variable `HYPERLAYER_ADVERSARY_CASES` says, else
/// `default`.
#[must_use]
pub fn adversary_cases(default: u32) -> u32 {
    match std::env::var("HYPERLAYER_ADVERSARY_CASES") {
        Ok(cases) => cases.parse().unwrap(),
        Err(_) => default,
    }
}

/// A runner that generates the same [`adversary_cases`] in each run, and keeps no file of failures.
#[must_use]
pub fn adversary(default: u32) -> TestRunner {
    let config = Config { cases: adversary_cases(default), failure_persistence: None, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

/// How often each outcome came.
#[derive(Clone, Debug, Default)]
pub struct Totals(BTreeMap<String, u64>);

impl Totals {
    /// Counts an outcome.
    pub fn count(&mut self, outcome: impl Into<String>) {
        *self.0.entry(outcome.into()).or_default() += 1;
    }

    /// How often an outcome came.
    #[must_use]
    pub fn of(&self, outcome: &str) -> u64 {
        self.0.get(outcome).copied().unwrap_or_default()
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(outcome, count)| writeln!(f, "{count:>8}  {outcome}"))
    }
}

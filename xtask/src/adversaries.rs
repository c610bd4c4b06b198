//! `cargo xtask soak adversaries`: the tests that search for broken promises, for much longer than `test` lets them.

use crate::command::{cargo, run};
use anyhow::Result;

/// How many cases each adversary generates in this form; `test` runs the few that each names as its own default.
const CASES: &str = "5000";

/// Variable by which an adversary learns how many cases to generate.
const VARIABLE: &str = "HYPERLAYER_ADVERSARY_CASES";

/// Runs every test with `adversary` in its path, in release form, and shows the totals that each prints. A number in the
/// environment takes precedence over the default.
pub(crate) fn soak() -> Result<()> {
    let cases = std::env::var(VARIABLE).unwrap_or_else(|_| CASES.to_owned());
    let mut test = cargo();
    test.args(["test", "--workspace", "--release", "--tests", "--no-fail-fast", "adversary", "--", "--nocapture"]);
    // Thin link-time optimisation would take longer than it saves.
    run(test.env(VARIABLE, cases).env("CARGO_PROFILE_RELEASE_LTO", "off"))
}

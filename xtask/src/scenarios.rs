//! The scenarios on real LVM: all in one guest, one after another.

use crate::{
    vm::{Guest, Limits, Payload, build_all},
    workspace,
};
use anyhow::{Context, Result, bail};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// How many passed and failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

/// The scenario files of a folder under `xtask/` whose names contain one of the filters; all of them without filters.
pub(crate) fn select(folder: &str, filters: &[String]) -> Result<Vec<PathBuf>> {
    let folder = workspace::root().join("xtask").join(folder);
    let mut files: Vec<_> = fs::read_dir(&folder)
        .with_context(|| format!("cannot list {}", folder.display()))?
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|file| file.extension().is_some_and(|extension| extension == "sh"))
        .filter(|file| filters.is_empty() || filters.iter().any(|filter| name(file).contains(filter.as_str())))
        .collect();
    files.sort();
    if files.is_empty() {
        bail!("no scenario in {} has a name that contains {}", folder.display(), filters.join(" or "));
    }
    Ok(files)
}

/// Runs them in a new guest; a scenario of which nothing is known at the end has failed.
pub(crate) fn run(scenarios: &[PathBuf], limits: &Limits) -> Result<Tally> {
    let guest = Guest::prepare(false)?;
    let mut payload = Payload::new(&build_all()?);
    for file in scenarios {
        payload.copy(file, Path::new("scenarios").join(file.file_name().unwrap_or_default()));
    }
    payload.text("main", "exec scenarios.sh\n".into());
    let outcome = guest.run("scenarios", &payload, limits, &mut std::io::stdout().lock())?;
    let report = fs::read_to_string(outcome.results.join("results.tsv")).unwrap_or_default();
    if let Err(error) = outcome.status {
        eprintln!("error: {error:#}");
    }
    let names: Vec<_> = scenarios.iter().map(|file| name(file)).collect();
    let (tally, unknown) = count(&names, &report);
    for name in unknown {
        println!("FAILED {name}: the guest ended before it was done");
    }
    eprintln!("logs are in {}", outcome.results.display());
    println!("scenarios: {tally}");
    Ok(tally)
}

/// What the guest's report says of these scenarios, and those that it does not know.
fn count<'names>(names: &'names [String], report: &str) -> (Tally, Vec<&'names str>) {
    let (mut tally, mut unknown) = (Tally::default(), Vec::new());
    for name in names {
        let verdict = report.lines().find_map(|line| line.strip_prefix(name.as_str())?.strip_prefix('\t'));
        match verdict {
            Some(verdict) if verdict.starts_with("ok\t") => tally.passed += 1,
            Some(_) => tally.failed += 1,
            None => {
                tally.failed += 1;
                unknown.push(name.as_str());
            }
        }
    }
    (tally, unknown)
}

fn name(file: &Path) -> String {
    file.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::{Tally, count};

    #[test]
    fn a_scenario_without_a_verdict_has_failed() {
        let names = ["00-a".to_owned(), "00-ab".to_owned(), "01-b".to_owned()];
        let report = "00-ab\tok\t3\t\n01-b\tFAILED\t3\texit status 1\n";
        assert_eq!(count(&names, report), (Tally { passed: 1, failed: 2 }, vec!["00-a"]));
    }
}

//! The scenarios on real LVM: shared out among the guests that this machine can run at once.

use crate::{
    command::{command, output},
    vm::{Guest, Limits, Payload, build_all},
    workspace,
};
use anyhow::{Context, Result, bail};
use std::{
    fs,
    io::{self, Write},
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

/// A scenario, and what is other about the host on which it runs: a file of `xtask/guest/variants`, or nothing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Scenario {
    file: PathBuf,
    variant: Option<String>,
}

impl Scenario {
    /// What the guest calls it: `NAME`, or `NAME@VARIANT`.
    fn name(&self) -> String {
        let name = name(&self.file);
        self.variant.as_ref().map_or(name.clone(), |variant| format!("{name}@{variant}"))
    }
}

/// Each as it is.
pub(crate) fn plain(files: Vec<PathBuf>) -> Vec<Scenario> {
    files.into_iter().map(|file| Scenario { file, variant: None }).collect()
}

/// Each once: as it is, or under one of the variants that it can bear, by turns. A commit's number and the scenario's place decide
/// which one, so that the same commit does the same again.
pub(crate) fn by_turns(files: Vec<PathBuf>) -> Result<Vec<Scenario>> {
    let commits = output(command("git").current_dir(workspace::root()).args(["rev-list", "--count", "HEAD"]));
    // Without git, as in an unpacked archive, it is always the same turn.
    let turn = commits.ok().and_then(|count| count.trim().parse::<usize>().ok()).unwrap_or(0);
    let in_turn = |(place, file): (usize, PathBuf)| {
        let variants = variants(&file)?;
        // As many turns as variants, and one as it is.
        let variant = ((turn + place) % (variants.len() + 1)).checked_sub(1).map(|index| variants[index].clone());
        Ok(Scenario { file, variant })
    };
    files.into_iter().enumerate().map(in_turn).collect()
}

/// The variants that a scenario can bear: all of `xtask/guest/variants` but those that it excludes.
fn variants(scenario: &Path) -> Result<Vec<String>> {
    let text = fs::read_to_string(scenario).with_context(|| format!("cannot read {}", scenario.display()))?;
    let all = select("guest/variants", &[])?.iter().map(|file| name(file)).collect();
    without_excluded(all, &text).with_context(|| scenario.display().to_string())
}

/// All variants but those that a scenario's text names in lines such as `# not under raid1 noise: why`.
fn without_excluded(mut variants: Vec<String>, text: &str) -> Result<Vec<String>> {
    for line in text.lines().filter_map(|line| line.strip_prefix("# not under ")) {
        let (excluded, _) = line.split_once(": ").with_context(|| format!("`{line}` does not say why"))?;
        for name in excluded.split_whitespace() {
            let place = variants.iter().position(|variant| variant == name);
            variants.remove(place.with_context(|| format!("there is no variant `{name}`"))?);
        }
    }
    Ok(variants)
}

/// Each scenario under each variant that it can bear, where `NAME@VARIANT` contains one of the words; all of them without words.
pub(crate) fn under_variants(words: &[String]) -> Result<Vec<Scenario>> {
    let mut scenarios = Vec::new();
    for file in select("scenarios", &[])? {
        let under = |variant| Scenario { file: file.clone(), variant: Some(variant) };
        scenarios.extend(variants(&file)?.into_iter().map(under));
    }
    scenarios.retain(|one| words.is_empty() || words.iter().any(|word| one.name().contains(word.as_str())));
    if scenarios.is_empty() {
        bail!("no scenario has a name and a variant that contain {}", words.join(" or "));
    }
    Ok(scenarios)
}

/// Guests at once at most. LVM's commands run one after another, so that one guest keeps one processor busy.
const MAX_GUESTS: usize = 2;

/// Runs them in new guests; a scenario of which nothing is known at the end has failed. `results` is what the guests' folders under
/// target/vm/results are called, each with its number.
pub(crate) fn run(scenarios: &[Scenario], results: &str, limits: &Limits) -> Result<Tally> {
    let guest = Guest::prepare(false)?;
    let binaries = build_all()?;
    let guests = std::thread::available_parallelism().map_or(1, usize::from).min(MAX_GUESTS);
    let seconds = |file: &Path| fs::read_to_string(file).map_or(USUAL_SECONDS, |text| takes_seconds(&text));
    let known: Vec<_> = scenarios.iter().map(|one| (one.clone(), seconds(&one.file))).collect();
    let tallies: Vec<_> = std::thread::scope(|scope| {
        let (guest, binaries) = (&guest, &binaries);
        let shares = (1..).zip(shares(&known, guests));
        let run = shares.map(|(n, share)| {
            scope.spawn(move || in_one_guest(guest, binaries, &format!("{results}-{n}"), &share, limits))
        });
        // All are begun before the first is waited for.
        let running: Vec<_> = run.collect();
        running.into_iter().map(std::thread::ScopedJoinHandle::join).collect()
    });
    let mut tally = Tally::default();
    for of_one in tallies {
        tally += of_one.map_err(|_| anyhow::anyhow!("running a guest panicked"))??;
    }
    println!("scenarios: {tally}");
    Ok(tally)
}

/// How long most take where the guest is emulated.
const USUAL_SECONDS: u32 = 60;

/// How long one says that it takes, for those that take much longer: `# takes: 200`. Nothing hangs on it but who runs what.
fn takes_seconds(text: &str) -> u32 {
    let said = text.lines().find_map(|line| line.strip_prefix("# takes: ")?.parse().ok());
    said.unwrap_or(USUAL_SECONDS)
}

/// Shared out so that all guests have about as many seconds to do. The longest first, to whoever has least; each share in the
/// order of its names.
fn shares<T: Ord>(scenarios: &[(T, u32)], count: usize) -> Vec<Vec<&T>> {
    let mut longest_first: Vec<_> = scenarios.iter().collect();
    longest_first.sort_by_key(|(_, seconds)| std::cmp::Reverse(*seconds));
    let mut shares: Vec<_> = (0..count.min(scenarios.len())).map(|_| (0, Vec::new())).collect();
    for (one, seconds) in longest_first {
        if let Some((total, share)) = shares.iter_mut().min_by_key(|(total, _)| *total) {
            *total += seconds;
            share.push(one);
        }
    }
    shares.iter_mut().for_each(|(_, share)| share.sort_unstable());
    shares.into_iter().map(|(_, share)| share).collect()
}

fn in_one_guest(
    guest: &Guest,
    binaries: &[PathBuf],
    results: &str,
    scenarios: &[&Scenario],
    limits: &Limits,
) -> Result<Tally> {
    let mut payload = Payload::new(binaries);
    for one in scenarios {
        payload.copy(&one.file, Path::new("scenarios").join(format!("{}.sh", one.name())));
    }
    payload.text("main", "exec scenarios.sh\n".into());
    let outcome = guest.run(results, &payload, limits, &mut WholeLines(Vec::new()))?;
    let report = fs::read_to_string(outcome.results.join("results.tsv")).unwrap_or_default();
    if let Err(error) = outcome.status {
        eprintln!("error: {error:#}");
    }
    let names: Vec<_> = scenarios.iter().map(|one| one.name()).collect();
    let (tally, unknown) = count(&names, &report);
    for name in unknown {
        println!("FAILED {name}: the guest ended before it was done");
    }
    eprintln!("logs are in {}", outcome.results.display());
    Ok(tally)
}

/// Standard output for several at once: nobody's line is cut by another's. What is begun at the end comes out too.
struct WholeLines(Vec<u8>);

impl Write for WholeLines {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.extend_from_slice(text);
        if let Some(end) = self.0.iter().rposition(|byte| *byte == b'\n') {
            io::stdout().write_all(&self.0[..=end])?;
            self.0.drain(..=end);
        }
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stdout().flush()
    }
}

impl Drop for WholeLines {
    fn drop(&mut self) {
        let _ = io::stdout().write_all(&self.0);
    }
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
    use super::{Scenario, Tally, count, shares, takes_seconds, under_variants, without_excluded};

    #[test]
    fn a_scenario_excludes_variants_and_says_why() {
        let left = |text| {
            let all = ["noise", "raid1", "settings"].map(str::to_owned).to_vec();
            without_excluded(all, text).map(|variants| variants.join(" ")).map_err(|error| error.to_string())
        };
        assert_eq!(left(". lib.sh\n").unwrap(), "noise raid1 settings");
        assert_eq!(left("# limit: 5\n# not under noise raid1: it cuts the power\n. lib.sh\n").unwrap(), "settings");
        assert_eq!(left("# not under noise: one\n# not under settings: another\n").unwrap(), "raid1");
        assert_eq!(left("# not under nois: why\n").unwrap_err(), "there is no variant `nois`");
        assert_eq!(left("# not under noise\n").unwrap_err(), "`noise` does not say why");
    }

    #[test]
    fn every_scenario_excludes_variants_that_exist() {
        let scenarios = under_variants(&[]).unwrap();
        assert!(scenarios.len() > 100, "{}", scenarios.len());
        let names: Vec<_> = under_variants(&["@noise".into()]).unwrap().iter().map(Scenario::name).collect();
        assert!(names.contains(&"10-pipeline@noise".to_owned()), "{names:?}");
        assert!(names.iter().all(|name| name.ends_with("@noise")), "{names:?}");
    }

    #[test]
    fn a_scenario_without_a_verdict_has_failed() {
        let names = ["00-a".to_owned(), "00-ab".to_owned(), "01-b".to_owned()];
        let report = "00-ab\tok\t3\t\n01-b\tFAILED\t3\texit status 1\n";
        assert_eq!(count(&names, report), (Tally { passed: 1, failed: 2 }, vec!["00-a"]));
    }

    #[test]
    fn a_scenario_says_how_long_it_takes() {
        assert_eq!(takes_seconds("# limit: 900\n# takes: 200\n# What it shows.\n. lib.sh\n"), 200);
        assert_eq!(takes_seconds("# limit: 900\n. lib.sh\n"), 60);
    }

    #[test]
    fn each_scenario_is_in_one_share() {
        let known = [("a", 10), ("b", 50), ("c", 30), ("d", 25)];
        assert_eq!(shares(&known, 2), [[&"a", &"b"], [&"c", &"d"]]);
        assert_eq!(shares(&known[..2], 4), [[&"b"], [&"a"]]);
        assert!(shares::<u8>(&[], 2).is_empty());
    }
}

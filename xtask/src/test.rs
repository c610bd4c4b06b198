//! `cargo xtask test`: every test there is, with one count at the end.

use crate::{
    command::{cargo, line, timed},
    scenarios::{self, Tally},
    setup,
    vm::{Guest, Limits},
};
use anyhow::{Context, Result, bail};
use std::{
    io::{BufRead, BufReader, IsTerminal, Write},
    process::{Command, Stdio},
};

/// Runs them; `fast` leaves out what needs the guest, and says how much that is.
pub(crate) fn run(fast: bool, limits: &Limits) -> Result<Tally> {
    setup::ensure()?;
    // The guest's image is mostly waiting for the network, and the tests mostly compiling.
    let guest = (!fast).then(|| std::thread::spawn(|| Guest::prepare(false)));
    let mut tally = timed("tests on this host", host_tests)?;
    let scenarios = scenarios::select("scenarios", &[])?;
    let left_out = match guest {
        None => format!(" ({} scenarios on real LVM left out by --fast)", scenarios.len()),
        Some(guest) => {
            guest.join().map_err(|_| anyhow::anyhow!("preparing the guest panicked"))??;
            let scenarios = scenarios::by_turns(scenarios)?;
            tally += timed("scenarios", || scenarios::run(&scenarios, "scenarios", limits))?;
            String::new()
        }
    };
    println!("{tally}{left_out}");
    Ok(tally)
}

/// By nextest where it is installed; a fresh machine has only cargo.
fn host_tests() -> Result<Tally> {
    let nextest = cargo().args(["nextest", "--version"]).stderr(Stdio::null()).stdout(Stdio::null()).status();
    if !nextest.is_ok_and(|status| status.success()) {
        return counted(cargo().args(["test", "--workspace", "--no-fail-fast"]), Stream::Stdout);
    }
    let mut tally = counted(cargo().args(["nextest", "run", "--workspace", "--no-fail-fast"]), Stream::Stderr)?;
    tally += counted(cargo().args(["test", "--workspace", "--doc", "--no-fail-fast"]), Stream::Stdout)?;
    Ok(tally)
}

/// Where a runner writes its summaries.
#[derive(Clone, Copy)]
enum Stream {
    Stdout,
    Stderr,
}

/// Runs it, shows its output as it comes, and adds up its summaries.
fn counted(command: &mut Command, stream: Stream) -> Result<Tally> {
    let colour = if std::io::stderr().is_terminal() { "always" } else { "never" };
    command.env("CARGO_TERM_COLOR", colour);
    match stream {
        Stream::Stdout => command.stdout(Stdio::piped()),
        Stream::Stderr => command.stderr(Stdio::piped()),
    };
    let mut child = command.spawn().with_context(|| format!("cannot start `{}`", line(command)))?;
    let mut tally = Tally::default();
    match (child.stdout.take(), child.stderr.take()) {
        (Some(output), _) => pass_on(BufReader::new(output), std::io::stdout(), &mut tally)?,
        (_, Some(output)) => pass_on(BufReader::new(output), std::io::stderr(), &mut tally)?,
        (None, None) => {}
    }
    let status = child.wait()?;
    if !status.success() && tally.failed == 0 {
        bail!("`{}`: {status}, and no test was reported as failed", line(command));
    }
    Ok(tally)
}

fn pass_on(input: impl BufRead, mut to: impl Write, tally: &mut Tally) -> Result<()> {
    for line in input.split(b'\n') {
        let line = line?;
        to.write_all(&line)?;
        to.write_all(b"\n")?;
        *tally += summary(&plain(&String::from_utf8_lossy(&line)));
    }
    Ok(())
}

/// The line without a terminal's colours.
fn plain(line: &str) -> String {
    let mut parts = line.split('\x1b');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('m').map_or("", |(_, rest)| rest))
}

/// What a line says if it is a runner's summary: `test result: FAILED. 3 passed; 1 failed; ...` (libtest), or
/// `Summary [ 1.0s] 9 tests run: 7 passed, 1 failed, 1 timed out, 2 skipped` (nextest).
fn summary(line: &str) -> Tally {
    // Indented, libtest's is what nextest shows of one test, and counts itself.
    let counts = line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". ")).map(|(_, counts)| counts);
    let nextest = || line.trim_start().strip_prefix("Summary [")?.split_once("run: ").map(|(_, counts)| counts);
    let counts = counts.or_else(nextest);
    let mut tally = Tally::default();
    for part in counts.unwrap_or_default().split([',', ';']) {
        let Some((number, word)) = part.trim().split_once(' ') else { continue };
        let Ok(number) = number.parse::<usize>() else { continue };
        match word.split(' ').next() {
            Some("passed") => tally.passed += number,
            Some("failed" | "timed" | "exec") => tally.failed += number,
            _ => {}
        }
    }
    tally
}

#[cfg(test)]
mod tests {
    use super::{plain, summary};
    use crate::scenarios::Tally;

    #[track_caller]
    fn check(line: &str, passed: usize, failed: usize) {
        assert_eq!(summary(&plain(line)), Tally { passed, failed });
    }

    #[test]
    fn summaries_of_both_runners() {
        check("test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.2s", 12, 0);
        check("test result: FAILED. 3 passed; 2 failed; 0 ignored", 3, 2);
        check("     Summary [   0.317s] 92 tests run: 92 passed, 0 skipped", 92, 0);
        check("     Summary [   0.317s] 9/92 tests run: 6 passed (1 slow), 2 failed, 1 timed out, 0 skipped", 6, 3);
        check(
            "\x1b[32;1m     Summary\x1b[0m [   0.3s] \x1b[1m2\x1b[0m tests run: \x1b[1m2\x1b[0m \x1b[32mpassed\x1b[0m",
            2,
            0,
        );
        check("1 passed, 1 failed", 0, 0);
        check("    test result: FAILED. 0 passed; 1 failed; 0 ignored", 0, 0);
    }
}

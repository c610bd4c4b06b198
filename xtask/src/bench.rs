//! `cargo xtask bench`: how fast the tools are, as ratios against programs that everybody has, on the same data in the
//! same run. Nothing is asserted: a machine's mood is no defect.

mod images;

use crate::{
    command::{cargo, run},
    vm::{Guest, Limits, Payload, build_all},
    workspace,
};
use anyhow::Result;
use std::path::PathBuf;

/// Runs all measurements.
pub(crate) fn bench(limits: &Limits) -> Result<()> {
    println!("== the parser of thin_delta's output, on one core");
    example("delta_throughput", &["1000"])?;
    println!("== the stream format in memory, on one core");
    example("stream_throughput", &[])?;
    images::bench(&release_binaries()?)?;
    in_guest("lvbackup in a guest, on a volume of 10 GiB", "volumes.py", limits)?;
    in_guest("lvbackup sync in a guest, of 1 MiB on a volume of 10 GiB", "sync.sh", limits)
}

/// On real LVM, where the binaries are those of the scenarios.
fn in_guest(what: &str, script: &str, limits: &Limits) -> Result<()> {
    println!("== {what}");
    let guest = Guest::prepare(false)?;
    let mut payload = Payload::new(&build_all()?);
    payload.main(&workspace::root().join("xtask/bench").join(script), &[])?;
    let outcome = guest.run("bench", &payload, limits, &mut std::io::stdout())?;
    match outcome.status? {
        0 => Ok(()),
        status => anyhow::bail!("measuring in the guest ended with exit status {status}"),
    }
}

/// The binaries as a user builds them; the guest's are optimised less.
fn release_binaries() -> Result<Vec<PathBuf>> {
    let names = workspace::binaries()?;
    run(cargo().args(["build", "--release"]).args(names.iter().flat_map(|name| ["-p", name])))?;
    let folder = workspace::target()?.join("release");
    Ok(names.iter().map(|name| folder.join(name)).collect())
}

fn example(name: &str, arguments: &[&str]) -> Result<()> {
    let build = ["run", "--quiet", "--release", "--example", name, "--"];
    run(cargo().args(build).args(arguments))
}

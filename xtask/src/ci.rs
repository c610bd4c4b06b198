//! `cargo xtask ci`: what a change must pass.

use crate::{
    command::{cargo, output, run, timed},
    setup, test,
    vm::Limits,
    workspace,
};
use anyhow::{Context, Result, bail};
use std::process::Command;

/// Runs every step, also after one has failed, and names those that did.
pub(crate) fn ci(with_test: bool, limits: &Limits) -> Result<()> {
    setup::ensure()?;
    let mut failed = Vec::new();
    let mut step = |name: &'static str, task: &mut dyn FnMut() -> Result<()>| {
        println!("== {name}");
        if let Err(error) = timed(name, task) {
            eprintln!("error: {name}: {error:#}");
            failed.push(name);
        }
    };
    step("format", &mut || {
        run(cargo().args(["fmt", "--all", "--check"]))?;
        run(cargo().args(["fmt", "--all", "--manifest-path", "fuzz/Cargo.toml", "--check"]))
    });
    step("clippy", &mut || run(cargo().args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])));
    step("docs", &mut || run(cargo().env("RUSTDOCFLAGS", "-D warnings").args(["doc", "--workspace", "--no-deps"])));
    step("crates alone", &mut crates_alone);
    step("fuzz targets", &mut replay);
    if with_test {
        step("test", &mut || match test::run(false, limits)?.failed {
            0 => Ok(()),
            failed => bail!("{failed} failed"),
        });
    }
    if !failed.is_empty() {
        bail!("these steps failed: {}", failed.join(", "));
    }
    println!("ci: all steps passed");
    Ok(())
}

/// The crates that others embed, and the features that each is compiled with here.
const EMBEDDED: &[(&str, &[&str])] = &[
    ("durable", &[""]),
    ("extents", &[""]),
    ("hyperlayer", &["", "ddxml", "lvbackup-v1", "lvmsync", "thin-send"]),
    ("retention", &[""]),
    ("thin-delta", &[""]),
];

/// Checks each embedded crate and its documents with each feature alone: a build of the workspace unites all features, and hides
/// what is missing without one of them.
fn crates_alone() -> Result<()> {
    for (name, features) in EMBEDDED {
        for feature in *features {
            println!("-- {name} with features `{feature}`");
            let only = ["-p", name, "--no-default-features", "--features", feature];
            run(cargo().arg("clippy").args(only).args(["--all-targets", "--", "-D", "warnings"]))?;
            run(cargo().args(["doc", "--no-deps"]).args(only).env("RUSTDOCFLAGS", "-D warnings"))?;
        }
    }
    Ok(())
}

/// Builds the fuzz targets and runs each over its committed inputs.
fn replay() -> Result<()> {
    let fuzz = workspace::root().join("fuzz");
    let manifest = fuzz.join("Cargo.toml");
    let fuzz_cargo = |task: &str| {
        let mut cargo = cargo();
        cargo.arg(task).arg("--manifest-path").arg(&manifest);
        cargo
    };
    run(fuzz_cargo("build").arg("--workspace"))?;
    let metadata = output(fuzz_cargo("metadata").args(["--format-version=1", "--no-deps"]))?;
    let metadata: serde_json::Value = serde_json::from_str(&metadata).context("`cargo metadata` wrote no JSON")?;
    let folder = metadata["target_directory"].as_str().context("`cargo metadata` names no target folder")?;
    let packages = metadata["packages"].as_array().context("`cargo metadata` names no fuzz packages")?;
    let targets = packages.iter().flat_map(|package| package["targets"].as_array().into_iter().flatten());
    for target in targets.filter_map(|target| target["name"].as_str()) {
        let seeds = fuzz.join("seeds").join(target);
        if !seeds.is_dir() {
            bail!("fuzz target {target} has no seeds in {}", seeds.display());
        }
        let mut command = Command::new(format!("{folder}/debug/{target}"));
        command.arg(seeds).args(Some(fuzz.join("regressions").join(target)).filter(|folder| folder.is_dir()));
        // Its stderr names each file, which matters only where one fails.
        print!("{target}: {}", output(&mut command)?);
    }
    Ok(())
}

//! Where things are in this checkout.

use crate::command::{cargo, output};
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

/// The checkout's root folder.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// What the guest is made of and what it runs.
pub(crate) fn guest() -> PathBuf {
    root().join("xtask/guest")
}

/// Everything of the guest that can be made again.
pub(crate) fn cache() -> PathBuf {
    root().join("target/vm")
}

/// The packages under `bins/`, by name.
pub(crate) fn binaries() -> Result<Vec<String>> {
    let folder = root().join("bins");
    let entries = std::fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let mut names: Vec<_> = entries
        .filter_map(Result::ok)
        .filter(|entry| entry.path().join("Cargo.toml").is_file())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    Ok(names)
}

/// Cargo's target folder, wherever the user has put it.
pub(crate) fn target() -> Result<PathBuf> {
    let metadata = output(cargo().args(["metadata", "--format-version=1", "--no-deps"]))?;
    let metadata: serde_json::Value = serde_json::from_str(&metadata).context("`cargo metadata` wrote no JSON")?;
    metadata["target_directory"].as_str().map(PathBuf::from).context("`cargo metadata` names no target folder")
}

/// The target triple of this machine.
pub(crate) fn host_triple() -> Result<String> {
    let version = output(std::process::Command::new("rustc").arg("-vV"))?;
    let triple = version.lines().find_map(|line| line.strip_prefix("host: "));
    triple.map(str::to_owned).context("`rustc -vV` names no host")
}

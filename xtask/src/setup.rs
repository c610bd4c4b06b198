//! `cargo xtask setup`: the Debian packages that this project's tasks need and that are missing.

use crate::command::{command, find, run};
use anyhow::{Result, bail};

/// A program and the package that has it.
struct Tool {
    program: &'static str,
    package: &'static str,
}

const fn tool(program: &'static str, package: &'static str) -> Tool {
    Tool { program, package }
}

/// For compiling (zstd and BLAKE3 bring C) and for the guest.
const TOOLS: [Tool; 5] = [
    tool("cc", "gcc libc6-dev"),
    tool("mkfs.ext4", "e2fsprogs"),
    tool("debugfs", "e2fsprogs"),
    tool("mmdebstrap", "mmdebstrap"),
    tool(crate::vm::machine::EMULATOR, crate::vm::machine::PACKAGE),
];

/// Only an ordinary user needs these, to build a root file system.
const UNPRIVILEGED: [Tool; 2] = [tool("fakeroot", "fakeroot"), tool("newuidmap", "uidmap")];

pub(crate) fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

fn missing() -> Vec<&'static str> {
    let unprivileged: &[Tool] = if is_root() { &[] } else { &UNPRIVILEGED };
    let mut packages: Vec<_> = TOOLS
        .iter()
        .chain(unprivileged)
        .filter(|tool| find(tool.program).is_none())
        .flat_map(|tool| tool.package.split(' '))
        .collect();
    packages.sort_unstable();
    packages.dedup();
    packages
}

/// Installs what is missing; quick when nothing is.
pub(crate) fn ensure() -> Result<()> {
    let packages = missing();
    if packages.is_empty() {
        return Ok(());
    }
    let list = packages.join(" ");
    if find("apt-get").is_none() {
        bail!(
            "these Debian packages are missing and this machine has no apt-get: {list}\ninstall what has the same programs here"
        );
    }
    if !is_root() {
        bail!(
            "these packages are missing: {list}\nrun this once, then the same task again:\n  \
             sudo sh -c 'apt-get update && apt-get install -y --no-install-recommends {list}'"
        );
    }
    eprintln!("setup: installing {list}");
    let apt = |arguments: &[&str]| {
        let mut apt = command("apt-get");
        apt.env("DEBIAN_FRONTEND", "noninteractive").args(["-q", "-o", "DPkg::Lock::Timeout=300"]).args(arguments);
        // A task's standard output is for its own result.
        run(apt.stdout(std::io::stderr()).stdin(std::process::Stdio::null()))
    };
    apt(&["update"])?;
    apt(&[&["install", "-y", "--no-install-recommends"], packages.as_slice()].concat())?;
    let still = missing();
    if !still.is_empty() {
        bail!(
            "apt-get installed everything without complaint, and yet programs of these are missing: {}",
            still.join(" ")
        );
    }
    Ok(())
}

//! `cargo xtask demo`: the project's main job, end to end, on whatever the machine has.

use crate::{
    command::{command, find, run},
    setup,
    vm::{Guest, Limits, Payload, build_binaries},
    workspace,
};
use anyhow::{Context, Result, bail};
use std::{
    path::PathBuf,
    process::{Command, Stdio},
    thread,
};

/// Shows the tools on image files and on real LVM.
pub(crate) fn demo(limits: &Limits) -> Result<()> {
    setup::ensure()?;
    let on_host = host_has_thin_pools();
    println!(
        "Two thin volumes of which only the difference is moved; first as image files, then on real LVM {}.",
        if on_host {
            "on this machine"
        } else {
            "in a virtual machine, since this one has no thin pools or you are not root"
        }
    );
    // The guest's disk is made while the tools are compiled and shown on images.
    let guest = (!on_host).then(|| thread::spawn(|| Guest::prepare(false)));
    let binaries = build_binaries(&["lvdiff", "lvpatch"])?;
    println!("On image files:");
    on_images(&binaries)?;
    match guest {
        None => {
            println!("On real LVM:");
            on_this_machine(&binaries)?;
        }
        Some(guest) => {
            let guest = guest.join().map_err(|_| anyhow::anyhow!("preparing the guest panicked"))??;
            println!("On real LVM, in a virtual machine:");
            in_a_guest(&guest, &binaries, limits)?;
        }
    }
    println!("demo: everything as it should be; nothing was left behind");
    Ok(())
}

/// Whether LVM can make thin pools here and now.
fn host_has_thin_pools() -> bool {
    let quiet = |program: &str, arguments: &[&str]| command(program).args(arguments).stderr(Stdio::null()).output();
    if !setup::is_root() || !["lvm", "dmsetup", "thin_delta", "mkfs.ext4"].iter().all(|tool| find(tool).is_some()) {
        return false;
    }
    let _ = quiet("modprobe", &["-q", "-a", "dm-thin-pool", "loop"]);
    let targets = quiet("dmsetup", &["targets"]);
    targets
        .is_ok_and(|output| String::from_utf8_lossy(&output.stdout).lines().any(|line| line.starts_with("thin-pool ")))
}

/// A folder for large files; not under `/tmp`, which may be in memory.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Self> {
        let folder = workspace::cache().join(format!("demo-{}", std::process::id()));
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(Self(folder))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn script(name: &str, binaries: &[PathBuf], folder: &Folder) -> Result<Command> {
    let bin = binaries.first().and_then(|binary| binary.parent()).context("there are no binaries")?;
    let path = format!("{}:{}:/usr/sbin:/sbin", bin.display(), std::env::var("PATH").unwrap_or_default());
    let mut script = Command::new("bash");
    script.arg(workspace::guest().join(name)).env("PATH", path).env("LC_ALL", "C").current_dir(&folder.0);
    Ok(script)
}

fn on_images(binaries: &[PathBuf]) -> Result<()> {
    let folder = Folder::new()?;
    run(&mut script("demo-images.sh", binaries, &folder)?)
}

fn on_this_machine(binaries: &[PathBuf]) -> Result<()> {
    let folder = Folder::new()?;
    run(script("demo.sh", binaries, &folder)?.arg(&folder.0))
}

fn in_a_guest(guest: &Guest, binaries: &[PathBuf], limits: &Limits) -> Result<()> {
    let mut payload = Payload::new(binaries);
    payload.text(
        "main",
        "mkfs.ext4 -q \"$DISK1\" && mount -o discard \"$DISK1\" /scratch && exec demo.sh /scratch\n".into(),
    );
    let outcome = guest.run("demo", &payload, limits, &mut std::io::stdout().lock())?;
    match outcome.status? {
        0 => Ok(()),
        status => bail!(
            "the demo ended with exit status {status}; its log is in {}",
            outcome.results.join("console.log").display()
        ),
    }
}

//! What a guest finds under `/payload`: the project's binaries, the helpers for scripts, and what it shall run.

use crate::{
    command::{cargo, command, output, quote, run},
    workspace,
};
use anyhow::{Context, Result, bail};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

/// Files on their way into a guest.
#[derive(Debug, Default)]
pub(crate) struct Payload {
    /// (source, path under `/payload`), folders with all that is in them.
    copies: Vec<(PathBuf, PathBuf)>,
    texts: Vec<(PathBuf, String)>,
}

impl Payload {
    /// These binaries, everything in `xtask/guest`, and what is shipped beside the binaries.
    pub(crate) fn new(binaries: &[PathBuf]) -> Self {
        let mut payload = Self::default();
        for binary in binaries {
            let name = binary.file_name().map(PathBuf::from).unwrap_or_default();
            payload.copy(binary, Path::new("bin").join(name));
        }
        payload.copy(&workspace::guest(), "");
        payload.copy(&workspace::root().join("packaging"), "packaging");
        payload
    }

    pub(crate) fn copy(&mut self, source: &Path, to: impl Into<PathBuf>) {
        self.copies.push((source.to_owned(), to.into()));
    }

    pub(crate) fn text(&mut self, to: impl Into<PathBuf>, text: String) {
        self.texts.push((to.into(), text));
    }

    /// The program to run: a script of the host with its arguments.
    pub(crate) fn main(&mut self, script: &Path, arguments: &[String]) -> Result<()> {
        let name = script.file_name().with_context(|| format!("{} is no file", script.display()))?;
        let path = Path::new("/payload/script").join(name);
        self.copy(script, Path::new("script").join(name));
        let words: Vec<_> = arguments.iter().map(quote).collect();
        self.text("main", format!("exec {} {}\n", quote(&path), words.join(" ")));
        Ok(())
    }

    /// A read-only disk with all of it.
    pub(super) fn disk(&self, work: &Path) -> Result<PathBuf> {
        let stage = work.join("payload");
        for (source, to) in &self.copies {
            copy(source, &stage.join(to)).with_context(|| format!("cannot hand {} to the guest", source.display()))?;
        }
        for (to, text) in &self.texts {
            fs::write(stage.join(to), text)?;
        }
        let image = work.join("payload.img");
        let mut mkfs = command("mkfs.ext4");
        // Sparse: what is not used takes no space.
        mkfs.args(["-q", "-O", "^has_journal", "-E", "root_owner=0:0", "-d"]).arg(&stage).arg(&image).arg("4G");
        output(&mut mkfs).context("cannot make the payload disk")?;
        fs::remove_dir_all(&stage)?;
        Ok(image)
    }
}

fn copy(source: &Path, to: &Path) -> Result<()> {
    if source.is_dir() {
        fs::create_dir_all(to)?;
        for entry in fs::read_dir(source)? {
            let entry = entry?;
            copy(&entry.path(), &to.join(entry.file_name()))?;
        }
        return Ok(());
    }
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::copy(source, to)?;
    let mut permissions = fs::metadata(to)?.permissions();
    // Scripts are run by name, and whoever wrote one may have forgotten the bit.
    permissions.set_mode(permissions.mode() | 0o555);
    fs::set_permissions(to, permissions)?;
    Ok(())
}

/// What scenarios run: all of `bins/`, and the server that a store needs. That one as the tests have compiled it already:
/// the guest is made of this machine's own distribution, and nobody measures it.
pub(crate) fn build_all() -> Result<Vec<PathBuf>> {
    const SERVER: &str = "s3-server";
    let mut files = build_binaries(&workspace::binaries()?)?;
    // Among all packages, so that what they share is compiled once.
    run(cargo().args(["build", "--workspace", "--bin", SERVER]))?;
    files.push(workspace::target()?.join("debug").join(SERVER));
    Ok(files)
}

/// These binaries in release form, linked statically: the guest's C library may be older than the host's. Without link-time
/// optimisation, which would take a third of the time of a first build and nearly all of every later one.
pub(crate) fn build_binaries<N: AsRef<str>>(names: &[N]) -> Result<Vec<PathBuf>> {
    let triple = workspace::host_triple()?;
    let flags = std::env::var("RUSTFLAGS").unwrap_or_default();
    let mut build = cargo();
    build.env("RUSTFLAGS", format!("{flags} -C target-feature=+crt-static"));
    build.env("CARGO_PROFILE_RELEASE_LTO", "off").env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16");
    build.args(["build", "--release", "--target", &triple]);
    run(build.args(names.iter().flat_map(|name| ["-p", name.as_ref()])))?;
    let folder = workspace::target()?.join(triple).join("release");
    let files: Vec<_> = names.iter().map(|name| folder.join(name.as_ref())).collect();
    if let Some(missing) = files.iter().find(|file| !file.is_file()) {
        bail!("cargo built {} without complaint, and it is not there", missing.display());
    }
    Ok(files)
}

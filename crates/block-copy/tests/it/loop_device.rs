//! A loop device over a temporary file, for tests by root.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Detached on drop.
pub(crate) struct LoopDevice {
    path: PathBuf,
    backing: tempfile::NamedTempFile,
}

impl LoopDevice {
    /// A device with this content and logical block size, in bytes; else the reason why there is none.
    pub(crate) fn new(content: &[u8], block_size: u32) -> Result<Self, String> {
        if !rustix::process::geteuid().is_root() {
            return Err("not root".into());
        }
        let backing = tempfile::Builder::new().prefix("block-copy-test.").tempfile().map_err(|e| e.to_string())?;
        std::fs::write(&backing, content).map_err(|e| e.to_string())?;
        let output = Command::new("losetup")
            .args(["--find", "--show", "--sector-size", &block_size.to_string()])
            .arg(backing.path())
            .output()
            .map_err(|e| format!("losetup: {e}"))?;
        if !output.status.success() {
            return Err(format!("losetup: {}", String::from_utf8_lossy(&output.stderr).trim()));
        }
        let path = String::from_utf8_lossy(&output.stdout).trim().into();
        Ok(Self { path, backing })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn backing(&self) -> &Path {
        self.backing.path()
    }
}

impl Drop for LoopDevice {
    fn drop(&mut self) {
        let detached = Command::new("losetup").arg("--detach").arg(&self.path).status();
        assert!(detached.is_ok_and(|status| status.success()), "{} stays attached", self.path.display());
    }
}

//! How the guest's instructions are run: by the processor where that truly works, else translated.

use super::{
    image::Image,
    machine::{Console, Size, qemu},
};
use anyhow::{Context, Result};
use std::{path::Path, process::Stdio, time::Duration};

/// A guest with nothing to do is up and down in 2 s with KVM. Seen too: `/dev/kvm` is there and the kernel hangs at full load.
const PROBE_LIMIT: Duration = Duration::from_secs(10);

/// What the guest's first program says when asked by `guest.probe`.
const SIGN_OF_LIFE: &str = "guest is up";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Accel {
    Kvm,
    Tcg,
}

impl Accel {
    pub(super) fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Kvm => &["-accel", "kvm", "-cpu", "host"],
            // Without the vector instructions of a newer one, which take longer to emulate than what they save. As soon as the
            // buffer of translated code (MiB) is full, all of it is thrown away.
            Self::Tcg => &["-accel", "tcg,thread=multi,tb-size=2048", "-cpu", "qemu64"],
        }
    }

    /// What the kernel is told of it. Code is translated for the address at which it is mapped: with libraries at random
    /// addresses every process is translated anew, and an LVM command takes more than twice as long.
    pub(super) fn kernel_words(self) -> &'static str {
        match self {
            Self::Kvm => "",
            Self::Tcg => "norandmaps",
        }
    }

    /// Tries KVM once per boot of the host and remembers the answer in the cache folder.
    pub(super) fn of_this_machine(image: &Image, cache: &Path) -> Result<Self> {
        let memory = cache.join("kvm");
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let remembered = std::fs::read_to_string(&memory).unwrap_or_default();
        let works = match remembered.strip_prefix(boot.trim()) {
            Some(answer) if !boot.is_empty() => answer.trim() == "works",
            _ => {
                let works = kvm_works(image);
                let answer = if works { "works" } else { "does not work" };
                eprintln!("vm: KVM {answer} on this machine{}", if works { "" } else { "; the guest is emulated" });
                std::fs::write(&memory, format!("{} {answer}\n", boot.trim()))
                    .with_context(|| format!("cannot write {}", memory.display()))?;
                works
            }
        };
        Ok(if works { Self::Kvm } else { Self::Tcg })
    }
}

fn kvm_works(image: &Image) -> bool {
    let device = std::fs::File::options().read(true).write(true).open("/dev/kvm");
    if device.is_err() {
        return false;
    }
    eprintln!("vm: trying whether KVM works here (at most {} s)", PROBE_LIMIT.as_secs());
    let size = Size { cpus: 1, memory_mib: 512 };
    let mut probe = qemu(image, Accel::Kvm, size, &[], Console::Log, "guest.probe", Some(PROBE_LIMIT));
    let output = probe.stdin(Stdio::null()).output();
    output.is_ok_and(|output| output.status.success() && String::from_utf8_lossy(&output.stdout).contains(SIGN_OF_LIFE))
}

//! The emulated machine: one command line of QEMU.

use super::{accel::Accel, image::Image};
use crate::command::command;
use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

#[cfg(target_arch = "aarch64")]
mod arch {
    pub(crate) const EMULATOR: &str = "qemu-system-aarch64";
    pub(crate) const PACKAGE: &str = "qemu-system-arm";
    pub(super) const MACHINE: &[&str] = &["-M", "virt"];
    pub(super) const CONSOLE: &str = "ttyAMA0";
}

#[cfg(not(target_arch = "aarch64"))]
mod arch {
    pub(crate) const EMULATOR: &str = "qemu-system-x86_64";
    pub(crate) const PACKAGE: &str = "qemu-system-x86";
    pub(super) const MACHINE: &[&str] = &[];
    pub(super) const CONSOLE: &str = "ttyS0";
}

pub(crate) use arch::{EMULATOR, PACKAGE};

/// A disk beside the root disk; the guest knows it by its serial.
#[derive(Debug)]
pub(crate) struct Disk {
    pub(crate) serial: &'static str,
    pub(crate) file: PathBuf,
    pub(crate) read_only: bool,
}

/// Which way standard input and output are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Console {
    /// Output only.
    Log,
    /// A person at a terminal: Ctrl-C goes to the guest, Ctrl-A X ends it.
    Interactive,
}

/// How much of the host one guest gets.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Size {
    pub(crate) cpus: u32,
    pub(crate) memory_mib: u32,
}

/// A guest's QEMU, ended after `limit` even when this process is gone by then.
pub(crate) fn qemu(
    image: &Image,
    accel: Accel,
    size: Size,
    disks: &[Disk],
    console: Console,
    kernel_words: &str,
    limit: Option<Duration>,
) -> Command {
    let mut qemu = match limit {
        Some(limit) => {
            // Also when this process is killed. In the foreground: Ctrl-C must reach QEMU as well.
            let mut timeout = command("setpriv");
            timeout.args([
                "--pdeathsig",
                "TERM",
                "timeout",
                "--foreground",
                "--kill-after=5",
                &limit.as_secs().to_string(),
                EMULATOR,
            ]);
            timeout
        }
        None => command(EMULATOR),
    };
    qemu.args(arch::MACHINE).args(accel.arguments());
    qemu.args(["-smp", &size.cpus.to_string(), "-m", &size.memory_mib.to_string()]);
    qemu.args(["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]);
    match console {
        Console::Log => qemu.args(["-serial", "stdio"]),
        Console::Interactive => {
            qemu.args(["-chardev", "stdio,id=console,mux=on,signal=off", "-serial", "chardev:console"])
        }
    };
    let root = image.root_device();
    qemu.arg("-kernel").arg(image.kernel());
    qemu.args([
        "-append",
        &format!(
            "console={} quiet panic=-1 mitigations=off no_timer_check root={} rw init=/guest-init {} {kernel_words}",
            arch::CONSOLE,
            root.node,
            accel.kernel_words()
        ),
    ]);
    // What a guest writes to the root disk goes to a nameless temporary file: the image is shared.
    qemu.arg("-drive").arg(drive("root", &image.disk(), ",snapshot=on"));
    qemu.args(["-device", &format!("{},drive=root,serial=root", root.device)]);
    for disk in disks {
        let options = if disk.read_only { ",readonly=on" } else { ",discard=unmap" };
        qemu.arg("-drive").arg(drive(disk.serial, &disk.file, options));
        qemu.args(["-device", &format!("virtio-blk-pci,drive={0},serial={0}", disk.serial)]);
    }
    qemu
}

/// `cache=unsafe`: no guest outlives its host's page cache, so that a flush need not wait for the host's disk.
fn drive(id: &str, file: &Path, options: &str) -> OsString {
    let mut drive = OsString::from(format!("if=none,format=raw,cache=unsafe,id={id}{options},file="));
    // A comma ends a value; doubled it is a comma.
    drive.push(file.to_string_lossy().replace(',', ",,"));
    drive
}

//! The guest's kernel and root disk, made once from the distribution's own packages.

use super::sources;
use crate::{
    command::{command, find, output, run},
    setup::is_root,
};
use anyhow::{Context, Result, bail};
use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
};

/// What the scenarios need, beside the kernel.
const PACKAGES: &str = "lvm2,thin-provisioning-tools,e2fsprogs,xfsprogs,udev,kmod,procps,strace,zstd,util-linux,mount,\
    python3-minimal,diffutils,coreutils,iproute2,openssh-server,openssh-client,fsarchiver,btrfs-progs,systemd,prometheus";

/// Its first program: the least that finds the payload, where the rest is, so that the image need not be made anew for it.
const FIRST_PROGRAM: &str = include_str!("../../guest/first.sh");

/// A finished image in its own folder.
#[derive(Debug)]
pub(crate) struct Image {
    folder: PathBuf,
    root: &'static RootDevice,
}

/// A disk that the kernel finds without any module, so that the guest needs no initrd (8 of 12 s of a boot).
#[derive(Debug)]
pub(crate) struct RootDevice {
    option: &'static str,
    /// QEMU's name for it.
    pub(super) device: &'static str,
    /// The kernel's name for it.
    pub(super) node: &'static str,
}

/// Debian's cloud kernel has the first built in, Ubuntu's kernels the second.
const ROOT_DEVICES: [RootDevice; 2] = [
    RootDevice { option: "CONFIG_BLK_DEV_NVME=y", device: "nvme", node: "/dev/nvme0n1" },
    RootDevice { option: "CONFIG_VIRTIO_BLK=y", device: "virtio-blk-pci", node: "/dev/vda" },
];

impl Image {
    pub(super) fn kernel(&self) -> PathBuf {
        self.folder.join("kernel")
    }

    pub(super) fn disk(&self) -> PathBuf {
        self.folder.join("root.img")
    }

    pub(super) fn root_device(&self) -> &RootDevice {
        self.root
    }

    /// The image in the cache folder, made when it is not there. Waits while another process makes it.
    pub(super) fn ensure(cache: &Path, afresh: bool) -> Result<Self> {
        fs::create_dir_all(cache).with_context(|| format!("cannot make {}", cache.display()))?;
        let recipe = Recipe::of_this_machine()?;
        let folder = cache.join(format!("image-{:016x}", recipe.key()));
        let lock = fs::File::create(cache.join("lock")).context("cannot make the lock of the guest's image")?;
        lock.lock().context("cannot lock the guest's image")?;
        if afresh || !folder.is_dir() {
            recipe.make(cache, &folder)?;
        }
        let config = folder.join("config");
        let config = fs::read_to_string(&config).with_context(|| format!("cannot read {}", config.display()))?;
        let root = ROOT_DEVICES.iter().find(|device| config.lines().any(|line| line == device.option));
        let root =
            root.context("the guest's kernel has neither NVMe nor virtio disks built in: it cannot find its root")?;
        Ok(Self { folder, root })
    }
}

/// All that an image depends on.
#[derive(Hash)]
struct Recipe {
    suite: String,
    sources: String,
    packages: String,
    first_program: &'static str,
}

impl Recipe {
    fn of_this_machine() -> Result<Self> {
        let sources = sources::of_this_machine()?;
        let packages = format!("{PACKAGES},{}", sources.kernel_package());
        Ok(Self { suite: sources.suite.clone(), sources: sources.list(), packages, first_program: FIRST_PROGRAM })
    }

    fn key(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        hasher.finish()
    }

    /// Made under another name and renamed when whole: an interrupted build is never taken for an image.
    fn make(&self, cache: &Path, folder: &Path) -> Result<()> {
        eprintln!("vm: making the guest's root disk (1 to 3 minutes, once)");
        let work = cache.join("image.tmp");
        remove(&work)?;
        fs::create_dir(&work).with_context(|| format!("cannot make {}", work.display()))?;
        self.bootstrap(&work)?;
        self.disk(&work)?;
        for entry in fs::read_dir(cache)?.filter_map(Result::ok) {
            if entry.file_name().to_string_lossy().starts_with("image-") {
                remove(&entry.path())?;
            }
        }
        fs::rename(&work, folder).with_context(|| format!("cannot rename {}", work.display()))
    }

    fn bootstrap(&self, work: &Path) -> Result<()> {
        let list = work.join("sources.list");
        fs::write(&list, &self.sources)?;
        let log = work.join("bootstrap.log");
        let mut mmdebstrap = command("mmdebstrap");
        // The guest boots without an initrd; making one would take longer than all the rest.
        mmdebstrap.env("INITRD", "No").stdin(std::process::Stdio::null()).stderr(fs::File::create(&log)?);
        mmdebstrap.args(["--variant=essential", "--format=tar", &format!("--include={}", self.packages)]);
        for path in ["doc", "man", "locale", "info"] {
            mmdebstrap.arg(format!("--dpkgopt=path-exclude=/usr/share/{path}/*"));
        }
        for option in sources::apt_options()? {
            mmdebstrap.arg(format!("--aptopt={option}"));
        }
        mmdebstrap.arg(&self.suite).arg(work.join("root.tar")).arg(&list);
        let Err(error) = run(&mut mmdebstrap) else { return Ok(()) };
        let log = fs::read_to_string(&log).unwrap_or_default();
        let tail: Vec<_> = log.lines().rev().take(15).collect();
        let tail = tail.into_iter().rev().collect::<Vec<_>>().join("\n");
        Err(error.context(format!("the guest's root file system could not be made:\n{tail}")))
    }

    /// A disk image from the archive, without mounting anything; an ordinary user keeps the owners by fakeroot.
    fn disk(&self, work: &Path) -> Result<()> {
        fs::write(work.join("guest-init"), self.first_program)?;
        const SCRIPT: &str = "set -e; mkdir root; tar -xf root.tar -C root; rm root.tar
            install -m 755 guest-init root/guest-init; mkdir -p root/payload root/results root/scratch
            cp root/boot/vmlinuz-* kernel; cp root/boot/config-* config
            mkfs.ext4 -q -F -O ^has_journal -d root root.img 2G
            rm -r root";
        let mut shell = if is_root() { command("sh") } else { command("fakeroot") };
        if !is_root() {
            shell.arg("sh");
        }
        let path = find("mkfs.ext4").and_then(|mkfs| mkfs.parent().map(Path::to_owned)).context("no mkfs.ext4")?;
        let path = format!("{}:{}", std::env::var("PATH").unwrap_or_default(), path.display());
        output(shell.args(["-c", SCRIPT]).env("PATH", path).current_dir(work))
            .context("cannot make the guest's disk")?;
        if !work.join("kernel").is_file() {
            bail!("the guest's root file system has no kernel");
        }
        Ok(())
    }
}

fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}

//! What is run.

use std::ffi::{OsStr, OsString};
use std::fmt;

/// How much a program may be given to read: what a pipe takes at once, so that nobody waits (pipe(7)).
pub const MAX_INPUT: usize = 4096;

macro_rules! programs {
    ($($name:ident = $file:literal in $package:literal),+ $(,)?) => {
        /// Every program that this crate runs.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[non_exhaustive]
        pub enum Program {
            $(#[doc = concat!("`", $file, "`, Debian package `", $package, "`.")] $name,)+
        }

        impl Program {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The file's name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $file),+ }
            }

            /// The package that brings it, in Debian and what is made from Debian.
            #[must_use]
            pub const fn package(self) -> &'static str {
                match self { $(Self::$name => $package),+ }
            }
        }
    };
}

programs! {
    Lvs = "lvs" in "lvm2",
    Vgs = "vgs" in "lvm2",
    Lvcreate = "lvcreate" in "lvm2",
    Lvchange = "lvchange" in "lvm2",
    Lvremove = "lvremove" in "lvm2",
    Lvrename = "lvrename" in "lvm2",
    Lvresize = "lvresize" in "lvm2",
    Pvs = "pvs" in "lvm2",
    Pvcreate = "pvcreate" in "lvm2",
    Pvchange = "pvchange" in "lvm2",
    Pvremove = "pvremove" in "lvm2",
    Pvresize = "pvresize" in "lvm2",
    Vgextend = "vgextend" in "lvm2",
    Vgreduce = "vgreduce" in "lvm2",
    Vgchange = "vgchange" in "lvm2",
    Lvmdevices = "lvmdevices" in "lvm2",
    Lvmconfig = "lvmconfig" in "lvm2",
    Losetup = "losetup" in "mount",
    Mount = "mount" in "mount",
    Umount = "umount" in "mount",
    Blkid = "blkid" in "util-linux",
    Dmsetup = "dmsetup" in "dmsetup",
    ThinDelta = "thin_delta" in "thin-provisioning-tools",
    ThinDump = "thin_dump" in "thin-provisioning-tools",
    Udevadm = "udevadm" in "udev",
    Fsfreeze = "fsfreeze" in "util-linux",
    Flock = "flock" in "util-linux",
    Lvextend = "lvextend" in "lvm2",
    Setpriv = "setpriv" in "util-linux",
    Fsarchiver = "fsarchiver" in "fsarchiver",
    E2fsck = "e2fsck" in "e2fsprogs",
    XfsRepair = "xfs_repair" in "xfsprogs",
    AptGet = "apt-get" in "apt",
    Dnf = "dnf" in "dnf",
    Zypper = "zypper" in "zypper",
}

impl Program {
    /// Whether it is one of LVM's own commands, which all take the same settings.
    #[must_use]
    pub const fn is_lvm(self) -> bool {
        matches!(
            self,
            Self::Lvs
                | Self::Vgs
                | Self::Pvs
                | Self::Lvcreate
                | Self::Lvchange
                | Self::Lvremove
                | Self::Lvrename
                | Self::Lvresize
                | Self::Lvextend
                | Self::Pvcreate
                | Self::Pvchange
                | Self::Pvremove
                | Self::Pvresize
                | Self::Vgextend
                | Self::Vgreduce
                | Self::Vgchange
                | Self::Lvmdevices
                | Self::Lvmconfig
        )
    }

    /// Whether killing it leaves nothing but a broken-off output: it only reads, waits, or works for us alone. Any other
    /// program is waited for, since one that is killed while it changes a volume leaves a device suspended.
    #[must_use]
    pub const fn may_be_killed(self) -> bool {
        matches!(self, Self::ThinDelta | Self::ThinDump | Self::Flock | Self::Setpriv | Self::Fsarchiver)
    }

    /// Whether it is to outlive whoever started it and died: it thaws then what that had frozen.
    #[must_use]
    pub const fn outlives(self) -> bool {
        matches!(self, Self::Flock)
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A program and its arguments, as a list: no shell ever sees them.
///
/// Its `Display` is the command line as one would type it, quoted for a POSIX shell where needed.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Command {
    program: Program,
    args: Vec<OsString>,
    input: Input,
}

/// What a program reads. It may be a secret, so that it is never shown.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
struct Input(Vec<u8>);

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl Command {
    /// The program without arguments.
    #[must_use]
    pub const fn new(program: Program) -> Self {
        Self { program, args: Vec::new(), input: Input(Vec::new()) }
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// Adds several arguments.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// What it reads on its standard input: a password, say. At most [`MAX_INPUT`] bytes, the rest is not handed over. No
    /// message, log or transcript ever shows it.
    #[must_use]
    pub fn input(mut self, bytes: &[u8]) -> Self {
        self.input = Input(bytes[..bytes.len().min(MAX_INPUT)].to_vec());
        self
    }

    /// The same.
    pub(super) fn input_bytes(&self) -> &[u8] {
        &self.input.0
    }

    /// The program.
    #[must_use]
    pub const fn program(&self) -> Program {
        self.program
    }

    /// The arguments.
    #[must_use]
    pub fn arguments(&self) -> &[OsString] {
        &self.args
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.program.name())?;
        for arg in &self.args {
            let arg = arg.to_string_lossy();
            let plain = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./-".contains(c);
            if !arg.is_empty() && arg.chars().all(plain) {
                write!(f, " {arg}")?;
            } else {
                write!(f, " '{}'", arg.replace('\'', r"'\''"))?;
            }
        }
        Ok(())
    }
}

//! How errors look to a person: the whole text.

use std::io;

use block_copy::Op;
use cli::Failure;
use extents::{Bytes, ChunkSize, Extent};
use hyperlayer::{Header, LayerId, Totals};
use lvm_cmd::{Command, ExecError, LvRef, PoolMode, Program, ReportError, Scripted, VolumeError};
use transfer::lvm::LvmError;
use transfer::{Error, Incoming};

#[track_caller]
fn looks(error: impl Into<Error>, text: &str) {
    let shown = Failure::from(error.into()).render("lvpatch");
    assert_eq!(shown, text.trim_matches('\n'));
}

fn lv(name: &str) -> LvRef {
    name.parse().unwrap()
}

fn id(text: &str) -> LayerId {
    LayerId::new(text).unwrap()
}

fn stream(bytes: &[u8]) -> Error {
    let incoming = match Incoming::open(bytes) {
        Err(error) => return error,
        Ok(incoming) => incoming,
    };
    incoming.verify(None, block_copy::Queue::default(), &block_copy::Silent).unwrap_err()
}

/// A stream of nothing.
fn empty_layer() -> Vec<u8> {
    let chunk = ChunkSize::from_bytes(Bytes::new(65536)).unwrap();
    let header = Header::full(Bytes::new(1 << 20), chunk, Totals::default());
    let (encoder, mut bytes) = hyperlayer::Encoder::start(&header).unwrap();
    bytes.extend(encoder.finish().unwrap().bytes);
    bytes
}

#[test]
fn streams() {
    let whole = empty_layer();
    looks(
        stream(b""),
        "
lvpatch: there is no stream: the input is empty
lvpatch: hint: look at what the sender says on standard error
",
    );
    looks(
        stream(b"\x1f\x8b\x08rest"),
        "
lvpatch: the stream is refused: at byte 0: expected a stream that begins with `HYPERLAYER/`, found `\\x1f\\x8b\\x08rest`
lvpatch: hint: decompress it first, with `gzip -dc`
",
    );
    looks(
        stream(&whole[..whole.len() - 1]),
        "
lvpatch: the stream is refused: at byte 219: the stream is cut: it ends within a record line
lvpatch: hint: something ended the stream early: look at the sender's exit status and send it again
",
    );
    looks(
        stream(&whole.repeat(2)),
        "
lvpatch: the input holds more than one layer
lvpatch: hint: `lvbackup recv` takes a chain of layers; here one is taken
",
    );
}

#[test]
fn bases() {
    looks(
        Error::WrongBase { base: "vg1/monday".into(), expected: id("abc-1"), found: vec![id("def-2"), id("old-3")] },
        "
lvpatch: `vg1/monday` is not the stream's base: the stream was made against layer abc-1, `vg1/monday` is layer def-2 or old-3
lvpatch: hint: if you know that it holds that layer, tag it: `lvchange -pr --addtag hyperlayer.layer=abc-1 VG/LV`, or say so of an image: `--base-id abc-1`; or use `--force-base`, which leaves only the stream's checks
",
    );
    looks(Error::WrongBase { base: "old.img".into(), expected: id("abc-1"), found: Vec::new() }, "
lvpatch: `old.img` is not the stream's base: the stream was made against layer abc-1, `old.img` is of no known layer
lvpatch: hint: if you know that it holds that layer, tag it: `lvchange -pr --addtag hyperlayer.layer=abc-1 VG/LV`, or say so of an image: `--base-id abc-1`; or use `--force-base`, which leaves only the stream's checks
");
    looks(
        Error::BaseWritable { base: "vg1/monday".into(), expected: id("abc-1") },
        "
lvpatch: `vg1/monday` was layer abc-1, but it is writable and may have changed since
lvpatch: hint: if you know that nobody wrote to it: `lvchange -pr vg1/monday`; or use `--force-base`, which leaves only the stream's checks (`lvdiff -d 3` checks every block)
",
    );
    looks(
        Error::BaseInUse { base: "vg1/monday".into() },
        "
lvpatch: `vg1/monday` is writable and in use
lvpatch: hint: unmount it, or apply on a snapshot that has not changed
",
    );
    looks(
        Error::BaseSize { base: "vg1/monday".into(), expected: Bytes::new(1 << 30), found: Bytes::new(512) },
        "
lvpatch: `vg1/monday` has 512 bytes, the volume that the stream was made against had 1073741824
",
    );
    let extent = Extent::new(Bytes::new(65536), Bytes::new(65536)).unwrap();
    looks(
        Error::BaseChanged { extent },
        "
lvpatch: the base differs from the one that the stream was made against, in bytes 65536..131072
lvpatch: hint: apply it on an unchanged copy of the base, or send a full layer
",
    );
    looks(
        Error::FullLayer { base: "vg1/monday".into() },
        "
lvpatch: the stream is a full layer, which replaces everything, and was to be applied on `vg1/monday`
lvpatch: hint: give no base, but the pool for a new volume: `-p POOL`; or only the file for an image
",
    );
    looks(
        Error::NeedsBase { parent: Some(id("abc-1")) },
        "
lvpatch: the stream is a delta and needs its base, layer abc-1
lvpatch: hint: name what it was made against: `lvpatch -l BASE`, `lvbackup recv --base BASE`, `--base FILE` for an image
",
    );
}

#[test]
fn pools_and_volumes() {
    looks(
        LvmError::PoolFull {
            pool: lv("vg1/pool0"),
            what: "data",
            needed: Bytes::new(3 << 29),
            free: Bytes::new(65536),
        },
        "
lvpatch: pool `vg1/pool0` is too full: the layer may need 1.5 GiB (1610612736 bytes) of data space, free are 64.0 KiB (65536 bytes)
lvpatch: hint: run `lvextend -L +SIZE vg1/pool0`, or remove old snapshots
",
    );
    looks(
        LvmError::PoolFull {
            pool: lv("vg1/pool0"),
            what: "metadata",
            needed: Bytes::new(1 << 20),
            free: Bytes::new(4096),
        },
        "
lvpatch: pool `vg1/pool0` is too full: the layer may need 1.0 MiB (1048576 bytes) of metadata space, free are 4.0 KiB (4096 bytes)
lvpatch: hint: run `lvextend --poolmetadatasize +SIZE vg1/pool0`
",
    );
    looks(
        LvmError::PoolNotWritable { pool: lv("vg1/pool0"), mode: PoolMode::ReadOnly },
        "
lvpatch: pool `vg1/pool0` takes no writes now (read-only)
lvpatch: hint: look at `lvs -a vg1/pool0`; extend it with `lvextend`
",
    );
    looks(
        LvmError::NeedsCheck { pool: lv("vg1/pool0") },
        "
lvpatch: the metadata of pool `vg1/pool0` must be checked and repaired first
lvpatch: hint: deactivate it and run `lvconvert --repair vg1/pool0`
",
    );
    looks(LvmError::Live { name: lv("vg0/data"), in_use: true }, "
lvpatch: `vg0/data` may change while it is read: it is writable, active, in use
lvpatch: hint: make a snapshot and send that: `lvcreate -s -pr -n NAME vg0/data`; or let `--snapshot` make one for this run; or, where nobody writes to it, `lvchange -pr vg0/data`
");
    looks(
        LvmError::Exists { name: lv("vg1/tuesday") },
        "
lvpatch: `vg1/tuesday` exists already
lvpatch: hint: give another name, or remove it: `lvremove vg1/tuesday`
",
    );
    looks(
        LvmError::OddSize { vg: "vg1".parse().unwrap(), size: Bytes::new(1000), found: Bytes::new(4096) },
        "
lvpatch: a volume of 1000 bytes cannot be in group `vg1`: its extents make it 4096
lvpatch: hint: receive it in a group with smaller extents (`vgchange -s`)
",
    );
}

fn refused(action: &'static str) -> VolumeError {
    let exec = Scripted::from_transcript("$ lvrename vg1 a b\n!   Something is wrong.\n= 5\n").unwrap();
    let source = lvm_cmd::Executor::run(&exec, &Command::new(Program::Lvrename).args(["vg1", "a", "b"])).unwrap_err();
    VolumeError::Refused { action, name: lv("vg1/hyperlayer-17-1"), in_use: false, list: None, source }
}

/// What failed first, what is left, and the command that removes it.
#[test]
fn leftovers() {
    let left = LvmError::Leftover { name: lv("vg1/hyperlayer-17-1"), source: refused("remove") };
    looks(Error::AndLeft { cause: Box::new(refused("rename").into()), left: Box::new(left.into()) }, "
lvpatch: `vg1/hyperlayer-17-1` is left, a volume that is not whole: cannot remove `vg1/hyperlayer-17-1`: `lvrename vg1 a b` exited with status 5: Something is wrong.; it was to be undone because of: cannot rename `vg1/hyperlayer-17-1`: `lvrename vg1 a b` exited with status 5: Something is wrong.
lvpatch: hint: remove it: `lvremove vg1/hyperlayer-17-1`
");
    let tag = "hyperlayer.receiving=tuesday".parse().unwrap();
    looks(LvmError::TagLeft { name: lv("vg1/tuesday"), tag, source: refused("change") }, "
lvpatch: `vg1/tuesday` is whole, but keeps the tag `hyperlayer.receiving=tuesday`: cannot change `vg1/hyperlayer-17-1`: `lvrename vg1 a b` exited with status 5: Something is wrong.
lvpatch: hint: take the tag away: `lvchange --deltag hyperlayer.receiving=tuesday vg1/tuesday`
");
}

#[test]
fn the_system() {
    let full = io::Error::from_raw_os_error(28);
    let extent = Extent::new(Bytes::new(4096), Bytes::new(1 << 20));
    looks(
        block_copy::Error::system(Op::Write, "/dev/mapper/vg1-x".as_ref(), extent, full),
        "
lvpatch: cannot write `/dev/mapper/vg1-x` at bytes 4096..1052672: No space left on device (os error 28)
",
    );
    looks(
        Error::Output(io::Error::from_raw_os_error(32)),
        "
lvpatch: cannot write the stream: Broken pipe (os error 32)
",
    );
    let source = io::Error::from_raw_os_error(5);
    let unsynced = block_copy::Error::NotDurable { name: "backup/x.hl".into(), folder: "backup".into(), source };
    assert_eq!(Error::from(unsynced).kind(), transfer::ErrorKind::Unfinished);
    let source = io::Error::from_raw_os_error(5);
    let unsynced = block_copy::Error::NotDurable { name: "backup/x.hl".into(), folder: "backup".into(), source };
    looks(
        unsynced,
        "
lvpatch: `backup/x.hl` is complete, but a power failure may take its name: cannot sync `backup`: Input/output error (os error 5)
lvpatch: hint: look at the disk, then make the name durable: `sync backup`
",
    );
    let missing = ExecError::Missing { program: Program::ThinDelta, searched: "/usr/sbin, /usr/bin".into() };
    looks(
        missing,
        "
lvpatch: program `thin_delta` not found in /usr/sbin, /usr/bin; it is in the Debian package `thin-provisioning-tools`
",
    );
    let exec = Scripted::from_transcript("$ lvs\n!   Volume group \"vg9\" not found\n= 5\n").unwrap();
    let source = lvm_cmd::Executor::run(&exec, &Command::new(Program::Lvs)).unwrap_err();
    looks(
        ReportError::List { what: "the volumes of group `vg9`".into(), source },
        "
lvpatch: cannot list the volumes of group `vg9`: `lvs` exited with status 5: Volume group \"vg9\" not found
",
    );
}

/// Names come from streams: what they hold does not reach the terminal.
#[test]
fn names_of_strangers() {
    looks(
        Error::FullLayer { base: "a\u{1b}[2Jb\rc\nd".into() },
        "
lvpatch: the stream is a full layer, which replaces everything, and was to be applied on `a\\u{1b}[2Jb\\rc
  d`
lvpatch: hint: give no base, but the pool for a new volume: `-p POOL`; or only the file for an image
",
    );
}

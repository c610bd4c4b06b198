//! The tools on images and streams in memory.

use crate::{
    command::{output, run},
    workspace,
};
use anyhow::{Context, Result, bail};
use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// The images' size and their chunk, in bytes.
const IMAGE_BYTES: u64 = 1 << 30;
const CHUNK_BYTES: u64 = 64 << 10;
/// How often each command runs; the median counts.
const RUNS: usize = 5;

/// A folder in memory where there is one, so that no disk is measured.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Self> {
        let memory = Path::new("/dev/shm");
        let parent = if memory.is_dir() { memory.to_owned() } else { workspace::cache() };
        let folder = parent.join(format!("hyperlayer-bench-{}", std::process::id()));
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(Self(folder))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What happened to a chunk of the new image.
#[derive(Clone, Copy, PartialEq)]
enum Chunk {
    Same,
    Changed,
    Unmapped,
}

/// A quarter of the chunks changed, scattered as a file system would; some are gone.
fn chunk(number: u64) -> Chunk {
    match number % 16 {
        1 | 5 | 6 | 13 => Chunk::Changed,
        9 => Chunk::Unmapped,
        _ => Chunk::Same,
    }
}

/// Runs them.
pub(super) fn bench(binaries: &[PathBuf]) -> Result<()> {
    let folder = Folder::new()?;
    println!("== the tools on images of 1 GiB in {}", folder.0.display());
    let changed = make_images(&folder.0)?;
    let bin = binaries.first().and_then(|binary| binary.parent()).context("there are no binaries")?;
    let time = |what: &str, bytes: u64, script: &str| -> Result<f64> {
        let seconds = median(bin, &folder.0, script).with_context(|| format!("measuring {what}"))?;
        let rate = mb(bytes) / seconds;
        println!("{what:<54} {seconds:>7.3} s {rate:>7.0} MB/s");
        Ok(seconds)
    };
    let ratios = |seconds: f64, against: &[(&str, f64)]| {
        let texts: Vec<_> = against.iter().map(|(name, other)| format!("{:.2} of {name}", seconds / other)).collect();
        println!("{:<54} {}", "", texts.join(", "));
    };

    println!("-- the changed {:.0} MB as one file, what any program must at least do", mb(changed));
    let dd = time("dd bs=1M | cat", changed, "dd if=changed bs=1M status=none | cat > /dev/null")?;
    let cat = time("cat | cat", changed, "cat changed | cat > /dev/null")?;
    let sha1 = time("sha1sum", changed, "sha1sum changed > /dev/null")?;
    let baseline = [("dd", dd), ("cat", cat), ("sha1sum", sha1)];
    println!("-- lvdiff of these changes");
    for (what, options) in [
        ("lvdiff -d 0 --delta | cat", "-d 0 --delta xml"),
        ("lvdiff --delta | cat", "--delta xml"),
        ("lvdiff -d 3 --delta | cat", "-d 3 --delta xml"),
        ("lvdiff --format 1.0 --delta | cat", "--format 1.0 --delta xml"),
    ] {
        let script = format!("lvdiff -q {options} ./new ./base | cat > /dev/null");
        ratios(time(what, changed, &script)?, &baseline);
    }
    println!("-- both images whole, compared");
    run(&mut shell(bin, &folder.0, "cp base copy"))?;
    let cmp = time("cmp base copy", 2 * IMAGE_BYTES, "cmp base copy")?;
    let both = time("sha1sum new base", 2 * IMAGE_BYTES, "sha1sum new base > /dev/null")?;
    let scan = time("lvdiff --scan | cat", 2 * IMAGE_BYTES, "lvdiff -q --scan ./new ./base | cat > /dev/null")?;
    ratios(scan, &[("cmp", cmp), ("sha1sum of both", both)]);
    println!("-- lvpatch: a copy of the base with the changes in it, durable");
    run(&mut shell(bin, &folder.0, "lvdiff -q --delta xml ./new ./base > delta.hl 2> /dev/null"))?;
    let copy = "cp --sparse=never base out && dd if=changed of=out bs=1M conv=notrunc,fsync status=none; rm out";
    let copied = time("cp, then dd conv=notrunc,fsync", IMAGE_BYTES + changed, copy)?;
    let patch = "lvpatch -q --base base --force-base --output out < delta.hl; rm out";
    ratios(time("lvpatch --base --output", IMAGE_BYTES + changed, patch)?, &[("cp and dd", copied)]);
    println!("-- a full layer");
    let dd = time(
        "dd bs=1M | dd conv=fsync",
        IMAGE_BYTES,
        "dd if=new bs=1M status=none | dd of=out bs=1M conv=fsync status=none; rm out",
    )?;
    let sha1 = time("sha1sum", IMAGE_BYTES, "sha1sum new > /dev/null")?;
    let full = "lvdiff -q --full ./new 2> /dev/null | lvpatch -q --output out; rm out";
    ratios(time("lvdiff --full | lvpatch", IMAGE_BYTES, full)?, &[("dd", dd), ("sha1sum", sha1)]);
    println!("-- lvbackup, a full layer of the base and the delta");
    run(&mut shell(bin, &folder.0, "rm copy; lvdiff -q --full ./base > full.hl 2> /dev/null"))?;
    let read = time("dd bs=1M | cat", IMAGE_BYTES, "dd if=new bs=1M status=none | cat > /dev/null")?;
    let sha256 = time("sha256sum", IMAGE_BYTES, "sha256sum new > /dev/null")?;
    let zstd = time("zstd -T0 | cat", IMAGE_BYTES, "zstd -q -T0 -c new | cat > /dev/null")?;
    let reading = [("dd", read), ("sha256sum", sha256)];
    let writing = [("dd conv=fsync", dd), ("sha256sum", sha256)];
    let both = IMAGE_BYTES + changed;
    ratios(time("verify", both, "lvbackup -q verify full.hl delta.hl > /dev/null")?, &reading);
    ratios(time("merge | cat", both, "lvbackup -q merge full.hl delta.hl 2> /dev/null | cat > /dev/null")?, &reading);
    let merge = "lvbackup -q merge --compress zstd full.hl delta.hl 2> /dev/null | cat > /dev/null";
    ratios(time("merge --compress zstd | cat", both, merge)?, &[("zstd", zstd)]);
    ratios(time("compare IMAGE STREAM", IMAGE_BYTES, "lvbackup -q compare base full.hl > /dev/null")?, &reading);
    ratios(time("recv --to-file", IMAGE_BYTES, "lvbackup -q recv --to-file out -i full.hl; rm out")?, &writing);
    let chain = "lvbackup -q recv --to-file out -i full.hl -i delta.hl; rm out";
    ratios(time("recv --to-file, of both", both, chain)?, &writing);
    Ok(())
}

/// The median wall time of a script of the shell, in seconds.
fn median(bin: &Path, folder: &Path, script: &str) -> Result<f64> {
    let mut times = Vec::with_capacity(RUNS);
    for _ in 0..=RUNS {
        let started = Instant::now();
        output(&mut shell(bin, folder, script))?;
        times.push(started.elapsed());
    }
    // The first one warms up.
    times.remove(0);
    times.sort_unstable();
    Ok(times.get(RUNS / 2).map_or(0.0, Duration::as_secs_f64))
}

fn shell(bin: &Path, folder: &Path, script: &str) -> Command {
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
    let mut command = Command::new("bash");
    command.args(["-e", "-o", "pipefail", "-c", script]).env("PATH", path).current_dir(folder).stdin(Stdio::null());
    command
}

/// Writes `base`, `new`, `changed` (what of `new` changed, one after the other) and `xml`; returns the length of `changed`
/// in bytes.
fn make_images(folder: &Path) -> Result<u64> {
    let create = |name: &str| -> Result<BufWriter<File>> {
        let path = folder.join(name);
        let file = File::create(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(BufWriter::with_capacity(1 << 20, file))
    };
    let (mut base, mut new, mut changed) = (create("base")?, create("new")?, create("changed")?);
    let mut noise = Noise(0x9E37_79B9_7F4A_7C15);
    let mut changed_bytes = 0;
    for number in 0..IMAGE_BYTES / CHUNK_BYTES {
        let before = noise.chunk();
        base.write_all(&before)?;
        match chunk(number) {
            Chunk::Same => new.write_all(&before)?,
            Chunk::Unmapped => new.write_all(&vec![0; before.len()])?,
            Chunk::Changed => {
                let after = noise.chunk();
                new.write_all(&after)?;
                changed.write_all(&after)?;
                changed_bytes += CHUNK_BYTES;
            }
        }
    }
    for mut file in [base, new, changed] {
        file.flush()?;
    }
    write_xml(create("xml")?)?;
    if changed_bytes == 0 {
        bail!("nothing has changed");
    }
    Ok(changed_bytes)
}

/// As `thin_delta --snap1 BASE --snap2 NEW` prints it.
fn write_xml(mut xml: impl Write) -> Result<()> {
    let sectors = CHUNK_BYTES / 512;
    writeln!(
        xml,
        "<superblock uuid=\"\" time=\"2\" transaction=\"3\" data_block_size=\"{sectors}\" nr_data_blocks=\"0\">\n  \
         <diff left=\"1\" right=\"2\">"
    )?;
    let mut number = 0;
    let count = IMAGE_BYTES / CHUNK_BYTES;
    while number < count {
        let kind = chunk(number);
        let end = (number..count).find(|next| chunk(*next) != kind).unwrap_or(count);
        let name = match kind {
            Chunk::Same => "same",
            Chunk::Changed => "different",
            Chunk::Unmapped => "left_only",
        };
        writeln!(xml, "    <{name} begin=\"{number}\" length=\"{}\"/>", end - number)?;
        number = end;
    }
    writeln!(xml, "  </diff>\n</superblock>")?;
    Ok(xml.flush()?)
}

/// Content that no program can make shorter (xorshift64*).
struct Noise(u64);

impl Noise {
    fn chunk(&mut self) -> Vec<u8> {
        (0..CHUNK_BYTES / 8)
            .flat_map(|_| {
                self.0 ^= self.0 >> 12;
                self.0 ^= self.0 << 25;
                self.0 ^= self.0 >> 27;
                self.0.wrapping_mul(0x2545_F491_4F6C_DD1D).to_le_bytes()
            })
            .collect()
    }
}

/// Millions of bytes.
fn mb(bytes: u64) -> f64 {
    #[allow(clippy::cast_precision_loss)]
    let bytes = bytes as f64;
    bytes / 1e6
}

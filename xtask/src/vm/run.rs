//! One guest from power on to power off.

use super::{
    Guest, Limits, Payload,
    machine::{Console, Disk, Size, qemu},
};
use crate::command::{command, line, output};
use anyhow::{Context, Result, bail};
use std::{
    fs,
    io::{Read, Write},
    path::{Path, PathBuf},
    process::Stdio,
};

/// The size of each of the two disks for physical volumes, and of the disk for results. All are sparse.
const DISK_BYTES: u64 = 8 << 30;

/// How a script in the guest ended.
#[derive(Debug)]
#[must_use = "a script may have failed"]
pub(crate) struct Outcome {
    /// Its exit status, or why there is none.
    pub(crate) status: Result<u8>,
    /// A copy of what it left under `/results`.
    pub(crate) results: PathBuf,
}

/// A folder of one run, removed at its end. What a killed process leaves is removed by the next run.
struct Work {
    folder: PathBuf,
    lock: fs::File,
}

impl Work {
    fn new(runs: &Path) -> Result<Self> {
        fs::create_dir_all(runs).with_context(|| format!("cannot make {}", runs.display()))?;
        sweep(runs);
        let number = (0..).find_map(|number: u32| {
            let folder = runs.join(format!("{}-{number}", std::process::id()));
            fs::create_dir(&folder).is_ok().then_some(folder)
        });
        let folder = number.context("no name is free for a run's folder")?;
        let lock = fs::File::create(folder.join("lock"))?;
        lock.lock()?;
        Ok(Self { folder, lock })
    }

    fn sparse(&self, name: &'static str) -> Result<Disk> {
        let file = self.folder.join(name);
        fs::File::create(&file)?.set_len(DISK_BYTES)?;
        Ok(Disk { serial: name, file, read_only: false })
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        let _ = self.lock.unlock();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Removes the folders of processes that are gone.
fn sweep(runs: &Path) {
    for entry in fs::read_dir(runs).into_iter().flatten().filter_map(Result::ok) {
        let name = entry.file_name();
        let process = name.to_string_lossy().split('-').next().unwrap_or_default().to_owned();
        let unlocked = fs::File::open(entry.path().join("lock")).is_ok_and(|lock| lock.try_lock().is_ok());
        if unlocked && !Path::new("/proc").join(process).exists() {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

impl Guest {
    /// Runs the payload's main program, its output passed line by line to `sink`, its results copied to `results/NAME`.
    pub(crate) fn run(&self, name: &str, payload: &Payload, limits: &Limits, sink: &mut dyn Write) -> Result<Outcome> {
        let work = Work::new(&self.cache.join("run"))?;
        let disks = disks(&work, payload)?;
        let mut log = fs::File::create(work.folder.join("console.log"))?;
        let end = loop {
            let mut guest = qemu(&self.image, self.accel, limits.size, &disks, Console::Log, "", Some(limits.time));
            let shown = line(&guest);
            let mut guest = guest
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .spawn()
                .with_context(|| format!("cannot start `{shown}`"))?;
            if let Some(console) = &mut guest.stdout {
                pass_on(console, &mut [sink, &mut log])?;
            }
            let end = guest.wait()?;
            if !cut_its_power(&work)? {
                break end;
            }
        };
        let results = self.collect(&work, name)?;
        let status = match fs::read_to_string(results.join(".status")) {
            Ok(status) => status.trim().parse().context("the guest left no number as its exit status"),
            Err(_) if end.code() == Some(124) => {
                Err(anyhow::anyhow!("the guest was not done after {} s and was stopped", limits.time.as_secs()))
            }
            Err(_) => Err(anyhow::anyhow!(
                "the guest died without an exit status (QEMU: {end}); its console is in {}",
                results.join("console.log").display()
            )),
        };
        Ok(Outcome { status, results })
    }

    /// A person's shell in a guest, on this terminal.
    pub(crate) fn shell(&self, payload: &mut Payload, size: Size) -> Result<()> {
        let terminal = command("stty").arg("size").stdin(Stdio::inherit()).output().ok();
        let terminal = terminal.and_then(|output| String::from_utf8(output.stdout).ok()).unwrap_or_default();
        let (rows, columns) = terminal.trim().split_once(' ').unwrap_or(("24", "80"));
        let name = std::env::var("TERM").unwrap_or_else(|_| "vt100".into());
        payload.text(
            "interactive",
            format!("stty rows {rows} columns {columns} <\"$console\"\nexport TERM={}\n", crate::command::quote(name)),
        );
        let work = Work::new(&self.cache.join("run"))?;
        let disks = disks(&work, payload)?;
        eprintln!("vm: /payload/bin is in PATH, $DISK1 and $DISK2 are empty; `exit` ends it, Ctrl-A X kills it");
        let mut guest = qemu(&self.image, self.accel, size, &disks, Console::Interactive, "", None);
        crate::command::run(&mut guest)?;
        let results = self.collect(&work, "shell")?;
        eprintln!("vm: what was in /results is in {}", results.display());
        Ok(())
    }

    /// Copies the results disk, without mounting it, over what an earlier run of that name left.
    fn collect(&self, work: &Work, name: &str) -> Result<PathBuf> {
        let fresh = work.folder.join("fresh");
        fs::create_dir(&fresh)?;
        let mut debugfs = command("debugfs");
        // It cannot keep the owners as an ordinary user, and says so of each file.
        debugfs.arg("-R").arg(format!("rdump / \"{}\"", fresh.display())).arg(work.folder.join("results"));
        output(&mut debugfs).context("cannot read the results disk")?;
        let _ = fs::remove_dir(fresh.join("lost+found"));
        fs::rename(work.folder.join("console.log"), fresh.join("console.log")).or_else(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Ok(()),
            _ => Err(error),
        })?;
        let results = self.cache.join("results");
        fs::create_dir_all(&results)?;
        let results = results.join(name);
        if results.exists() {
            fs::rename(&results, work.folder.join("old"))?;
        }
        fs::rename(&fresh, &results).with_context(|| format!("cannot fill {}", results.display()))?;
        Ok(results)
    }
}

fn disks(work: &Work, payload: &Payload) -> Result<Vec<Disk>> {
    let payload = Disk { serial: "payload", file: payload.disk(&work.folder)?, read_only: true };
    let results = work.sparse("results")?;
    let mut mkfs = command("mkfs.ext4");
    output(mkfs.args(["-q", "-F", "-O", "^has_journal"]).arg(&results.file)).context("cannot make the results disk")?;
    Ok(vec![payload, results, work.sparse("disk1")?, work.sparse("disk2")?])
}

/// Whether the guest ended by cutting its own power, to be started again with the disks as they are by then.
fn cut_its_power(work: &Work) -> Result<bool> {
    let mut debugfs = command("debugfs");
    debugfs.args(["-R", "cat /.cut"]).arg(work.folder.join("results"));
    Ok(!output(&mut debugfs).context("cannot read the results disk")?.is_empty())
}

/// Copies the guest's console to all sinks as it comes, without the carriage returns of a terminal.
fn pass_on(console: &mut impl Read, sinks: &mut [&mut dyn Write]) -> Result<()> {
    let mut buffer = [0; 4096];
    loop {
        let count = match console.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => bail!("cannot read the guest's console: {error}"),
        };
        let text: Vec<u8> = buffer[..count].iter().copied().filter(|byte| *byte != b'\r').collect();
        for sink in &mut *sinks {
            sink.write_all(&text)?;
            sink.flush()?;
        }
    }
}

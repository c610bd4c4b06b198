//! `lvbackup daemon`, `status` and `alarm` as a user runs them, with a script in place of the runs.

mod alerts;
mod commands;
mod packaging;
mod runs;
mod service;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use testkit::{Finished, Signal, Spawned, Tool, eventually};

/// What a run prints that did its job.
const REPORT: &str = r#"{"pair":"p","layer":"L1","resumed":false,"data_bytes":4096,"wire_bytes":5000,"seconds":0.5}"#;
/// The groups of volumes here are on no machine, so no pool is found.
const JOB: &str = "source = 'hl-no-such-group/a'\ndestination = 'box:vg1/a'\n";

/// A folder with a configuration, a script for its runs, and all that a daemon leaves.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    /// `config` comes after the zone; `runs` is the script that is run for each job.
    fn new(config: &str, runs: &str) -> Self {
        let this = Self { folder: tempfile::tempdir().unwrap() };
        this.write("lvbackup.toml", &format!("zone = 'UTC'\n{config}"));
        this.script("fake", runs);
        this
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// A script for `sh`, which runs in this folder. Returns its path.
    fn script(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        let beside = self.path("script.new");
        fs::write(&beside, format!("#!/bin/sh\ncd {}\n{text}\n", self.folder.path().display())).unwrap();
        fs::set_permissions(&beside, fs::Permissions::from_mode(0o755)).unwrap();
        fs::rename(&beside, &path).unwrap();
        path.display().to_string()
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// How many lines a file has.
    fn lines(&self, name: &str) -> usize {
        self.read(name).lines().count()
    }

    fn until_lines(&self, name: &str, at_least: usize) {
        eventually(&format!("{at_least} lines in {name}"), || (self.lines(name) >= at_least).then_some(()));
    }

    fn tool(&self, args: &[&str]) -> Tool {
        Tool::new("lvbackup", self.folder.path()).args(args)
    }

    fn daemon(&self, more: &[&str]) -> Tool {
        let args = ["daemon", "--config", "lvbackup.toml", "--state-dir", "state", "--runtime-dir", "run"];
        self.tool(&args).args(["--program", "./fake"]).args(more)
    }

    /// A daemon that has begun.
    fn start(&self) -> Spawned {
        // Of the one before.
        let _ = fs::remove_file(self.path("run/status.json"));
        let daemon = self.daemon(&[]).spawn();
        eventually("its first status", || self.path("run/status.json").exists().then_some(()));
        daemon
    }

    fn status(&self) -> serde_json::Value {
        serde_json::from_str(&self.read("run/status.json")).unwrap_or_default()
    }

    fn until_status(&self, what: &str, is: impl Fn(&serde_json::Value) -> bool) {
        eventually(what, || is(&self.status()).then_some(()));
    }
}

/// Ends it as systemd does.
fn stop(daemon: Spawned) -> Finished {
    daemon.signal(Signal::TERM);
    daemon.finish().done()
}

/// Where the files are that packages ship.
fn packaging(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging").join(name)
}

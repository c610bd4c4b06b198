//! The command lines of the two scripts that this program takes over from, as command lines of its own.
//!
//! `lvm_snaphot.py` mounts a snapshot, or unmounts and removes it; `backup-lvm-fsa-snapshot.sh` dumps one. A cron line of
//! theirs works when the program's name is changed in it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{ArgGroup, Parser, ValueEnum};
use lvm_cmd::{LvName, VgName};

/// What only command lines of the scripts have.
const OF_SNAPSHOT: &str = "--source-lvm-vg";
const OF_DUMP: &str = "--source-lvm-volume-group";

/// The scripts' default, in MiB.
const DEFAULT_SIZE_MIB: u64 = 4096;

/// The arguments of `lvsnap`, program's name included: those that were given, but for a command line of the scripts, for
/// which it is what does the same.
///
/// # Errors
/// It is one of the scripts', and a wrong one.
pub(crate) fn translated(given: Vec<OsString>) -> Result<Vec<OsString>, clap::Error> {
    let has = |option: &str| {
        let is = |word: &OsString| {
            word.to_str().is_some_and(|word| word.split_once('=').map_or(word, |(option, _)| option) == option)
        };
        given.iter().skip(1).any(is)
    };
    let words = match (has(OF_SNAPSHOT), has(OF_DUMP)) {
        (true, false) => Snapshot::try_parse_from(&given)?.words(),
        (false, true) => Dump::try_parse_from(&given)?.words(),
        _ => return Ok(given),
    };
    Ok(given.into_iter().take(1).chain(words).collect())
}

/// `lvm_snaphot.py`.
#[derive(Parser, Debug)]
#[command(name = "lvsnap", disable_version_flag = true, about = "With the options of lvm_snaphot.py")]
struct Snapshot {
    /// Make and mount it, or unmount and remove it. The script's own examples leave this out: then `--remove-mountpoint` says
    /// that it is to be removed
    action: Option<Action>,
    /// The origin's volume group
    #[arg(long, value_name = "VG")]
    source_lvm_vg: VgName,
    /// The origin
    #[arg(long, value_name = "LV")]
    source_lvm_lv: LvName,
    /// The snapshot's name
    #[arg(long, value_name = "NAME")]
    lvm_snapshot_name: LvName,
    /// Where it is mounted
    #[arg(long, value_name = "DIR")]
    mountpoint: PathBuf,
    /// Its space, in MiB
    #[arg(long, value_name = "MIB", default_value_t = DEFAULT_SIZE_MIB)]
    lvm_volume_size_mb: u64,
    /// The temporary file for that
    #[arg(long, value_name = "FILE")]
    lvm_snapshot_tmp_file: Option<PathBuf>,
    /// Reserve the file's space, and do not write it
    #[arg(long)]
    use_fallocate: bool,
    /// The loop device for it
    #[arg(long, value_name = "DEVICE", requires = "lvm_snapshot_tmp_file")]
    loop_device: Option<PathBuf>,
    /// Remove the folder too, if it was made for this
    #[arg(long)]
    remove_mountpoint: bool,
    /// Show each command that is run
    #[arg(short, long)]
    verbose: bool,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
enum Action {
    SnapshotMount,
    SnapshotUnmount,
}

impl Snapshot {
    fn words(&self) -> Words {
        let mut words = Words::default();
        words.flag(self.verbose, "--verbose");
        let removal = match self.action {
            Some(action) => action == Action::SnapshotUnmount,
            None => self.remove_mountpoint,
        };
        let (vg, snapshot) = (&self.source_lvm_vg, &self.lvm_snapshot_name);
        if removal {
            words.word("remove").word(format!("{vg}/{snapshot}")).flag(!self.remove_mountpoint, "--keep-folder");
            return words;
        }
        words.word("create").word(format!("{vg}/{}", self.source_lvm_lv)).word(snapshot.to_string());
        words.word("--size").word(format!("{}m", self.lvm_volume_size_mb)).option("--mount", &self.mountpoint);
        if let Some(file) = &self.lvm_snapshot_tmp_file {
            words.option("--tmp-file", file).allocated(self.use_fallocate);
            self.loop_device.iter().for_each(|device| _ = words.option("--loop-device", device));
        }
        words
    }
}

/// `backup-lvm-fsa-snapshot.sh`.
#[derive(Parser, Debug)]
#[command(name = "lvsnap", disable_version_flag = true, about = "With the options of backup-lvm-fsa-snapshot.sh")]
#[command(group = ArgGroup::new("space").required(true).args(["tmp_dir_is_local", "tmp_dir_is_remote", "tmp_dir_is_lvm"]))]
struct Dump {
    /// The folder for the dumps
    #[arg(long, value_name = "DIR")]
    backup_dest_dir: PathBuf,
    /// The origin's volume group
    #[arg(long, value_name = "VG")]
    source_lvm_volume_group: VgName,
    /// The origin
    #[arg(long, value_name = "LV")]
    source_lvm_logical_volume: LvName,
    /// Where the temporary file is made
    #[arg(long, value_name = "DIR", required_unless_present = "tmp_dir_is_lvm")]
    lvm_snapshot_tmp_file_dir: Option<PathBuf>,
    /// That is a local file system: its space is reserved
    #[arg(long)]
    tmp_dir_is_local: bool,
    /// It is on another machine: its space is written
    #[arg(long)]
    tmp_dir_is_remote: bool,
    /// No file: the group has room
    #[arg(long)]
    tmp_dir_is_lvm: bool,
    /// The snapshot's space, in MiB
    #[arg(long, value_name = "MIB", default_value_t = DEFAULT_SIZE_MIB)]
    snapshot_volume_size_mb: u64,
    /// How many daily dumps stay
    #[arg(long, value_name = "N")]
    daily_backup_max_count: usize,
    /// How many weekly dumps stay
    #[arg(long, value_name = "N")]
    weekly_backup_max_count: usize,
    /// As fsarchiver's -z
    #[arg(long, value_name = "LEVEL")]
    compression_level: u8,
    /// Show each command that is run
    #[arg(short, long)]
    verbose: bool,
    /// Show all details
    #[arg(short, long)]
    debug: bool,
}

impl Dump {
    fn words(&self) -> Words {
        let mut words = Words::default();
        words.flag(self.verbose || self.debug, "--verbose").flag(self.debug, "--verbose");
        let origin = format!("{}/{}", self.source_lvm_volume_group, self.source_lvm_logical_volume);
        words.word("dump").word(origin).word(&self.backup_dest_dir);
        words.word("--size").word(format!("{}m", self.snapshot_volume_size_mb));
        if let Some(folder) = self.lvm_snapshot_tmp_file_dir.as_ref().filter(|_| !self.tmp_dir_is_lvm) {
            words.option("--tmp-dir", folder).allocated(self.tmp_dir_is_local);
        }
        words.word("--level").word(self.compression_level.to_string());
        words.word("--daily-max").word(self.daily_backup_max_count.to_string());
        words.word("--weekly-max").word(self.weekly_backup_max_count.to_string());
        words.word("--make-dest").word("--install-missing");
        words
    }
}

/// A command line that is put together.
#[derive(Default)]
struct Words(Vec<OsString>);

impl Words {
    fn word(&mut self, word: impl Into<OsString>) -> &mut Self {
        self.0.push(word.into());
        self
    }

    fn flag(&mut self, is_set: bool, flag: &str) -> &mut Self {
        self.0.extend(is_set.then(|| flag.into()));
        self
    }

    fn option(&mut self, option: &str, value: &Path) -> &mut Self {
        self.word(option).word(value)
    }

    fn allocated(&mut self, reserved: bool) -> &mut Self {
        self.word("--allocate").word(if reserved { "fallocate" } else { "write" })
    }
}

impl IntoIterator for Words {
    type Item = OsString;
    type IntoIter = std::vec::IntoIter<OsString>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(given: &str) -> Result<String, clap::Error> {
        let given = given.split_whitespace().map(OsString::from).collect();
        let words = translated(given)?;
        Ok(words.iter().map(|word| word.to_str().unwrap()).collect::<Vec<_>>().join(" "))
    }

    const EXAMPLE: &str = "lvsnap --source-lvm-vg my_lvm_vg --source-lvm-lv system --lvm-snapshot-name snap1 \
        --mountpoint /media/system_snapshot --lvm-snapshot-tmp-file /media/other-partition/1.tmp --use-fallocate \
        --loop-device /dev/loop5";
    const DUMP: &str = "lvsnap --backup-dest-dir /backup --source-lvm-volume-group vg --source-lvm-logical-volume lv \
        --lvm-snapshot-tmp-file-dir /media/tmp --daily-backup-max-count 7 --weekly-backup-max-count 4 --compression-level 9";

    #[test]
    fn the_scripts_command_lines_are_ours() {
        let create = "lvsnap create my_lvm_vg/system snap1 --size 4096m --mount /media/system_snapshot \
            --tmp-file /media/other-partition/1.tmp --allocate fallocate --loop-device /dev/loop5";
        let remove = "lvsnap remove my_lvm_vg/snap1";
        for (given, ours) in [
            (EXAMPLE.to_owned(), create.to_owned()),
            (format!("{EXAMPLE} snapshot-mount"), create.to_owned()),
            (format!("{EXAMPLE} --remove-mountpoint"), remove.to_owned()),
            (format!("{EXAMPLE} --remove-mountpoint snapshot-unmount"), remove.to_owned()),
            (format!("{EXAMPLE} snapshot-unmount"), format!("{remove} --keep-folder")),
            (
                EXAMPLE.replace("--use-fallocate ", "-v "),
                create.replace("fallocate", "write").replacen(' ', " --verbose ", 1),
            ),
            (
                "lvsnap snapshot-mount --source-lvm-vg=v --source-lvm-lv=l --lvm-snapshot-name=s --mountpoint=/m \
                 --lvm-volume-size-mb=100"
                    .to_owned(),
                "lvsnap create v/l s --size 100m --mount /m".to_owned(),
            ),
            (
                format!("{DUMP} --tmp-dir-is-local"),
                "lvsnap dump vg/lv /backup --size 4096m --tmp-dir /media/tmp --allocate fallocate --level 9 \
                 --daily-max 7 --weekly-max 4 --make-dest --install-missing"
                    .to_owned(),
            ),
            (
                format!("{DUMP} --tmp-dir-is-remote --snapshot-volume-size-mb 100 --debug"),
                "lvsnap --verbose --verbose dump vg/lv /backup --size 100m --tmp-dir /media/tmp --allocate write \
                 --level 9 --daily-max 7 --weekly-max 4 --make-dest --install-missing"
                    .to_owned(),
            ),
            (
                format!("{DUMP} --tmp-dir-is-lvm"),
                "lvsnap dump vg/lv /backup --size 4096m --level 9 --daily-max 7 --weekly-max 4 --make-dest --install-missing"
                    .to_owned(),
            ),
            ("lvsnap list --json".to_owned(), "lvsnap list --json".to_owned()),
            ("lvsnap".to_owned(), "lvsnap".to_owned()),
        ] {
            assert_eq!(line(&given).unwrap(), ours, "{given}");
        }
    }

    #[test]
    fn what_they_are_turned_into_is_understood() {
        for given in [EXAMPLE.to_owned(), format!("{EXAMPLE} snapshot-unmount"), format!("{DUMP} --tmp-dir-is-local")] {
            let words = line(&given).unwrap();
            let parsed = crate::args::Args::try_parse_from(words.split(' '));
            assert!(parsed.is_ok(), "{words}: {}", parsed.unwrap_err());
        }
    }

    #[test]
    fn wrong_ones_are_refused() {
        let absent = EXAMPLE.replace("--mountpoint /media/system_snapshot", "");
        for (given, says) in [
            (absent, "--mountpoint"),
            (format!("{EXAMPLE} snapshot-eat"), "snapshot-eat"),
            (format!("{EXAMPLE} --unknown"), "--unknown"),
            (DUMP.to_owned(), "--tmp-dir-is-local"),
            (format!("{DUMP} --tmp-dir-is-local --tmp-dir-is-lvm"), "cannot be used with"),
            (EXAMPLE.replace("system ", "a/b "), "a/b"),
        ] {
            let error = line(&given).unwrap_err().to_string();
            assert!(error.contains(says), "{given}: {error}");
        }
    }
}

//! The configuration: a TOML file, read with all its mistakes at once.
//!
//! ```toml
//! zone = "Europe/Berlin"              # whose clock `at` and `keep` mean; must be given
//!
//! [defaults]                          # whatever a job may have, but `source` and `destination`
//! stuck_after = "10m"
//!
//! [job.home]
//! source = "vg0/home"                 # VG/LV or [USER@]HOST:VG/LV; at most one of the two on another host
//! destination = "mirror@box:vg1/home"
//! every = "15m"                       # or `at`, with `weekdays` and `month_days`
//! jitter = "2m"
//! keep.source = { last = 3, hourly = 24 }
//! keep.destination = { daily = 7, weekly = 5, within = "90d" }
//! bwlimit = "20M"                     # bytes per second
//! max_age = "1h"
//!
//! [job.mail]
//! source = "vg0/mail"
//! destination = "vg1/mail"
//! at = ["03:00", "15:00"]
//! weekdays = ["Mon", "Thu"]
//! hooks.before = ["/usr/local/bin/flush-mail"]
//!
//! [pool."vg1/thin"]
//! parallel = 2
//! data = { warn = 80, prune = 90, refuse = 95 }
//!
//! [alerts]
//! sendmail = "root@example.org"
//!
//! [metrics]
//! listen = "127.0.0.1:9749"
//! ```
//!
//! `packaging/lvbackup.toml` has every key, with what each means.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    num::NonZeroU32,
    path::PathBuf,
    time::Duration,
};

use retention::{Policy, Zone};
use toml::de::DeTable;

use crate::{Backoff, JobName, Limits, Pace, Place, Planned, Schedule, Seed, Thresholds};
use reader::{Faults, Field, Table};

mod alerts;
mod job;
mod keep;
mod metrics;
mod pool;
mod problem;
mod reader;
mod sync;
mod when;

pub use problem::{Problem, Problems};
pub use sync::{Sync, Verify};

/// The longest configuration that is read, in bytes.
pub const MAX_CONFIG_BYTES: usize = 1 << 20;
/// The most jobs, and the most pools, that one has.
pub const MAX_JOBS: usize = 1000;
/// The longest list in one.
const MAX_LIST: usize = 100;

/// A whole configuration, all of it valid.
#[derive(Clone, PartialEq, Debug)]
pub struct Config {
    /// Whose clock it means.
    pub zone: Zone,
    /// The jobs; no two of them have the same destination.
    pub jobs: BTreeMap<JobName, Job>,
    /// What is said of pools.
    pub pools: BTreeMap<Place, PoolConfig>,
    /// Whom to tell.
    pub alerts: AlertConfig,
    /// Who may read numbers.
    pub metrics: MetricsConfig,
}

/// One job.
#[derive(Clone, PartialEq, Debug)]
pub struct Job {
    /// The volume that is mirrored. At most one of the two is on another machine.
    pub source: Place,
    /// Its mirror.
    pub destination: Place,
    /// When.
    pub schedule: Schedule,
    /// What stays on the source.
    pub keep_source: Policy,
    /// What stays at the destination.
    pub keep_destination: Policy,
    /// What is run before and after.
    pub hooks: Hooks,
    /// How it is sent and received.
    pub sync: Sync,
    /// After how long without durable progress a run is taken for stuck.
    pub stuck_after: Duration,
    /// How long to wait after failures.
    pub backoff: Backoff,
    /// When it is told.
    pub limits: Limits,
}

/// Programs that are run for a job: an absolute path, and arguments.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Hooks {
    /// Before the snapshot. If it fails, the run does.
    pub before: Option<Vec<String>>,
    /// After the snapshot, whatever became of it.
    pub after: Option<Vec<String>>,
}

/// What is said of a pool.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PoolConfig {
    /// How many runs may use it at the same time.
    pub parallel: NonZeroU32,
    /// From how full on something is done.
    pub thresholds: Thresholds,
}

/// One run at a time, and the usual thresholds.
impl Default for PoolConfig {
    fn default() -> Self {
        Self { parallel: NonZeroU32::MIN, thresholds: Thresholds::default() }
    }
}

/// Whom to tell, by any of these ways, and how often.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AlertConfig {
    /// A program, with the message as JSON on its standard input.
    pub exec: Option<Vec<String>>,
    /// An address that the message is posted to as JSON.
    pub webhook: Option<String>,
    /// Whom to send a mail.
    pub sendmail: Option<String>,
    /// What takes mails as sendmail does; `None` for [`SENDMAIL`].
    pub sendmail_program: Option<String>,
    /// How often.
    pub pace: Pace,
}

/// Where a mail server installs its `sendmail` (Filesystem Hierarchy Standard 3.0, 4.10).
pub const SENDMAIL: &str = "/usr/sbin/sendmail";

/// Where metrics go.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct MetricsConfig {
    /// A file that is replaced as a whole: for the textfile collector of Prometheus's `node_exporter`, in whose folder its
    /// name must end with `.prom`.
    pub file: Option<PathBuf>,
    /// Where they may be asked for over HTTP. Nobody is asked who he is.
    pub listen: Option<SocketAddr>,
}

impl Job {
    /// For a plan, with the pools that were found to hold the two volumes. `machine` tells this machine from others
    /// (`/etc/machine-id`).
    #[must_use]
    pub fn planned(&self, name: &JobName, machine: &str, pools: BTreeSet<Place>) -> Planned {
        Planned {
            schedule: self.schedule.clone(),
            backoff: self.backoff,
            seed: Seed::of(&[name.as_str(), machine]),
            stuck_after: Some(self.stuck_after),
            pools,
        }
    }
}

impl Config {
    /// From the text of the file called `name`.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn parse(name: &str, text: &str) -> Result<Self, Problems> {
        let faults = Faults::of(text);
        if text.len() > MAX_CONFIG_BYTES {
            faults.push(&(0..0), format!("expected at most {MAX_CONFIG_BYTES} bytes, found {}", text.len()));
            return Err(Problems::new(name, faults.into_list()));
        }
        let (table, errors) = DeTable::parse_recoverable(text);
        if !errors.is_empty() {
            // What is left of a broken line would only give problems that are none.
            for error in errors {
                faults.push(&error.span().unwrap_or(0..0), format!("not TOML: {}", error.message()));
            }
            return Err(Problems::new(name, faults.into_list()));
        }
        let config = read(Table::root(&table, &faults));
        match (config, faults.into_list()) {
            (Some(config), problems) if problems.is_empty() => Ok(config),
            (_, problems) => Err(Problems::new(name, problems)),
        }
    }
}

fn read(mut root: Table<'_>) -> Option<Config> {
    const ZONE: &str = "a time zone such as `Europe/Berlin`, `UTC` or `+02:00`";
    let given = root.need("zone", ZONE).and_then(|field| field.text(ZONE, |text| text.parse::<Zone>().ok()));
    // The others are read all the same, so that their mistakes are told too.
    let zone = given.clone().unwrap_or(Zone::UTC);
    let defaults = match root.get("defaults").and_then(|field| field.table("a table of defaults")) {
        Some(mut table) => {
            let keys = job::Keys::read(&mut table, &zone);
            table.done();
            keys
        }
        None => job::Keys::default(),
    };
    let jobs = match root.need("job", "tables such as `[job.home]`") {
        Some(field) => named(
            &field,
            "job",
            |text| text.parse::<JobName>().map_err(|error| error.expected()),
            |table| job::read(table, &defaults, &zone),
        ),
        None => BTreeMap::new(),
    };
    let pools = match root.get("pool") {
        Some(field) => named(
            &field,
            "pool",
            |text| text.parse::<Place>().map_err(|error| error.expected()),
            |table| Some(pool::read(table)),
        ),
        None => BTreeMap::new(),
    };
    let alerts = root.get("alerts").and_then(|field| field.table("a table of alerts")).map(alerts::read);
    let metrics = root.get("metrics").and_then(|field| field.table("a table of metrics")).map(metrics::read);
    job::check_destinations(&jobs);
    root.done();
    let jobs = jobs.into_iter().map(|(name, (job, _))| (name, job)).collect();
    let pools = pools.into_iter().map(|(name, (pool, _))| (name, pool)).collect();
    Some(Config { zone: given?, jobs, pools, alerts: alerts.unwrap_or_default(), metrics: metrics.unwrap_or_default() })
}

/// A table of tables, with names that the user chose; each with its field.
fn named<'a, N: Ord, T>(
    field: &Field<'a>,
    what: &str,
    name: impl Fn(&str) -> Result<N, String>,
    read: impl Fn(Table<'a>) -> Option<T>,
) -> BTreeMap<N, (T, Field<'a>)> {
    let mut all = BTreeMap::new();
    let Some(table) = field.table(&format!("tables such as `[{what}.NAME]`")) else { return all };
    let mut count = 0;
    for (text, _, field) in table.entries() {
        count += 1;
        if count > MAX_JOBS {
            table.fault(format!("`{what}`: expected at most {MAX_JOBS}, found more"));
            break;
        }
        let name = match name(text) {
            Ok(name) => Some(name),
            Err(expected) => field.wrong(&format!("the name is not valid: expected {expected}")),
        };
        let value = field.table("a table").and_then(&read);
        if let (Some(name), Some(value)) = (name, value)
            && all.insert(name, (value, field.clone())).is_some()
        {
            field.wrong::<()>("the same is there already, written in another way");
        }
    }
    all
}

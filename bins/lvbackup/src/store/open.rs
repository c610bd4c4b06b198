//! Opening a store, and what it is told of this machine.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use cli::{Common, Exit, Failure, OrFail, Outcome, Progress, Stop, say};
use extents::Bytes;
use store::{ErrorKind, Holder, Identities, Location, Options, SharedLock, Store, Stored};

use super::when;

/// Opens the store that a user named.
///
/// # Errors
/// It is none, or cannot be reached.
pub(crate) fn store(text: &str, stop: &Stop) -> Outcome<Store> {
    Ok(Store::open(&Location::parse(text)?, &options(stop)?)?)
}

/// Locks a store to read from it. One that cannot be written to, on a disk that is full or mounted read-only, is read all
/// the same.
///
/// # Errors
/// Somebody removes layers from it.
pub(crate) fn lock_to_read(store: &Store) -> Outcome<Option<SharedLock>> {
    match store.lock_shared() {
        Err(error) if matches!(error.kind(), ErrorKind::Unreachable | ErrorKind::Full) => {
            let why = Failure::from(error);
            say(&format!("lvbackup: warning: nothing keeps others from removing layers meanwhile: {why}"));
            Ok(None)
        }
        locked => Ok(Some(locked?)),
    }
}

/// Shows how far an object is read, and ends that where a signal asks for it.
pub(crate) fn watch(common: Common, stop: &Stop) -> impl FnMut(Bytes) -> ControlFlow<()> + Send + 'static {
    let progress = Progress::new("reading back", None, common, stop.clone());
    move |read| {
        block_copy::Progress::advance(&progress, read);
        if block_copy::Progress::stop_requested(&progress) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

/// The name of this machine.
pub(crate) fn host() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    name.chars().filter(|c| !c.is_control()).collect()
}

/// What tells this machine from others of its name: a digest of its machine-id(5), which itself is not to be shown to
/// others; `None` where it has none.
pub(crate) fn machine() -> Option<String> {
    let id = std::fs::read_to_string("/etc/machine-id").ok()?;
    let id = id.trim();
    let is_id = id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit());
    is_id
        .then(|| blake3::derive_key("hyperlayer store machine", id.as_bytes()))
        .map(|key| blake3::Hash::from(key).to_hex()[..32].to_owned())
}

/// A warning of a layer whose time cannot be right.
pub(crate) fn doubtful(stored: &Stored) -> String {
    let layer = &stored.layer;
    let created = when::utc(layer.created).unwrap_or_else(|| "a time beyond the year 9999".into());
    format!(
        "layer {} of {} is dated {created}, which contradicts its parent, a layer above it or this machine's clock",
        layer.layer, layer.series
    )
}

/// What a store is told of this machine.
///
/// # Errors
/// The kernel does not say when it was started.
pub(crate) fn options(stop: &Stop) -> Outcome<Options> {
    let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").or_fail(Exit::Surroundings)?;
    let holder = Holder {
        host: host(),
        boot_id: boot_id.trim().to_owned(),
        // Without it, nobody judges by the process number.
        pid_namespace: std::fs::read_link("/proc/self/ns/pid")
            .map_or_else(|_| String::new(), |to| to.display().to_string()),
        pid: std::process::id(),
        command: std::env::args().take(2).collect::<Vec<_>>().join(" "),
    };
    let of_a_service =
        |(name, _): &(String, String)| ["AWS_", "GOOGLE_", "AZURE_"].iter().any(|service| name.starts_with(service));
    let is_alive = |pid: u32| Path::new("/proc").join(pid.to_string()).exists();
    let environment = std::env::vars_os()
        // What is not UTF-8 is refused by the store, by its name.
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
        .filter(of_a_service)
        .collect();
    Ok(Options { environment, stop: stop.shared(), ..Options::new(holder, SystemTime::now, is_alive) })
}

/// The secrets in key files.
///
/// # Errors
/// A file cannot be read, or is none.
pub(crate) fn identities(files: &[PathBuf]) -> Outcome<Identities> {
    if files.iter().any(|file| store::is_secret(&file.to_string_lossy())) {
        return Err(Failure::msg(Exit::Usage, "`--identity` takes the name of a key file, not the key itself").hint(
            "write the key to a file that only you can read, and replace it: the command line was visible to others",
        ));
    }
    files.iter().try_fold(Identities::none(), |so_far, file| {
        let named = |failure: cli::Failure| failure.context(format!("cannot read `{}` as a key file", file.display()));
        let text = std::fs::read_to_string(file).or_fail(Exit::Failed).map_err(named)?;
        Ok(so_far.and(Identities::parse(&text).map_err(|error| named(error.into()))?))
    })
}

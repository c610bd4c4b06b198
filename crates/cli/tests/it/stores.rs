//! How errors of a store look to a person, and what they exit with.

use std::time::{Duration, SystemTime};

use cli::Failure;
use store::{Error, Holder, Location, Options, Series, Store};

#[track_caller]
fn looks(error: Error, exit: u8, text: &str) {
    let failure = Failure::from(error);
    assert_eq!((failure.exit().code(), failure.render("lvbackup").as_str()), (exit, text.trim_matches('\n')));
}

fn options() -> Options {
    let (host, boot_id, pid_namespace) = ("here".into(), "1".into(), "pid:[1]".into());
    let holder = Holder { host, boot_id, pid_namespace, pid: 7, command: "lvbackup prune".into() };
    Options::new(holder, || SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_230_000), |_| true)
}

/// The folder's name differs each time.
#[track_caller]
fn looks_in(folder: &tempfile::TempDir, error: Error, exit: u8, text: &str) {
    let failure = Failure::from(error);
    let shown = failure.render("lvbackup").replace(folder.path().to_str().unwrap(), "STORE");
    assert_eq!((failure.exit().code(), shown.as_str()), (exit, text.trim_matches('\n')));
}

#[test]
fn places_and_names() {
    looks(
        Location::parse("ftp://x/y").unwrap_err(),
        2,
        "lvbackup: `ftp://x/y` is no place for a store: expected a path, file://, s3://, gs:// or az://",
    );
    looks(Series::new("").unwrap_err(), 2, "lvbackup: `` cannot be a series in a store: it is empty");
}

#[test]
fn what_is_there_and_what_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let place = Location::folder(folder.path());
    looks_in(
        &folder,
        Store::open(&place, &options()).unwrap_err(),
        1,
        "
lvbackup: STORE holds no store
lvbackup: hint: make one: `lvbackup init STORE`, or look whether the place is spelled rightly
",
    );
    let store = Store::init(&place, &options()).unwrap();
    looks_in(
        &folder,
        Store::init(&place, &options()).unwrap_err(),
        1,
        "lvbackup: STORE holds a store already\nlvbackup: hint: it can be used as it is: `lvbackup list STORE`",
    );
    let lock = store.lock_exclusive().unwrap();
    let id = lock.id().to_string();
    let text = "
lvbackup: the store is locked: `lvbackup prune` on here, process 7, since 2026-11-21T03:00:00Z, last seen 2026-11-21T03:00:00Z (exclusive lock ID)
lvbackup: hint: wait for that run to end; if you know that it is dead: `lvbackup unlock STORE --force ID`
";
    looks_in(&folder, store.lock_shared().unwrap_err(), 4, &text.replace("ID", &id));
    drop(lock);
    std::fs::write(folder.path().join("hyperlayer-store.json"), r#"{"version": 2}"#).unwrap();
    looks_in(
        &folder,
        Store::open(&place, &options()).unwrap_err(),
        3,
        "
lvbackup: STORE holds a store of format 2, this program knows formats up to 1
lvbackup: hint: use the version of this program that wrote it, or a newer one
",
    );
}

#[test]
fn a_service_that_is_not_there() {
    let environment =
        [("AWS_ENDPOINT", "http://127.0.0.1:1"), ("AWS_ALLOW_HTTP", "true"), ("AWS_SKIP_SIGNATURE", "true")];
    let environment = environment.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    let retries = store::Retries { count: 0, within: Duration::from_secs(1) };
    let place = Location::parse("s3://bucket/x").unwrap();
    let failure = Failure::from(Store::open(&place, &Options { environment, retries, ..options() }).unwrap_err());
    let shown = failure.render("lvbackup");
    assert_eq!(failure.exit().code(), 4);
    assert!(
        shown.starts_with(
            "lvbackup: cannot read `hyperlayer-store.json` in s3://bucket/x: cannot connect to 127.0.0.1:1: Connection refused"
        ),
        "{shown}"
    );
    assert_eq!(shown.lines().count(), 2, "one line and one hint: {shown}");
    assert!(shown.ends_with("when the store can be reached, run the same command again"), "{shown}");
}

/// What reading or writing failed with keeps its meaning, also as one of several inputs.
#[test]
fn a_store_at_the_other_end() {
    let refused = || Series::new("").unwrap_err().into_io();
    for error in [transfer::Error::input(refused()), transfer::Error::output(refused())] {
        assert_eq!(Failure::from(error).exit().code(), 2);
    }
    let missing = || {
        let place = Location::folder("/nowhere/at/all");
        Err(Store::open(&place, &options()).unwrap_err().into_io())
    };
    let input = transfer::LayerInput::new("layer", missing);
    let failure = Failure::from(input.open().map(drop).unwrap_err());
    assert_eq!(failure.exit().code(), 1);
    assert!(failure.render("lvbackup").contains("hint: make one: `lvbackup init /nowhere/at/all`"), "{failure}");
}

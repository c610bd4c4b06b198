//! Object stores that do not answer: every command says so, and ends when it is asked to.

use std::net::{Ipv4Addr, TcpListener};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use s3_server::{Fault, Requests, Server};
use testkit::{Folder, Tool};

/// What each command on a store is called with; `backup` needs LVM before it opens the store.
const COMMANDS: [&str; 11] = [
    "init s3://bucket",
    "list s3://bucket",
    "check s3://bucket --read-data",
    "prune s3://bucket --keep-last 1",
    "hold s3://bucket latest",
    "unhold s3://bucket latest",
    "tag s3://bucket latest x",
    "untag s3://bucket latest x",
    "restore s3://bucket --to-file got.img",
    "export s3://bucket --to raw -o got.img",
    "unlock s3://bucket",
];

fn server(folder: &Folder) -> Server {
    std::fs::create_dir_all(folder.path("s3/bucket")).unwrap();
    Server::start(&folder.path("s3"), 0).unwrap()
}

#[test]
fn a_signal_ends_every_command_while_a_store_hangs() {
    let folder = Folder::default();
    let server = server(&folder);
    server.switch_on(Requests::Any, Fault::Hang, u32::MAX);
    let environment = Server::environment(server.address());
    for (line, signal) in COMMANDS.into_iter().zip([Signal::TERM, Signal::INT].into_iter().cycle()) {
        let running = folder.tool("lvbackup", line).envs(&environment).spawn();
        running.until_it_catches_signals();
        std::thread::sleep(Duration::from_millis(100));
        let before = Instant::now();
        running.signal(signal);
        let _ = running.finish().says(128 + signal.as_raw(), &["stopped by signal"]);
        assert!(before.elapsed() < Duration::from_secs(3), "{line}: {:?}", before.elapsed());
    }
    assert!(!folder.names().iter().any(|name| name.contains("got")), "{:?}", folder.names());
}

#[test]
fn what_a_signal_leaves_is_named() {
    let folder = Folder::default();
    let server = server(&folder);
    let environment = Server::environment(server.address());
    let _ = folder.tool("lvbackup", "init s3://bucket").envs(&environment).run().done();
    server.switch_on(Requests::Delete, Fault::Hang, u32::MAX);
    let running = folder.tool("lvbackup", "check s3://bucket").envs(&environment).spawn();
    running.until_it_catches_signals();
    // After that time the wait is reported.
    std::thread::sleep(Duration::from_secs(6));
    running.signal(Signal::TERM);
    let ended = running.finish();
    for says in ["has not answered for 5 s", "lock is left in s3://bucket", "lvbackup unlock s3://bucket --force "] {
        assert!(ended.stderr.contains(says), "{says} is not in:\n{}", ended.stderr);
    }
}

#[test]
fn credentials_are_not_waited_for_in_silence() {
    let folder = Folder::default();
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let environment = [("AWS_METADATA_ENDPOINT", format!("http://{}", silent.local_addr().unwrap()))];
    let environment = environment.map(|(name, value)| (name.to_owned(), value));
    let before = Instant::now();
    let ended = Tool::new("lvbackup", folder.root()).args(["list", "s3://bucket"]).envs(&environment).run();
    let _ = ended.says(4, &["waiting for 127.0.0.1:", "the environment has no credentials", "set AWS_ACCESS_KEY_ID"]);
    assert!(before.elapsed() < Duration::from_secs(30), "{:?}", before.elapsed());
}

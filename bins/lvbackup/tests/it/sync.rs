//! `lvbackup sync` where no LVM is needed: what it refuses, and hosts that do not answer as they should.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use testkit::Tool;

/// A program in the place of ssh.
fn ssh(folder: &Path, script: &str) -> String {
    let path = folder.join("ssh");
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.display().to_string()
}

#[test]
fn what_it_cannot_mean() {
    let folder = tempfile::tempdir().unwrap();
    for (line, says) in [
        ("sync vg0/a vg0/a", "cannot be its own copy"),
        ("sync data host:vg1", "`data`"),
        ("sync vg0/data -oProxyCommand=x:vg1/data", ""),
        ("sync vg0/data :vg1/data", "no name of one"),
        ("sync vg0/data h:vg1/x --name y", "a volume group alone"),
        ("sync vg0/a h:vg1/a --keep-source last=0", "a whole number from 1"),
        ("sync vg0/a h:vg1/a --keep-destination newest=1", "one of last"),
        ("sync vg0/a h:vg1/a --zone Europe/Atlantis", "a time zone"),
        ("sync vg0/a h:vg1/a --bwlimit 1k", "at least 16k"),
        ("sync vg0/a h:vg1/a --stall-timeout 5", "such as `5m`"),
        ("sync vg0/a h:vg1/a --adopt one", "2 values"),
        ("sync vg0/a h:vg1/a --no-snapshot --pre true", "cannot be used with"),
        ("sync vg0/a h:vg1/a --pair a,b", "names no pair"),
        ("sync vg0/a h:vg1/a --ssh 'ssh", "a quote is not closed"),
        ("serve", "--stdio"),
        ("serve --stdio --allow vg0", "expected VG/PREFIX*"),
        ("serve --stdio --read-only --receive-only", "cannot be used with"),
    ] {
        let _ = Tool::new("lvbackup", folder.path()).args(line.split(' ')).run().says(2, &[says]);
    }
}

#[test]
fn hosts_that_do_not_answer_as_they_should() {
    let folder = tempfile::tempdir().unwrap();
    for (script, code, says) in [
        ("exit 255", 4, "could not connect to web1, or lost the connection"),
        ("echo 'sh: lvbackup: not found' >&2; exit 127", 4, "`--remote-command`"),
        ("echo 'Welcome to Debian!'; sleep 1", 4, "it began with `Welcome"),
        ("printf 'hyperlayer-session\\n'; sleep 1; exit 3", 4, "ended with exit status 3"),
        // Our own hello, which offers nothing: nothing else is asked.
        ("cat", 3, "the source's server does not send"),
    ] {
        let ssh = ssh(folder.path(), script);
        let line = ["sync", "web1:vg0/data", "backup1:vg1/data", "--ssh", &ssh];
        let _ = Tool::new("lvbackup", folder.path()).args(line).run().says(code, &[says]);
    }
    let line = ["sync", "web1:vg0/data", "backup1:vg1/data", "--ssh", "/missing/ssh"];
    let _ = Tool::new("lvbackup", folder.path()).args(line).run().says(4, &["cannot start `/missing/ssh`"]);
}

/// What ssh is started with, and that the far side is asked in its own shell's words.
#[test]
fn ssh_is_started_as_its_user_would() {
    let folder = tempfile::tempdir().unwrap();
    let told = folder.path().join("told");
    let ssh = ssh(folder.path(), &format!("echo \"$@\" >>{}; exit 255", told.display()));
    let ssh = format!("{ssh} -p 2222");
    let line = ["sync", "ssh://root@web1:vg0/a", "b:vg1", "--ssh", &ssh, "--remote-command", "sudo lvbackup"];
    let _ = Tool::new("lvbackup", folder.path()).args(line).run().says(4, &["could not connect"]);
    let told = fs::read_to_string(told).unwrap();
    let mut lines: Vec<_> = told.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["-p 2222 b sudo lvbackup serve --stdio", "-p 2222 root@web1 sudo lvbackup serve --stdio"]);
}

/// As the user's shell would split it.
#[test]
fn quoted_words_of_ssh_stay_whole() {
    let folder = tempfile::tempdir().unwrap();
    let given = folder.path().join("given");
    let ssh = ssh(folder.path(), &format!("printf '[%s]' \"$@\" >{}; exit 255", given.display()));
    let ssh = format!("{ssh} -i '/a b' \"-oProxyCommand=nc 'x  y'\" c\\ d ''");
    let line = ["sync", "root@web1:vg0/a", "vg1", "--ssh", &ssh];
    let _ = Tool::new("lvbackup", folder.path()).args(line).run();
    let given = fs::read_to_string(given).unwrap();
    assert_eq!(given, "[-i][/a b][-oProxyCommand=nc 'x  y'][c d][][root@web1][lvbackup serve --stdio]");
}

//! That people are told, once, by each way.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use testkit::eventually;

use super::{JOB, Place, REPORT, stop};

/// Fails as long as there is a file `broken`.
const RUNS: &str = "echo x >>calls\ntest ! -e broken || { echo 'lvbackup: no route' >&2; exit 4; }";
/// Failures are told at once, and tried again at once.
const SOON: &str = "every = '1s'\nalert_after_failures = 1\nbackoff = { first = '1s', cap = '1s' }\n";

/// What was told, as `news subject`, one in a line.
fn news(json: &str) -> String {
    let line = |line: &str| {
        let message: serde_json::Value = serde_json::from_str(line).unwrap();
        let one = |notice: &serde_json::Value| {
            let subject = ["runs", "age"].into_iter().find(|subject| notice.get(subject).is_some()).unwrap();
            format!("{} {subject} of {}", notice["news"].as_str().unwrap(), notice[subject].as_str().unwrap())
        };
        message["notices"].as_array().unwrap().iter().map(one).collect::<Vec<_>>().join(", ")
    };
    json.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// A server that takes each POST with this status, and hands on what it was sent.
fn server(status: &'static str) -> (String, Receiver<(String, String)>) {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/secret-path", socket.local_addr().unwrap());
    let (sender, taken) = channel();
    std::thread::spawn(move || {
        for client in socket.incoming() {
            let mut client = BufReader::new(client.unwrap());
            let (mut head, mut len) = (String::new(), 0);
            while !head.ends_with("\r\n\r\n") {
                let from = head.len();
                client.read_line(&mut head).unwrap();
                if let Some(value) = head[from..].to_ascii_lowercase().strip_prefix("content-length:") {
                    len = value.trim().parse().unwrap();
                }
            }
            let mut body = vec![0; len];
            client.read_exact(&mut body).unwrap();
            let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            client.get_mut().write_all(answer.as_bytes()).unwrap();
            if sender.send((head, String::from_utf8(body).unwrap())).is_err() {
                return;
            }
        }
    });
    (address, taken)
}

#[test]
fn failure_and_recovery_once_by_each_way_and_not_again_after_a_restart() {
    let (address, posted) = server("204 No Content");
    let place = Place::new("", &format!("{RUNS}\necho '{REPORT}'"));
    let exec = place.script("tell", "cat >>told; echo >>told; echo \"$@\" >>arguments");
    let sendmail = place.script("mail", "echo \"$@\" >>mails; cat >>mails; echo ==== >>mails");
    let config = format!(
        "zone = 'UTC'\n[job.a]\n{JOB}{SOON}[alerts]\nexec = ['{exec}', '-x']\nwebhook = '{address}'\n\
         sendmail = 'root@example.org'\nsendmail_program = '{sendmail}'\n"
    );
    place.write("lvbackup.toml", &config);
    place.write("broken", "");
    let daemon = place.start();
    let (head, body) = posted.recv_timeout(testkit::LIMIT).unwrap();
    assert!(head.starts_with("POST /secret-path HTTP/1.1\r\n"), "{head}");
    assert!(head.to_ascii_lowercase().contains("content-type: application/json"), "{head}");
    assert_eq!(news(&body), "wrong runs of a");
    place.until_lines("told", 1);
    eventually("a mail", || place.read("mails").contains("====").then_some(()));
    // It fails on and on.
    place.until_lines("calls", 3);
    let said = stop(daemon).stderr;
    assert_eq!(said.matches("alert: job a: ").count(), 1, "{said}");
    assert!(!said.contains("secret"), "{said}");

    let daemon = place.start();
    place.until_lines("calls", 5);
    std::fs::remove_file(place.path("broken")).unwrap();
    let (_, body) = posted.recv_timeout(testkit::LIMIT).unwrap();
    assert_eq!(news(&body), "recovered runs of a");
    place.until_lines("told", 2);
    eventually("a mail", || (place.read("mails").matches("====").count() == 2).then_some(()));
    let calls = place.lines("calls");
    place.until_lines("calls", calls + 2);
    let _ = stop(daemon);
    assert_eq!(news(&place.read("told")), "wrong runs of a\nrecovered runs of a");
    assert_eq!(place.read("arguments"), "-x\n-x\n");
    assert!(posted.try_recv().is_err());
    let mails = place.read("mails");
    assert_eq!(mails.matches("====").count(), 2);
    assert!(mails.starts_with("-t -oi\nTo: root@example.org\nSubject: lvbackup on "), "{mails}");
    assert!(mails.contains(": job a: wrong\n") && mails.contains("no route (it ended with exit status 4)"), "{mails}");
}

#[test]
fn a_destination_that_is_too_old_once() {
    let place = Place::new("", "sleep 60");
    let exec = place.script("tell", "cat >>told; echo >>told");
    let config = format!("[job.a]\n{JOB}every = '1h'\nmax_age = '1s'\n[alerts]\nexec = ['{exec}']");
    place.write("lvbackup.toml", &format!("zone = 'UTC'\n{config}"));
    let daemon = place.start();
    place.until_lines("told", 1);
    std::thread::sleep(Duration::from_secs(2));
    let alarm = place.tool(&["alarm", "--runtime-dir", "run"]).run();
    assert_eq!(alarm.code(), 2, "{}", alarm.text());
    let _ = stop(daemon);
    assert_eq!(news(&place.read("told")), "wrong age of a");
}

#[test]
fn who_is_not_there_hinders_nobody() {
    let (refusing, posted) = server("500 Internal Server Error");
    let place = Place::new("", &format!("{RUNS}\necho '{REPORT}'"));
    let exec = place.script("tell", "cat >>told; echo >>told");
    let hangs = place.script("mail", "echo $$ >hung; exec sleep 600");
    let config = format!(
        "zone = 'UTC'\n[job.a]\n{JOB}{SOON}[alerts]\nexec = ['{exec}']\nwebhook = '{refusing}'\n\
         sendmail = 'root@example.org'\nsendmail_program = '{hangs}'\n"
    );
    place.write("lvbackup.toml", &config);
    place.write("broken", "");
    let daemon = place.start();
    let _ = posted.recv_timeout(testkit::LIMIT).unwrap();
    place.until_lines("told", 1);
    eventually("the hanging mail", || place.path("hung").exists().then_some(()));
    // The loop goes on, and the way that works is told of the recovery.
    std::fs::remove_file(place.path("broken")).unwrap();
    place.until_lines("told", 2);
    let begun = std::time::Instant::now();
    let said = stop(daemon).stderr;
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert!(said.contains("nobody could be told by webhook: it answered 500 Internal Server Error"), "{said}");
    // Who was not told is told again.
    let kept: serde_json::Value = serde_json::from_str(&place.read("state/told.json")).unwrap();
    assert_eq!(kept["webhook"], serde_json::json!([]));
    let hung = std::path::Path::new("/proc").join(place.read("hung").trim());
    assert!(!hung.exists(), "the hanging mail outlives the daemon");
}

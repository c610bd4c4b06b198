use std::fs;

use super::{Filled, json_lines};

#[test]
fn who_lives_and_who_does_not() {
    let filled = Filled::days(1);
    let _ = filled.run("unlock store", 0, &["nobody works on the store"]);

    // A run that died, on this machine.
    let lock = filled.store.lock_shared().unwrap();
    let locks = filled.folder.path("store").join("locks");
    let ours = locks.join(format!("{}.json", lock.id()));
    let dead = fs::read_to_string(&ours).unwrap().replace(&std::process::id().to_string(), "4194304");
    fs::write(locks.join("0123456789abcdef.json"), dead).unwrap();
    // One that nobody understands.
    fs::write(locks.join("fedcba9876543210.json"), "{").unwrap();

    let _ = filled.run("prune store --keep-last 1", 4, &["the store is locked", "lvbackup unlock STORE --force "]);
    let said = filled.run("unlock store --json", 0, &[]);
    let states = |said| -> Vec<_> {
        let mut states: Vec<_> = json_lines(said)
            .iter()
            .map(|lock| (lock["id"].as_str().unwrap().to_owned(), lock["dead"] == true, lock["removed"] == true))
            .collect();
        states.sort();
        states
    };
    let id = lock.id().to_string();
    let mut expected = vec![
        ("0123456789abcdef".to_owned(), true, true),
        (id.clone(), false, false),
        ("fedcba9876543210".to_owned(), false, false),
    ];
    expected.sort();
    assert_eq!(states(&said), expected);
    let said = filled.run("unlock store", 0, &["--force ID"]);
    assert!(
        said.text().contains(&format!("process {}", std::process::id()))
            && said.text().contains("cannot be understood")
    );

    let _ = filled.run("unlock store --force nonsense", 1, &["no lock `nonsense`"]);
    // By its id as it is shown, and by the name of its file.
    let _ = filled.run(&format!("unlock store --force {id}.json --force fedcba9876543210"), 0, &[]);
    let _ = filled.run("unlock store", 0, &["nobody works"]);
    assert!(lock.refresh().is_err(), "whoever lives notices");
    let _ = filled.run("prune store --keep-last 1", 0, &[]);
}

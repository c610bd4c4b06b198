//! A prune that is killed anywhere leaves a store that is whole, and the same command does the rest.

use std::time::{Duration, Instant};

use store::Encoding;
use testkit::Signal;

use super::{Filled, copy, open};

const PRUNE: &str = "prune store --keep-tag keep --merge --quiet";
const KEPT: [&str; 3] = ["2", "5", "7"];
/// In how many places it is killed.
const POINTS: u32 = 24;

#[test]
fn killed_anywhere() {
    let filled = Filled::days(7);
    filled.write_image(7);
    filled.add(7, Some(3), &Encoding::default());
    for day in KEPT {
        let _ = filled.run(&format!("tag store day-{day} keep"), 0, &[]);
    }
    let store = filled.folder.path("store");
    let saved = filled.folder.path("saved");
    copy(&store, &saved);
    let again = || {
        std::fs::remove_dir_all(&store).unwrap();
        copy(&saved, &store);
    };
    let started = Instant::now();
    let _ = filled.run(PRUNE, 0, &[]);
    let mut whole = started.elapsed();
    let mut killed = 0;
    for point in 0..POINTS {
        again();
        let running = filled.folder.tool("lvbackup", PRUNE).spawn();
        // There is nothing to wait for: any moment is as good as another.
        std::thread::sleep(whole * point / POINTS);
        running.signal(Signal::KILL);
        if running.finish().status.code().is_none() {
            killed += 1;
        } else {
            // The machine has more time for it than it had for the first one.
            whole = whole * 3 / 4;
        }

        // Nobody has to come by for the store to be whole.
        let _ = filled.run("check store --read-data --quiet", 0, &[]);
        for day in KEPT {
            filled.gives(day, "--quiet");
        }
        let _ = filled.run(PRUNE, 0, &[]);
        assert_eq!(filled.layers(), KEPT, "point {point}");
        let _ = filled.run("check store --read-data --quiet", 0, &[]);
        assert_eq!(open(&store).garbage().unwrap(), [], "point {point}");
        for day in KEPT {
            filled.gives(day, "--quiet");
        }
    }
    assert!(killed > POINTS / 3, "only {killed} were caught, of {POINTS} within {whole:?}");
    assert!(whole > Duration::ZERO);
}

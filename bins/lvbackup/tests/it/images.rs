//! Four states of an image and the layers between them.

use testkit::{Finished, Folder, stamped};

/// The names of the states, oldest first.
pub(crate) const STATES: [&str; 4] = ["mon", "tue", "wed", "thu"];

/// `mon.img` to `thu.img` and `mon.hl` (full), `tue.hl`, `wed.hl`, `thu.hl` (deltas): data comes, becomes zeros, is
/// replaced; the image grows and shrinks.
pub(crate) fn folder() -> Folder {
    let folder = Folder::default();
    let mut image = stamped(1, 0, 1 << 20);
    for (number, name) in STATES.iter().enumerate() {
        match number {
            0 => {}
            1 => {
                image[200_000..203_000].copy_from_slice(&stamped(2, 0, 3000));
                image[700_000..800_000].fill(0);
            }
            2 => image.truncate(600 * 1024),
            _ => {
                image.resize(900 * 1024, 0);
                image[201_000..260_000].copy_from_slice(&stamped(3, 0, 59_000));
            }
        }
        folder.write(&format!("{name}.img"), &image);
    }
    let _ = folder.tool("lvdiff", "--full ./mon.img -o mon.hl").run().done();
    for pair in STATES.windows(2) {
        let line = format!("--scan {}.img {}.img -d 3 -o {}.hl", pair[1], pair[0], pair[1]);
        let _ = folder.tool("lvdiff", &line).run().done();
    }
    folder
}

/// Runs lvbackup, which must end with `code` and say `says`.
#[track_caller]
pub(crate) fn lvbackup(folder: &Folder, line: &str, code: i32, says: &[&str]) -> Finished {
    folder.tool("lvbackup", line).run().says(code, says)
}

/// The lines of standard output as JSON.
pub(crate) fn json_lines(said: &Finished) -> Vec<serde_json::Value> {
    said.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

//! What a configuration means for the volumes that are found.

use daemon::{Config, candidates};
use lvm_cmd::{Lv, Scripted, volumes};
use proptest::prelude::*;
use testkit::{lv_row, lvs_step, pool_row};

use crate::name;

/// Thin volumes of `vg0/pool`: name, `lv_attr`'s second letter, tags, when they were made.
fn found(rows: &[(&str, char, &str, i64)]) -> Vec<Lv> {
    let row = |(name, permission, tags, created): &(&str, char, &str, i64)| {
        let (attr, created) = (format!("V{permission}i---tz--"), created.to_string());
        lv_row(&[("lv_name", name), ("lv_attr", &attr), ("lv_tags", tags), ("lv_time", &created)])
    };
    let rows: Vec<_> = [pool_row()].into_iter().chain(rows.iter().map(row)).collect();
    volumes(&Scripted::from_transcript(&lvs_step(&rows)).unwrap(), &"vg0".parse().unwrap()).unwrap()
}

/// Which ones may go, the oldest first, and which are layers but needed.
fn judged(rows: &[(&str, char, &str, i64)]) -> (String, String) {
    let mut all = candidates(&"vg0/pool".parse().unwrap(), &found(rows));
    all.sort_by_key(|(candidate, _)| candidate.taken);
    let names = |held| {
        let these = all.iter().filter(|(candidate, _)| candidate.held == held);
        these.map(|(candidate, _)| candidate.volume.lv().to_string()).collect::<Vec<_>>().join(" ")
    };
    (names(false), names(true))
}

#[test]
fn what_may_go_when_a_pool_is_too_full() {
    let (free, held) = judged(&[
        ("home", 'w', "", 1),
        ("home-mine", 'r', "", 2),
        ("home-old", 'r', "hyperlayer.sync=p", 5),
        ("home-older", 'r', "hyperlayer.layer=x,hyperlayer.sync=p", 4),
        ("home-held", 'r', "hyperlayer.sync=p,hyperlayer.hold=p", 3),
        ("home-newest", 'r', "hyperlayer.sync=p", 9),
        ("home-partial", 'r', "hyperlayer.sync=p,hyperlayer.partial=x", 6),
        ("home-writable", 'w', "hyperlayer.sync=p", 1),
        ("home-live", 'r', "hyperlayer.sync=p,hyperlayer.live=x", 1),
        ("other-newest", 'r', "hyperlayer.sync=q", 2),
        ("backup", 'r', "hyperlayer.backup=s", 1),
    ]);
    assert_eq!(
        (free.as_str(), held.as_str()),
        ("home-older home-old", "other-newest home-held home-partial home-newest")
    );
    assert_eq!(candidates(&"vg0/another".parse().unwrap(), &found(&[("a", 'r', "hyperlayer.sync=p", 1)])), []);
    let tags = candidates(&"vg0/pool".parse().unwrap(), &found(&[("a", 'r', "x,hyperlayer.sync=p:1", 1)]));
    assert_eq!(tags[0].1.as_str(), "hyperlayer.sync=p:1");
}

proptest! {
    /// However often the oldest one goes, one of each pair stays, and all that are held do.
    #[test]
    fn one_of_each_pair_stays(layers in prop::collection::vec((0..3u8, any::<bool>(), 0..20i64), 0..12)) {
        let rows: Vec<_> = layers.iter().enumerate().map(|(nth, (pair, held, created))| {
            let hold = if *held { format!(",hyperlayer.hold={pair}") } else { String::new() };
            (format!("l{nth}"), format!("hyperlayer.sync={pair}{hold}"), *created)
        }).collect();
        let mut left: Vec<_> = rows.iter().map(|(name, tags, at)| (name.as_str(), 'r', tags.as_str(), *at)).collect();
        let pairs = |left: &[(&str, char, &str, i64)]| {
            left.iter().map(|row| row.2.split(',').next().unwrap().to_owned()).collect::<std::collections::BTreeSet<_>>()
        };
        let held = |left: &[(&str, char, &str, i64)]| left.iter().filter(|row| row.2.contains("hold")).count();
        let before = (pairs(&left), held(&left));
        while let Some(next) = judged(&left).0.split(' ').next().filter(|name| !name.is_empty()) {
            left.retain(|row| row.0 != next);
        }
        prop_assert_eq!((pairs(&left), held(&left)), before);
    }
}

#[test]
fn pools_of_a_job() {
    let text = "zone='UTC'\n[defaults]\nevery='1m'\n\
        [job.here]\nsource='vg0/data'\ndestination='box:vg1/data'\npool='thin'\n\
        [job.pull]\nsource='box:vg0/data'\ndestination='vg0/data'\npool='other'\n\
        [job.new]\nsource='vg0/data'\ndestination='vg0/new'\npool='other'\n\
        [job.gone]\nsource='vg0/gone'\ndestination='box:vg1/gone'\n";
    let config = Config::parse("f", text).unwrap();
    let volumes = found(&[("data", 'w', "", 1)]);
    for (job, expected) in
        [("here", "vg0/pool box:vg1/thin"), ("pull", "vg0/pool"), ("new", "vg0/other vg0/pool"), ("gone", "")]
    {
        let pools = config.jobs[&name(job)].pools(&volumes);
        assert_eq!(pools.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "), expected, "{job}");
    }
}

//! What a configuration means for the volumes that are found.

use daemon::Config;
use lvm_cmd::{Lv, Scripted, volumes};
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

//! What the tests of this host share.

use lvm_cmd::{Lv, Scripted};

use crate::Pair;

/// A thin volume of group `vg0` as LVM reports it.
pub(super) fn lv(changes: &[(&str, &str)]) -> Lv {
    let exec = Scripted::from_transcript(&testkit::lvs_step(&[testkit::lv_row(changes)])).unwrap();
    lvm_cmd::volumes(&exec, &"vg0".parse().unwrap()).unwrap().remove(0)
}

pub(super) fn pair() -> Pair {
    "web1:vg0/data".parse().unwrap()
}

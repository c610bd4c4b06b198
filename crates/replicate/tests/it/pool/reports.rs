//! How often a run lists all volumes of a group: with thousands of snapshots that takes LVM seconds each time.

use super::lvm::{Actor, Fault};
use super::{World, want};

/// The reports of one run that keeps the `last` layers.
fn reports(world: &World, last: usize) -> usize {
    let actor = Actor::new(&world.machine, Fault::None, None);
    world.sync_as(&actor, &want(last)).0.unwrap();
    *actor.reports.lock().unwrap()
}

/// However many layers there are, and however many of them go.
#[test]
fn layers_cost_no_reports() {
    let mut seen = Vec::new();
    for many in [2, 8] {
        let world = World::with_source();
        for n in 0..many {
            world.write("vg0/data", n, 70);
            world.sync(&want(9)).unwrap();
        }
        world.write("vg0/data", 0, 71);
        let keeping = reports(&world, 9);
        world.write("vg0/data", 0, 72);
        seen.push((keeping, reports(&world, 1)));
    }
    // Two sides work at the same time, so that now and then one makes the other ask again. One report for each layer would
    // be 6 more, and 12 with two sides.
    let [few, more] = seen[..] else { panic!("{seen:?}") };
    assert!(few.0.abs_diff(more.0) < 5 && few.1.abs_diff(more.1) < 5, "{seen:?}");
}

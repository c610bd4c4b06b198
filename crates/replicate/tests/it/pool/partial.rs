//! A chain that becomes a volume, as `lvbackup recv` receives it, while each command fails once.

use extents::{Bytes, ChunkSize};
use hyperlayer::{Header, LayerId, Totals};
use lvm_cmd::{LvRef, Permission, volumes};
use transfer::Error;
use transfer::lvm::{Destination, Lvm, PartialVolumes, VolumeSite};
use transfer::receive::Site;

use super::adversary::{chosen, most_cases};
use super::lvm::{Actor, CHUNK, Fault, SIZE};
use super::{World, lvm};

const LAYERS: u8 = 3;

fn target() -> LvRef {
    "vg0/new".parse().unwrap()
}

fn layer(number: u8) -> LayerId {
    LayerId::new(format!("layer-{number}")).unwrap()
}

/// What the last layer makes of the base: each layer changes a chunk of its own.
fn content(base: &[u8]) -> Vec<u8> {
    let mut content = base.to_vec();
    (0..LAYERS).for_each(|n| content[usize::from(n) * CHUNK..usize::from(n + 1) * CHUNK].fill(80 + n));
    content
}

/// Receives all layers and gives the volume its name. Where all layers are in, as `whole` says in place of a ledger, what an
/// interrupted run left is finished; otherwise it is discarded.
fn receive(lvm: Lvm<'_>, whole: &mut u8) -> Result<(), Error> {
    let ours = PartialVolumes::lock(lvm, lvm.state, &target())?;
    let group = volumes(lvm.exec, target().vg())?;
    if group.iter().any(|lv| lv.name == target()) {
        return ours.release();
    }
    let ours = if *whole == LAYERS { ours } else { apply(lvm, ours, &group, whole)? };
    ours.finish(LAYERS.into(), Some(&layer(LAYERS - 1)), Permission::ReadOnly, None)?;
    ours.release()
}

fn apply<'a>(
    lvm: Lvm<'a>,
    ours: PartialVolumes<'a>,
    group: &[lvm_cmd::Lv],
    whole: &mut u8,
) -> Result<PartialVolumes<'a>, Error> {
    *whole = 0;
    ours.discard(group)?;
    let base = "vg0/data".parse().unwrap();
    let destination = Destination::among(volumes(lvm.exec, target().vg())?, Some(&base), &base)?;
    let mut site = VolumeSite::new(ours, destination, false)?;
    let size = Bytes::from(SIZE);
    for n in 0..LAYERS {
        let delta = Header::delta(size, size, ChunkSize::SECTOR, Totals::default());
        let parent = if n == 0 { LayerId::new("base").unwrap() } else { layer(n - 1) };
        let header = Header { layer: Some(layer(n)), parent: Some(parent), ..delta };
        site.begin(n.into(), &header, size)?;
        site.target()?.0.write_at(Bytes::from(usize::from(n) * CHUNK), &[80 + n; CHUNK])?;
        site.end(n.into(), size)?;
        *whole = n + 1;
        site.forget_parent(n.into())?;
    }
    Ok(site.close())
}

/// A world in which the base is the layer that the chain begins with.
fn world() -> World {
    let world = World::with_source();
    world.command(lvm_cmd::Program::Lvchange, &["--addtag", "hyperlayer.layer=base", "vg0/data"]);
    world.command(lvm_cmd::Program::Lvchange, &["--permission", "r", "vg0/data"]);
    world
}

/// However a run ends, there is no volume under the target's name, or the complete one; and the next run makes it so, and
/// leaves nothing else.
#[test]
fn every_command_of_a_chain_fails_once() {
    let changes = {
        let world = world();
        let actor = Actor::new(&world.machine, Fault::None, None);
        receive(lvm(&actor, &world), &mut 0).unwrap();
        actor.changes()
    };
    let all: Vec<_> = (1..=changes)
        .flat_map(|n| [Fault::Fails(n), Fault::DoneAndFails(n), Fault::Dies(n), Fault::DoneAndDies(n)])
        .collect();
    let tried = chosen(&all, most_cases(60));
    let mut failed = 0;
    for fault in &tried {
        let world = world();
        let base = world.content("vg0/data").unwrap();
        let expected = content(&base);
        let mut whole = 0;
        let result = receive(lvm(&Actor::new(&world.machine, *fault, None), &world), &mut whole);
        failed += usize::from(result.is_err());
        match (&result, world.content("vg0/new")) {
            (Ok(()), found) => assert!(found.as_ref() == Some(&expected), "{fault:?}: done, and it is not there"),
            (Err(_), found) => assert!(found.is_none_or(|found| found == expected), "{fault:?}: a part has the name"),
        }
        let next = receive(lvm(&Actor::new(&world.machine, Fault::None, None), &world), &mut whole);
        next.unwrap_or_else(|error| panic!("{fault:?}: {}", lvm_cmd::with_causes(&error)));
        assert_eq!(world.content("vg0/new"), Some(expected), "{fault:?}");
        assert_eq!(world.content("vg0/data"), Some(base), "{fault:?}");
        assert_eq!(world.names("hyperlayer-"), [""; 0], "{fault:?}");
        world.machine.with(|state| {
            let new = &state.volumes["vg0/new"];
            assert!(new.read_only && new.tag("hyperlayer.partial=").is_none(), "{fault:?}: {new:?}");
        });
    }
    println!("{} of {} cases, {failed} failed", tried.len(), all.len());
    assert!(failed > 0);
}

//! A layer on a new volume, as `lvpatch` receives it, while each command fails once.

use block_copy::WriteAt;
use extents::Bytes;
use hyperlayer::LayerId;
use lvm_cmd::{LvName, LvRef, Permission, StateDir, volumes};
use transfer::Error;
use transfer::lvm::{Destination, Finish, Lvm, Receiving, Run};

use super::adversary::{chosen, most_cases};
use super::lvm::{Actor, CHUNK, Fault, SIZE};
use super::{World, lvm};

/// On a snapshot of `vg0/data`, or in an empty volume; larger, smaller, or of the same size.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Course {
    is_delta: bool,
    chunks: usize,
    permission: Permission,
}

const COURSES: [Course; 4] = [
    Course { is_delta: true, chunks: 8, permission: Permission::ReadOnly },
    Course { is_delta: true, chunks: 10, permission: Permission::ReadWrite },
    Course { is_delta: true, chunks: 6, permission: Permission::ReadOnly },
    Course { is_delta: false, chunks: 8, permission: Permission::ReadWrite },
];

impl Course {
    /// What the new volume is to hold.
    fn content(self, base: &[u8]) -> Vec<u8> {
        let mut content = if self.is_delta { base.to_vec() } else { vec![0; SIZE] };
        content.resize(self.chunks * CHUNK, 0);
        content[3 * CHUNK..4 * CHUNK].fill(77);
        content
    }

    fn receive(self, lvm: Lvm<'_>, state: &StateDir) -> Result<LvRef, Error> {
        let lvm = Lvm { state, ..lvm };
        let mut run = Run::start(&lvm)?;
        let (name, pool): (LvName, LvRef) = ("new".parse().unwrap(), "vg0/pool".parse().unwrap());
        let base = self.is_delta.then(|| "vg0/data".parse().unwrap());
        let destination = Destination::find(&lvm, base.as_ref(), &pool, &name)?;
        run.remove_leftovers(&lvm, &destination.group)?;
        let size = Bytes::from(self.chunks * CHUNK);
        let receiving = match &destination.base {
            Some(base) => Receiving::snapshot(lvm, &mut run, base, &name, size)?,
            None => Receiving::empty(lvm, &mut run, &destination.pool, &name, size)?,
        };
        if let Err(error) = receiving.target().write_at(Bytes::from(3 * CHUNK), &[77; CHUNK]) {
            return Err(receiving.abandon(error.into()));
        }
        receiving.finish(&Finish { layer: Some(LayerId::new("monday").unwrap()), size, permission: self.permission })
    }
}

/// The world's own is in use by the run that it has.
fn state(world: &World) -> StateDir {
    StateDir::with_boot_id(world.folder.path().join("received"), "this-boot")
}

/// With exit status 0 the volume is whole, and nothing else is left. Otherwise there is no such volume, or it is whole and the error
/// says that its tag is left; and what else is left, the next run removes. The base is never another one.
#[test]
fn every_command_of_a_receive_fails_once() {
    let mut cases = Vec::new();
    for course in COURSES {
        let world = World::with_source();
        let actor = Actor::new(&world.machine, Fault::None, None);
        course.receive(lvm(&actor, &world), &state(&world)).unwrap();
        for n in 1..=actor.changes() {
            let faults = [Fault::Fails(n), Fault::DoneAndFails(n), Fault::Dies(n), Fault::DoneAndDies(n)];
            cases.extend(faults.map(|fault| (course, fault)));
        }
    }
    let tried = chosen(&cases, most_cases(40));
    let mut failed = 0;
    for (course, fault) in &tried {
        let at = format!("{course:?} {fault:?}");
        let world = World::with_source();
        let base = world.content("vg0/data").unwrap();
        let expected = course.content(&base);
        let actor = Actor::new(&world.machine, *fault, None);
        let result = course.receive(lvm(&actor, &world), &state(&world));
        failed += usize::from(result.is_err());
        let has_died = matches!(fault, Fault::Dies(_) | Fault::DoneAndDies(_));
        let left = world.names("hyperlayer-");
        match (&result, world.content("vg0/new")) {
            (Ok(_), content) => assert!(content.as_ref() == Some(&expected) && left.is_empty(), "{at}: {left:?}"),
            (Err(_), None) => assert!(has_died || left.is_empty(), "{at}: {left:?}"),
            (Err(error), Some(content)) => {
                let is_told = has_died || lvm_cmd::with_causes(error).contains("hyperlayer.receiving=new");
                assert!(content == expected && is_told, "{at}: {}", lvm_cmd::with_causes(error));
            }
        }
        assert_eq!(world.content("vg0/data").as_ref(), Some(&base), "{at}");
        // The next one, whatever was left, of a volume that has its name already too.
        let other = Actor::new(&world.machine, Fault::None, None);
        if world.content("vg0/new").is_some() {
            let state = state(&world);
            let lvm = Lvm { state: &state, ..lvm(&other, &world) };
            let group = volumes(&other, &"vg0".parse().unwrap()).unwrap();
            Run::start(&lvm).unwrap().remove_leftovers(&lvm, &group).unwrap();
            assert_eq!(world.content("vg0/new"), Some(expected), "{at}: a whole volume is taken for a leftover");
        } else {
            course
                .receive(lvm(&other, &world), &state(&world))
                .unwrap_or_else(|error| panic!("{at}: {}", lvm_cmd::with_causes(&error)));
            assert_eq!(world.content("vg0/new"), Some(expected), "{at}");
        }
        assert_eq!(world.names("hyperlayer-"), [""; 0], "{at}");
        assert_eq!(world.content("vg0/data"), Some(base), "{at}");
    }
    println!("{} of {} cases, {failed} failed", tried.len(), cases.len());
    assert!(failed > 0);
}

//! What suites of other replication tools try.

use lvm_cmd::Program;
use replicate::{LineageError, Prune, Role, Sync, SyncError};

use super::lvm::{Actor, Fault, SIZE};
use super::{World, between, want};
use crate::model;

#[test]
fn what_changed_is_sent_and_nothing_where_nothing_changed() {
    let world = World::with_source();
    let first = world.sync(&want(2)).unwrap();
    assert_eq!(first.parent, None);
    world.is_mirrored("vg0/data", "vg1/copy");
    world.write("vg0/data", 1, 7);
    let second = world.sync(&want(2)).unwrap();
    assert_eq!((second.parent, second.data.get()), (Some(first.layer), 65536));
    world.is_mirrored("vg0/data", "vg1/copy");
    // A snapshot that is the same as the one before.
    let third = world.sync(&want(2)).unwrap();
    assert_eq!((third.parent, third.data.get()), (Some(second.layer), 0));
    world.is_mirrored("vg0/data", "vg1/copy");
}

#[test]
fn the_same_content_comes_back() {
    let world = World::with_source();
    let before = world.content("vg0/data");
    for byte in [1, 2, 1, 1, 2] {
        world.write("vg0/data", 4, byte);
        world.sync(&want(1)).unwrap();
        world.is_mirrored("vg0/data", "vg1/copy");
    }
    assert_ne!(world.content("vg1/copy"), before);
}

#[test]
fn a_copy_of_a_copy() {
    let world = World::with_source();
    for n in 0..4 {
        world.write("vg0/data", n, 40);
        let there = world.sync(&want(1)).unwrap();
        let beyond = world.sync(&between("vg1/copy", "vg2/third", 1)).unwrap();
        assert_eq!((there.parent.is_some(), beyond.parent.is_some()), (n > 0, n > 0), "a delta each time");
        world.is_mirrored("vg0/data", "vg1/copy");
        world.is_mirrored("vg0/data", "vg2/third");
    }
    // The source and two copies; a layer at the first source, and one for each copy; a snapshot of the copy that is a source.
    assert_eq!(world.names("").len(), 3 + 4, "{:?}", world.names(""));
}

#[test]
fn two_copies_of_one_source_prune_nothing_of_each_other() {
    let world = World::with_source();
    let (one, two) = (want(1), between("vg0/data", "vg1/two", 1));
    world.sync(&one).unwrap();
    world.sync(&two).unwrap();
    // The second one lags behind.
    for n in 0..3 {
        world.write("vg0/data", n, 41);
        assert!(world.sync(&one).unwrap().parent.is_some());
        world.make_room_as(&Actor::new(&world.machine, Fault::None, None));
    }
    assert!(world.sync(&two).unwrap().parent.is_some());
    world.is_mirrored("vg0/data", "vg1/copy");
    world.is_mirrored("vg0/data", "vg1/two");
}

#[test]
fn names_that_change_between_runs() {
    let world = World::with_source();
    let pair = Sync { pair: Some("home".parse().unwrap()), ..want(1) };
    let mut place = ("vg0/data", "vg1/copy");
    world.sync(&pair).unwrap();
    for n in 0..4 {
        let layers = world.names("vg1/copy-sync");
        match n {
            0 => {
                world.command(Program::Lvrename, &["vg0", "data", "source"]);
                place.0 = "vg0/source";
            }
            1 => {
                world.command(Program::Lvrename, &["vg1", "copy", "replica"]);
                place.1 = "vg1/replica";
            }
            2 => world.names("-sync-").iter().for_each(|name| {
                let (vg, lv) = name.split_once('/').unwrap();
                world.command(Program::Lvrename, &[vg, lv, &format!("renamed-{lv}")]);
            }),
            _ => {
                world.machine.rename_group("vg0", "vg8");
                world.machine.rename_group("vg1", "vg9");
                place = ("vg8/source", "vg9/replica");
            }
        }
        world.write(place.0, n, 42);
        let (source, destination) = (place.0.parse().unwrap(), place.1.parse().unwrap());
        let done = world.sync(&Sync { source, destination, ..pair.clone() }).unwrap();
        assert!(done.parent.is_some(), "{place:?} {layers:?}");
        world.is_mirrored(place.0, place.1);
    }
}

/// LVM removes a classic snapshot with its origin: a volume that has one stays, under its name.
#[test]
fn a_classic_snapshot_of_the_copy_or_of_a_layer_is_never_removed() {
    let world = World::with_source();
    world.sync(&want(1)).unwrap();
    let snapshot = |of: &str| {
        world.machine.with(|state| state.classic.insert("vg1/users".to_owned(), of.to_owned()));
    };
    let is_there = || world.machine.with(|state| state.classic.contains_key("vg1/users"));
    world.write("vg0/data", 1, 8);
    snapshot("vg1/copy");
    let before = (world.names(""), world.content("vg1/copy"));
    for rollback in [false, true] {
        let refused = world.sync(&Sync { rollback, ..want(1) }).unwrap_err();
        assert_eq!(refused.exit(), 4, "{refused}");
        assert!(refused.to_string().contains("`vg1/users`"), "{refused}");
        assert_eq!((world.names(""), world.content("vg1/copy")), before);
        assert!(is_there());
    }
    snapshot(&world.names("vg1/copy-sync")[0]);
    let layers = world.names("vg1/copy-sync").len();
    world.sync(&want(1)).unwrap();
    assert!(is_there() && world.names("vg1/copy-sync").len() == layers + 1);
    world.is_mirrored("vg0/data", "vg1/copy");
    world.machine.with(|state| state.classic.clear());
    world.sync(&want(1)).unwrap();
    assert_eq!(world.names("vg1/copy-sync").len(), layers);
}

/// Names as long as LVM allows: what is made beside a volume has a shorter one, and what cannot be named is refused before
/// anything is made.
#[test]
fn long_names() {
    let world = World::new();
    let source = format!("{}/{}", "g".repeat(45), "x".repeat(60));
    world.machine.make(&source, &[7; SIZE]);
    let hyphens = "-y".repeat(40);
    let copies = [format!("vg1/{}", "y".repeat(117)), format!("vg1/y{hyphens}"), format!("{}/copy", "g".repeat(80))];
    for copy in copies {
        for n in 1..3 {
            world.write(&source, n, 9);
            world.sync(&between(&source, &copy, 1)).unwrap();
            world.is_mirrored(&source, &copy);
        }
    }
    let before = world.names("");
    for copy in [format!("vg1/{}", "z".repeat(118)), format!("vg1/z{hyphens}-z"), format!("{}/copy", "g".repeat(101))] {
        let refused = world.sync(&between(&source, &copy, 1)).unwrap_err();
        assert!(refused.exit() == 2 && refused.to_string().contains("at most"), "{refused}");
        assert_eq!(world.names(""), before, "{copy}");
    }
}

/// Without a name of its own, the pair's is made of both places.
#[test]
fn a_renamed_source_is_another_pair_unless_the_pair_has_a_name() {
    let world = World::with_source();
    world.sync(&want(1)).unwrap();
    world.command(Program::Lvrename, &["vg0", "data", "source"]);
    let before = (world.names(""), world.content("vg1/copy"));
    let refused = world.sync(&between("vg0/source", "vg1/copy", 1)).unwrap_err();
    assert!(matches!(refused, SyncError::Lineage(LineageError::OtherPair { .. })), "{refused}");
    assert_eq!((world.names(""), world.content("vg1/copy")), before);
}

#[test]
fn the_snapshot_of_an_interrupted_run_is_gone_before_the_next() {
    for removes in [true, false] {
        let world = World::with_source();
        let actor = Actor::new(&world.machine, Fault::None, None);
        [1, 5, 6, 7].into_iter().for_each(|chunk| world.write("vg0/data", chunk, 60));
        // Within the second record, and the second frame.
        let cut = world.sync_cut(&actor, &want(1), model::Fault::Cut(1, 300_000)).0.unwrap_err();
        assert!(world.content("vg1/copy").is_none(), "{cut}");
        if removes {
            world.names("vg0/data-sync").iter().for_each(|name| world.lose(name));
        }
        world.write("vg0/data", 3, 43);
        let done = world.sync(&want(1)).unwrap();
        assert_eq!(done.resumed, !removes, "{cut}");
        world.is_mirrored("vg0/data", "vg1/copy");
        assert_eq!(world.names("").len(), 4, "{:?}", world.names(""));
    }
}

#[test]
fn the_common_snapshot_is_gone_at_the_source_alone() {
    let world = World::with_source();
    world.sync(&want(1)).unwrap();
    world.names("vg0/data-sync").iter().for_each(|name| world.lose(name));
    world.write("vg0/data", 2, 44);
    let before = (world.names(""), world.content("vg1/copy"));
    let refused = world.sync(&want(1)).unwrap_err();
    assert!(matches!(refused, SyncError::Lineage(LineageError::NothingCommon { .. })), "{refused}");
    assert_eq!((refused.exit(), world.names(""), world.content("vg1/copy")), (3, before.0, before.1));
    let done = world.sync(&Sync { use_existing: true, ..want(1) }).unwrap();
    assert!(done.data.get() <= 2 * 65536, "only what differs: {}", done.data);
    world.is_mirrored("vg0/data", "vg1/copy");
}

#[test]
fn without_a_snapshot_the_newest_is_sent() {
    let world = World::with_source();
    let without = Sync { snapshot: false, ..want(3) };
    assert!(matches!(world.sync(&without).unwrap_err(), SyncError::NoSnapshot));
    world.sync(&want(3)).unwrap();
    let before = world.content("vg1/copy");
    world.write("vg0/data", 2, 45);
    assert!(world.sync(&without).unwrap().data.is_zero());
    assert_eq!(world.content("vg1/copy"), before);
}

/// The copy went back to an older layer, so nothing was sent that would be held: that layer is held at the source all the same, so
/// that the daemon, which makes room at any moment of the next run, does not remove it.
#[test]
fn what_the_copy_went_back_to_is_held_at_the_source() {
    let back = || {
        let world = World::with_source();
        let first = world.sync(&want(3)).unwrap();
        world.write("vg0/data", 1, 46);
        let before = world.names("vg0/data-sync");
        world.sync(&want(3)).unwrap();
        let newest = world.names("vg0/data-sync").into_iter().find(|name| !before.contains(name)).unwrap();
        world.lose(&newest);
        let went = world.sync(&Sync { snapshot: false, rollback: true, ..want(3) }).unwrap();
        assert_eq!(went.layer, first.layer);
        let is_held = world.machine.with(|state| state.volumes[&before[0]].tag("hyperlayer.hold=").is_some());
        assert!(is_held);
        world.write("vg0/data", 2, 47);
        world
    };
    for nth in (8..).step_by(12) {
        let world = back();
        let other = Actor::new(&world.machine, Fault::None, None);
        let actor = Actor::new(&world.machine, Fault::None, Some((nth, Box::new(|| world.make_room_as(&other)))));
        let done = world.sync_as(&actor, &want(3)).0.unwrap();
        assert!(done.parent.is_some(), "before command {nth}");
        world.is_mirrored("vg0/data", "vg1/copy");
        if *actor.commands.lock().unwrap() < nth {
            break;
        }
    }
}

/// `lvchange -an -ky` of a copy: each later one is inactive too.
#[test]
fn a_copy_that_its_user_keeps_inactive_stays_so() {
    let world = World::with_source();
    world.sync(&want(1)).unwrap();
    let copy = "vg1/copy";
    world.command(Program::Lvchange, &["--activate", "n", copy]);
    world.command(Program::Lvchange, &["--setactivationskip", "y", copy]);
    for n in 0..3 {
        world.write("vg0/data", n, 48);
        assert!(world.sync(&want(1)).unwrap().parent.is_some());
        assert_eq!(world.content(copy), world.content("vg0/data"));
        world.machine.with(|state| {
            let active: Vec<_> = state.volumes.iter().filter(|(_, thin)| thin.active).map(|(name, _)| name).collect();
            assert_eq!(active, ["vg0/data"]);
        });
    }
}

/// As the help says.
#[test]
fn tags_of_the_source_are_its_own() {
    let world = World::with_source();
    world.command(Program::Lvchange, &["--addtag", "mine", "vg0/data"]);
    world.sync(&want(1)).unwrap();
    world.machine.with(|state| {
        let others = state.volumes.iter().filter(|(name, _)| *name != "vg0/data");
        others.for_each(|(name, thin)| assert!(thin.tag("mine").is_none(), "{name}"));
        assert!(state.volumes["vg0/data"].tags == ["mine"], "and nothing was added to it");
    });
}

/// Where a prune fails after it gave snapshots back to the user, the error names those.
#[test]
fn what_a_failed_prune_did_is_named() {
    const PAIR: &str = "hyperlayer.sync=home";
    const MINE: [&str; 2] = ["mine", "mine2"];
    let prepare = || {
        let world = World::with_source();
        for name in ["mine", "mine2", "old", "older", "newest"] {
            world.command(Program::Lvcreate, &["--snapshot", "--name", name, "vg0/data"]);
            let name = &format!("vg0/{name}");
            world.command(Program::Lvchange, &["--permission", "r", "--addtag", PAIR, name]);
            world.command(Program::Lvchange, &["--addtag", "hyperlayer.source=home", name]);
        }
        for name in MINE {
            world.command(Program::Lvchange, &["--addtag", "hyperlayer.adopted", &format!("vg0/{name}")]);
        }
        world
    };
    let prune = |world: &World, actor: &Actor<'_>| {
        let common = world.machine.with(|state| state.volumes["vg0/newest"].uuid.parse().unwrap());
        let (volume, pair) = ("vg0/data".parse().unwrap(), "home".parse().unwrap());
        let policy = "last=1".parse().unwrap();
        let ask = Prune { volume, pair, role: Role::Source, policy, common, dry_run: false };
        world.sync_between(actor, |host, _| host.prune(&ask))
    };
    let given_back = |world: &World| {
        let is_free =
            |name: &&str| world.machine.with(|state| state.volumes[&format!("vg0/{name}")].tag(PAIR).is_none());
        MINE.into_iter().filter(is_free).collect::<Vec<_>>()
    };
    let world = prepare();
    let actor = Actor::new(&world.machine, Fault::None, None);
    let done = prune(&world, &actor).unwrap();
    assert_eq!(done.removed.iter().map(|removed| removed.name.as_str()).collect::<Vec<_>>(), ["old", "older"]);
    assert_eq!((given_back(&world), world.names("old").len()), (MINE.to_vec(), 0));
    let mut counts = [0; 3];
    for fault in (1..=actor.changes()).flat_map(|n| [Fault::Fails(n), Fault::Dies(n)]) {
        let world = prepare();
        let Err(refusal) = prune(&world, &Actor::new(&world.machine, fault, None)) else { continue };
        let given_back = given_back(&world);
        counts[given_back.len()] += 1;
        let named = refusal.text.as_str().split_once("; the pair's tags were removed from: ").map(|(_, names)| names);
        let expected = (!given_back.is_empty()).then(|| given_back.join(", "));
        assert_eq!(named, expected.as_deref(), "{fault:?}: {}", refusal.text);
        assert!(given_back.is_empty() || refusal.exit == 5, "{fault:?}: {refusal:?}");
    }
    assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
}

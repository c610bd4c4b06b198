use lvm_cmd::Lv;
use proptest::prelude::*;
use proptest::sample::{Index, subsequence};
use replicate::{Destination, Layer, LineageError, Live, Pair, Step, next, parent_tag};

use crate::kit::{bytes, id};

/// A layer `lN` of the source that was made at that time, on `lN-1`.
fn layer(n: usize, created_seconds: Option<i64>) -> Layer {
    Layer {
        name: format!("data-{n}").parse().unwrap(),
        ids: vec![id(&format!("l{n}"))],
        parent: n.checked_sub(1).map(|n| id(&format!("l{n}"))),
        created_seconds,
        size: bytes(4096),
        ours: true,
    }
}

/// The same as it lies at the destination: LVM gave it a UUID and a time of its own.
fn received(layer: &Layer) -> Layer {
    Layer {
        name: format!("copy-{}", layer.name).parse().unwrap(),
        ids: vec![id(&format!("uuid-of-{}", layer.name)), layer.ids[0].clone()],
        created_seconds: Some(7),
        ..layer.clone()
    }
}

fn at(n: i64) -> Layer {
    layer(usize::try_from(n).unwrap(), Some(n))
}

fn destination(live: Live, layers: &[Layer]) -> Destination {
    Destination { live, in_use: false, layers: layers.iter().map(received).collect() }
}

fn holds(n: i64) -> Live {
    Live::Holds { layer: id(&format!("l{n}")), ours: true }
}

fn shown(step: &Result<Step<'_>, LineageError>) -> String {
    match step {
        Ok(Step::Delta { from, on }) => format!("{} on {}", from.name, on.name),
        Ok(Step::Swap { layer }) => format!("swap {}", layer.name),
        Ok(step) => format!("{step:?}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn what_follows() {
    let written = |n: i64| Live::Written { since: id(&format!("l{n}")) };
    let others = Live::Holds { layer: id("l2"), ours: false };
    let kept = [at(0), at(1), at(2)];
    let table = [
        ("nothing there", Live::Missing, vec![], "Initial"),
        ("the newest both have", holds(2), vec![at(0), at(1), at(2)], "data-2 on copy-data-2"),
        ("the source lost what is live", holds(7), vec![at(1), at(7)], "data-1 on copy-data-1"),
        ("its user removed the live one", Live::Missing, vec![at(1)], "data-1 on copy-data-1"),
        ("there already", holds(3), vec![at(2), at(3)], "UpToDate"),
        ("there, but not under its name", holds(2), vec![at(2), at(3)], "swap copy-data-3"),
        ("nothing in common", holds(7), vec![at(7)], "holds layer l7, and the source has no layer left"),
        ("written to", written(2), vec![at(1), at(2)], "was written to since it received layer l2"),
        ("a volume of its user's", Live::Unknown, vec![], "nothing says which layer it holds"),
        ("another pair's", others, vec![at(2)], "another pair"),
    ];
    for (what, live, layers, expected) in table {
        let mut there = destination(live.clone(), &layers);
        let newest = at(3);
        let step = next(&newest, &kept, &there);
        assert!(shown(&step).contains(expected), "{what}: {}", shown(&step));
        // In use changes nothing where nothing is done, or where another no comes first.
        let was = step.is_ok_and(|step| step != Step::UpToDate) || what == "nothing in common";
        there.in_use = true;
        let used = next(&newest, &kept, &there);
        assert_eq!(used == Err(LineageError::InUse), was, "{what}: {}", shown(&used));
    }
}

#[test]
fn a_rollback_is_told_where_to() {
    let there = destination(Live::Written { since: id("l5") }, &[at(1), at(5)]);
    let kept = [at(0), at(1)];
    let refused = next(&at(3), &kept, &there);
    assert_eq!(refused, Err(LineageError::Written { since: id("l5"), common: Some(id("l1")) }));
}

#[test]
fn what_is_the_same() {
    // A smaller one is another volume, whatever its id says; a larger one may be what the destination's extents made of it.
    let kept = [at(0), at(1)];
    let newest = at(3);
    for (size, expected) in [(3584, "data-0 on copy-data-0"), (8192, "data-1 on copy-data-1")] {
        let mut there = destination(holds(1), &[at(0), at(1)]);
        there.layers[1].size = bytes(size);
        assert_eq!(shown(&next(&newest, &kept, &there)), expected);
        let mut there = destination(holds(1), &[at(1), at(3)]);
        there.layers[1].size = bytes(size);
        let expected = if size < 4096 { "data-1 on copy-data-1" } else { "swap copy-data-3" };
        assert_eq!(shown(&next(&newest, &kept, &there)), expected);
    }
    // What a user received by hand can be a base, but is never renamed.
    let mut there = destination(Live::Missing, &[at(1), at(3)]);
    there.layers.iter_mut().for_each(|layer| layer.ours = false);
    assert_eq!(shown(&next(&newest, &kept, &there)), "data-1 on copy-data-1");
    // Of two that hold the same, the pair's.
    let mut there = destination(Live::Missing, &[at(1), at(1)]);
    there.layers[0].name = "zzz".parse().unwrap();
    there.layers[0].ours = false;
    assert_eq!(shown(&next(&newest, &kept, &there)), "data-1 on copy-data-1");
    // Sent back: what the destination made is known at the source by the destination's own id.
    let mut back = at(1);
    back.ids = vec![id("own"), id("uuid-of-data-2")];
    let there = destination(Live::Missing, &[at(2)]);
    let kept = [at(0), back];
    assert_eq!(shown(&next(&newest, &kept, &there)), "data-1 on copy-data-2");
}

#[test]
fn from_what_lvm_reports() {
    let pair: Pair = "web1:vg0/data".parse().unwrap();
    let report = |changes: &[(&str, &str)]| {
        let script = testkit::lvs_step(&[testkit::lv_row(changes)]);
        let exec = lvm_cmd::Scripted::from_transcript(&script).unwrap();
        let all: Vec<Lv> = lvm_cmd::volumes(&exec, &"vg0".parse().unwrap()).unwrap();
        Layer::of(&all[0], &pair).unwrap()
    };
    assert_eq!(report(&[]), None, "a writable volume is no layer");
    let uuid = "jeQKMH-O6R5-y0Qz-wjUO-mBqa-Ye7u-UXe37K";
    let plain = report(&[("lv_attr", "Vri---tz-k")]).unwrap();
    let expected = Layer {
        name: "data".parse().unwrap(),
        ids: vec![id(uuid)],
        parent: None,
        created_seconds: Some(1_763_696_000),
        size: bytes(16_777_216),
        ours: false,
    };
    assert_eq!(plain, expected);
    let tags = format!("mine,{},hyperlayer.layer=tuesday,{}", pair.tag(), parent_tag(&id("monday")).unwrap());
    assert!(tags.contains("hyperlayer.sync=web1:vg0/data") && tags.contains("hyperlayer.parent=monday"), "{tags}");
    let tagged = report(&[("lv_attr", "Vri---tz-k"), ("lv_tags", &tags)]).unwrap();
    let ids = vec![id(uuid), id("tuesday")];
    assert_eq!(tagged, Layer { ids, parent: Some(id("monday")), ours: true, ..expected.clone() });
    // Another pair's, and tags that nobody of us writes.
    let odd = "hyperlayer.sync=web1:vg0/data2,hyperlayer.parent=tuesday,hyperlayer.layer=tuesday,hyperlayer.layer=a,\
               hyperlayer.layer=b,hyperlayer.layer=c,hyperlayer.layer=d";
    let found = report(&[("lv_attr", "Vri---tz-k"), ("lv_tags", odd)]).unwrap();
    let ids = [uuid, "tuesday", "a", "b"].map(id).to_vec();
    assert_eq!(found, Layer { ids, ..expected }, "no more ids than a listing may have");
}

/// A history of `len` layers, what each side still has of it, and clocks that tell anything.
fn history() -> impl Strategy<Value = (Vec<Layer>, Vec<Layer>, Layer)> {
    (2..20_usize).prop_flat_map(|len| {
        let times = proptest::collection::vec(proptest::option::of(-5..5_i64), len);
        (
            times,
            subsequence((0..len - 1).collect::<Vec<_>>(), 0..len - 1),
            subsequence((0..len - 1).collect::<Vec<_>>(), 0..len - 1),
        )
            .prop_map(|(times, here, there)| {
                let all: Vec<_> = times.iter().enumerate().map(|(n, time)| layer(n, *time)).collect();
                let of = |chosen: Vec<usize>| chosen.into_iter().map(|n| all[n].clone()).collect();
                (of(here), of(there), all[all.len() - 1].clone())
            })
    })
}

fn number(layer: &Layer) -> usize {
    layer.name.as_str().rsplit('-').next().unwrap().parse().unwrap()
}

/// Anything that a side may claim.
fn claimed() -> impl Strategy<Value = Layer> {
    let some_id = || (0..6_usize).prop_map(|n| id(&format!("x{n}")));
    let ids = proptest::collection::vec(some_id(), 1..3);
    (0..99_u32, ids, proptest::option::of(some_id()), any::<bool>(), 1..3_u64, 0..3_i64).prop_map(
        |(name, ids, parent, ours, size, time)| Layer {
            name: format!("n{name}").parse().unwrap(),
            ids,
            parent,
            created_seconds: Some(time),
            size: bytes(size * 512),
            ours,
        },
    )
}

fn any_live() -> impl Strategy<Value = Live> {
    let some_id = || (0..6_usize).prop_map(|n| id(&format!("x{n}")));
    prop_oneof![
        Just(Live::Missing),
        Just(Live::Unknown),
        some_id().prop_map(|since| Live::Written { since }),
        (some_id(), any::<bool>()).prop_map(|(layer, ours)| Live::Holds { layer, ours }),
    ]
}

proptest! {
    /// As long as no layer between is missing on both sides, the order of making counts, and no clock.
    #[test]
    fn the_newest_common_layer((here, there, newest) in history()) {
        let there = destination(Live::Missing, &there);
        let common = here.iter().map(number).filter(|n| there.layers.iter().any(|other| number(other) == *n));
        let known = |n: usize| here.iter().chain(&there.layers).any(|layer| number(layer) == n);
        let found = match next(&newest, &here, &there).unwrap() {
            Step::Initial => None,
            Step::Delta { from, on } => {
                prop_assert_eq!(number(from), number(on));
                Some(number(from))
            }
            step => panic!("{step:?}"),
        };
        let expected = common.clone().max();
        if let (Some(found), Some(expected)) = (found, expected) {
            // One that is older is chosen only where nobody remembers that it is.
            prop_assert!(found == expected || !(found + 1..=expected).all(known), "{} for {}", found, expected);
        }
        prop_assert_eq!(found.is_some(), expected.is_some());
    }

    #[test]
    fn no_claim_makes_it_lose_anything(
        newest in claimed(),
        kept in proptest::collection::vec(claimed(), 0..9),
        layers in proptest::collection::vec(claimed(), 0..9),
        live in any_live(),
        in_use in any::<bool>(),
        turn in any::<Index>(),
    ) {
        let there = Destination { live: live.clone(), in_use, layers };
        let step = next(&newest, &kept, &there);
        // What would replace something needs to know what it replaces.
        if let Ok(Step::Initial) = &step {
            prop_assert_eq!(&live, &Live::Missing);
        }
        if let Ok(step) = &step {
            let is_clean = matches!(&live, Live::Missing | Live::Holds { ours: true, .. });
            prop_assert!(is_clean, "{:?} over {:?}", step, live);
            prop_assert!(!in_use || *step == Step::UpToDate);
        }
        match &step {
            Ok(Step::Delta { from, on }) => {
                prop_assert!(on.size >= from.size && from.ids.iter().any(|id| on.ids.contains(id)));
                prop_assert!(kept.contains(from) && there.layers.contains(on));
            }
            Ok(Step::Swap { layer }) => {
                prop_assert!(layer.ours && newest.is_same(layer) && there.layers.contains(layer));
            }
            Ok(Step::UpToDate) => {
                let is_there = matches!(&live, Live::Holds { layer, ours: true } if newest.ids.contains(layer));
                prop_assert!(is_there);
            }
            Ok(Step::Initial) | Err(_) => {}
        }
        // In whatever order both list what they have. Of layers that claim the same name, time and rank, any may be chosen.
        let names = kept.iter().chain(&there.layers).map(|layer| &layer.name);
        let distinct: std::collections::BTreeSet<_> = names.clone().collect();
        if distinct.len() == names.count() {
            let (mut kept, mut turned) = (kept.clone(), there.clone());
            if !kept.is_empty() {
                let n = turn.index(kept.len());
                kept.rotate_left(n);
            }
            if !turned.layers.is_empty() {
                let n = turn.index(turned.layers.len());
                turned.layers.rotate_left(n);
            }
            if !matches!(step, Ok(Step::Swap { .. })) {
                prop_assert_eq!(&step, &next(&newest, &kept, &turned));
            }
        }
    }
}

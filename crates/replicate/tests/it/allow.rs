use replicate::{Access, Adopt, Allow, Kind, Message, NotAllowed, Pattern, Prune, Role, Snapshot, Volumes};

use crate::kit::{list, offer, one_of_each, plan, selected, send};

fn pattern(text: &str) -> Pattern {
    text.parse().unwrap()
}

#[test]
fn patterns_match_names() {
    let table = [
        ("vg0/data*", "vg0/data", true),
        ("vg0/data*", "vg0/data-1", true),
        ("vg0/data*", "vg0/dat", false),
        ("vg0/data*", "vg0/Data", false),
        ("vg0/data*", "VG0/data", false),
        ("vg0/data*", "vg00/data", false),
        ("vg0/data*", "vg/0data", false),
        ("vg0/data*", "vg0/xdata", false),
        ("vg0/data", "vg0/data", true),
        ("vg0/data", "vg0/data2", false),
        ("vg0/*", "vg0/anything", true),
        ("vg0/*", "vg0-1/anything", false),
        ("vg0/*", "vg1/anything", false),
        // The device mapper calls both of these `a--b-c` or `a-b--c`; their names do not mix.
        ("a-b/c*", "a-b/c", true),
        ("a-b/c*", "a/b-c", false),
        ("a/b-c*", "a-b/c", false),
        ("a/b-*", "a/b--c", true),
        ("a/b--*", "a/b-c", false),
        // A dot is a character like any other.
        ("vg0/a.c*", "vg0/abc", false),
        ("vg0/.a*", "vg0/.a", true),
    ];
    for (text, volume, matches) in table {
        assert_eq!(pattern(text).matches(&volume.parse().unwrap()), matches, "{text} {volume}");
        assert_eq!(pattern(text).to_string(), text);
    }
}

#[test]
fn texts_that_are_no_pattern() {
    let form = "expected VG/PREFIX*";
    let name = "since no volume is called so";
    let long = format!("vg0/{}*", "x".repeat(127));
    for (text, why) in [
        ("", form),
        ("*", form),
        ("vg0", form),
        ("vg0*", form),
        ("/", name),
        ("/*", name),
        ("vg0/", name),
        ("*/*", name),
        ("vg*/data", name),
        ("vg0/a*b", name),
        ("vg0/**", name),
        ("vg0/a?", name),
        ("vg0/../*", name),
        ("../*", name),
        ("./*", name),
        ("vg0/..", name),
        ("vg0//*", name),
        ("/dev/vg0/*", name),
        ("vg0/data/*", name),
        ("-vg/*", name),
        ("vg0/-*", name),
        ("vg0/ data*", name),
        ("vg0/data*\n", name),
        ("vg0/snapshot*", name),
        ("vg0/a_tdata*", name),
        (&long, name),
    ] {
        let error = text.parse::<Pattern>().unwrap_err().to_string();
        assert!(error.contains(why), "{text:?}: {error}");
    }
}

#[test]
fn who_may_do_what() {
    let of_kind = |kind| one_of_each().into_iter().find(|message| message.kind() == kind).unwrap();
    let as_source = |message| match message {
        Message::Adopt(adopt) => Message::Adopt(Adopt { role: Role::Source, ..adopt }),
        Message::Prune(prune) => Message::Prune(Prune { role: Role::Source, ..prune }),
        Message::Snapshot(snapshot) => Message::Snapshot(Snapshot { role: Role::Source, ..snapshot }),
        message => message,
    };
    let requests = [
        (list(Role::Source), true, true),
        (list(Role::Destination), true, true),
        (Message::Plan(selected()), true, false),
        (send(None), true, false),
        (of_kind(Kind::Differ), true, false),
        (Message::Try(offer()), false, true),
        (Message::Receive(offer()), false, true),
        (of_kind(Kind::Settle), false, true),
        (of_kind(Kind::Compare), true, true),
        (of_kind(Kind::Snapshot), false, true),
        (as_source(of_kind(Kind::Snapshot)), true, false),
        (of_kind(Kind::Adopt), false, true),
        (as_source(of_kind(Kind::Adopt)), true, false),
        (of_kind(Kind::Prune), false, true),
        (as_source(of_kind(Kind::Prune)), true, false),
    ];
    // Whatever names a volume is asked for here.
    assert_eq!(one_of_each().iter().filter(|message| message.volume().is_some()).count(), requests.len() - 4);
    let patterns = |texts: &[&str]| Volumes::Matching(texts.iter().map(|text| pattern(text)).collect());
    for (request, reads, writes) in &requests {
        let check = |volumes: Volumes, access| Allow { volumes, access }.check(request);
        for volumes in [Volumes::Any, patterns(&["vg0/data", "vg0/copy*"]), patterns(&["vg1/*", "vg0/*"])] {
            assert_eq!(check(volumes.clone(), Access::Both), Ok(()));
            assert_eq!(check(volumes.clone(), Access::ReadOnly).is_ok(), *reads, "{request:?}");
            assert_eq!(check(volumes, Access::ReceiveOnly).is_ok(), *writes, "{request:?}");
        }
        for volumes in [patterns(&[]), patterns(&["vg1/*"]), patterns(&["vg0/datas*", "vg0/cop"])] {
            for access in [Access::Both, Access::ReadOnly, Access::ReceiveOnly] {
                let refused = check(volumes.clone(), access).unwrap_err();
                // Which way it might go is not told either.
                assert!(matches!(refused, NotAllowed::Volume { .. }), "{refused}");
            }
        }
    }
    // What is about no volume is not this rule's.
    let nothing = Allow { volumes: patterns(&[]), access: Access::ReadOnly };
    assert_eq!(nothing.check(&Message::Planned(plan())), Ok(()));
    assert_eq!(nothing.check(&Message::Ping(1)), Ok(()));
}

/// Else whoever may name one volume could have any other taken for its layer, and sent.
#[test]
fn a_snapshot_that_is_adopted_is_named_too() {
    let of_kind = |kind| one_of_each().into_iter().find(|message| message.kind() == kind).unwrap();
    let Message::Adopt(adopt) = of_kind(Kind::Adopt) else { panic!("an adoption") };
    let allow = |texts: &[&str]| Allow {
        volumes: Volumes::Matching(texts.iter().map(|text| pattern(text)).collect()),
        access: Access::Both,
    };
    let named = |name: &str| Message::Adopt(Adopt { snapshot: name.parse().unwrap(), ..adopt.clone() });
    assert_eq!(allow(&["vg0/copy*"]).check(&named("copy-old")), Ok(()));
    let refused = NotAllowed::Volume { volume: "vg0/secret".parse().unwrap() };
    assert_eq!(allow(&["vg0/copy*"]).check(&named("secret")), Err(refused));
}

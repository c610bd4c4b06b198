use replicate::{Access, Allow, Message, NotAllowed, Pattern, Role, Volumes};

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
    let requests = [
        (list(Role::Source), true, true),
        (list(Role::Destination), true, true),
        (Message::Plan(selected()), true, false),
        (send(None), true, false),
        (Message::Try(offer()), false, true),
        (Message::Receive(offer()), false, true),
        (one_of_each().into_iter().find(|message| matches!(message, Message::Compare(_))).unwrap(), true, true),
    ];
    // Whatever names a volume is asked for here.
    assert_eq!(one_of_each().iter().filter(|message| message.volume().is_some()).count(), requests.len() - 1);
    let patterns = |texts: &[&str]| Volumes::Matching(texts.iter().map(|text| pattern(text)).collect());
    for (request, reads, writes) in &requests {
        let check = |volumes: Volumes, access| Allow { volumes, access }.check(request);
        for volumes in [Volumes::Any, patterns(&["vg0/data", "vg0/copy"]), patterns(&["vg1/*", "vg0/*"])] {
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

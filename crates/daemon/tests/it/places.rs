//! Names of jobs and places of volumes.

use daemon::{JobName, Place};

#[test]
fn what_is_a_place() {
    for (text, host, volume) in [
        ("vg0/home", None, "vg0/home"),
        ("/dev/vg0/home", None, "vg0/home"),
        ("box:vg0/home", Some("box"), "vg0/home"),
        ("mirror@box.example.org:vg0/home", Some("mirror@box.example.org"), "vg0/home"),
        ("ssh://mirror@10.0.0.1:vg0/home", Some("mirror@10.0.0.1"), "vg0/home"),
        ("[fe80::1%eth0]:vg0/home", Some("[fe80::1%eth0]"), "vg0/home"),
        ("root@[::1]:vg0/home", Some("root@[::1]"), "vg0/home"),
    ] {
        let place: Place = text.parse().unwrap();
        assert_eq!((place.host(), place.volume().to_string().as_str()), (host, volume), "{text}");
        assert_eq!(place.to_string().parse::<Place>().unwrap(), place);
    }
    for text in [
        "",
        "home",
        "box:home",
        ":vg0/home",
        "ssh://vg0/home",
        "@box:vg0/home",
        "mirror@:vg0/home",
        "a b:vg0/home",
        "-oProxyCommand=x:vg0/home",
        "-l@box:vg0/home",
        "mirror@-box:vg0/home",
        "a@b@c:vg0/home",
        "::1:vg0/home",
        "[]:vg0/home",
        "[::1:vg0/home",
        "box;id:vg0/home",
        "box\n:vg0/home",
        "vg0/home\n",
        "vg0/-home",
        "ssh://ssh://b:v/l",
    ] {
        assert!(text.parse::<Place>().is_err(), "{text:?}");
    }
    assert_eq!(
        "box:home".parse::<Place>().unwrap_err().to_string(),
        "expected VG/LV or [USER@]HOST:VG/LV, found `box:home`"
    );
}

#[test]
fn what_is_a_job() {
    for text in ["a", "web1.home", "A_b-3", &"x".repeat(64)] {
        assert_eq!(text.parse::<JobName>().unwrap().as_str(), text);
    }
    for text in ["", "-a", ".a", "a b", "a'b", "a|b", "a\n", "ä", &"x".repeat(65)] {
        assert!(text.parse::<JobName>().is_err(), "{text:?}");
    }
}

//! Where a store can be, and where not.

use std::path::Path;

use store::{Error, ErrorKind, Location, Options, Store};

use crate::kit::{Place, edit, on_both, options, put};

#[test]
fn a_store_is_made_once_in_an_empty_place() {
    on_both(|place| {
        assert!(matches!(place.open(), Err(Error::NotAStore { .. })));
        let store = place.init();
        assert!(matches!(Store::init(&place.location, &place.options), Err(Error::AlreadyAStore { .. })));
        assert_eq!(place.open().unwrap().id(), store.id());
        assert_eq!(store.id().len(), 32);
    });
}

#[test]
fn a_store_is_not_made_among_other_things() {
    on_both(|place| {
        let file = place.file("letters/to-mother.txt");
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, "dear").unwrap();
        let refused = Store::init(&place.location, &place.options).unwrap_err();
        assert!(matches!(&refused, Error::NotEmpty { found, .. } if found.contains("mother")), "{refused:?}");
        assert_eq!(place.files(), ["letters/to-mother.txt"]);
    });
}

#[test]
fn what_is_no_place_for_a_store() {
    let place = Place::folder();
    let store = place.init();
    let file = tempfile::NamedTempFile::new().unwrap();
    for made in [Store::open, Store::init] {
        let refused = made(&Location::folder(file.path()), &place.options).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Usage, "{refused:?}");
        assert!(refused.to_string().contains("it is a file"), "{refused}");
    }
    let link = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(place.file("below"), link.path().join("link")).unwrap();
    std::fs::create_dir(place.file("below")).unwrap();
    for below in [place.file("below"), place.file("deep/below"), link.path().join("link")] {
        let refused = Store::init(&Location::folder(&below), &place.options).unwrap_err();
        assert!(matches!(refused, Error::Within { .. }), "{refused:?}");
    }
    assert_eq!(store.check().unwrap().problems, []);
    for text in ["s3:/bucket/x", "s3:bucket", "file:/srv/store", "gs:", "az:/c"] {
        let refused = Location::parse(text).unwrap_err();
        assert!(refused.to_string().contains("two slashes"), "{refused}");
    }
    Location::parse("./s3:/x").unwrap();
    for text in ["backup1:/srv/store", "sftp:me@host:/srv", "rest:http://h/", "host:store", "b2:bucket", "C:"] {
        let refused = Location::parse(text).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Usage, "{text}");
    }
    for text in ["./host:/x", "/srv/a:b", "file:///srv/a:b"] {
        Location::parse(text).unwrap();
    }
}

/// Names that no object can have: somebody else's files.
#[test]
fn files_with_strange_names_are_passed_over() {
    use std::os::unix::ffi::OsStrExt;
    let strange: [&[u8]; 6] = [b"a\nb", b"\x1b[2J", b"\xff\xfe", b"a%2Fb", b"a*b", b"#1"];
    for name in strange {
        let name = std::ffi::OsStr::from_bytes(name);
        let place = Place::folder();
        let store = place.init();
        let stored = put(&store, "a", None, b"x");
        for folder in ["", "manifests", "manifests/vg=2Fhome", "layers/vg=2Fhome", "marks", "locks"] {
            std::fs::create_dir_all(place.file(folder)).unwrap();
            std::fs::write(place.file(folder).join(name), "theirs").unwrap();
        }
        assert_eq!(store.list(None).unwrap().layers(), [&stored], "{name:?}");
        let report = store.check().unwrap();
        assert!(report.broken.is_empty(), "{name:?}");
        let _ = store.garbage().unwrap();

        let other = Place::folder();
        std::fs::create_dir_all(other.file("")).unwrap();
        std::fs::write(other.file("").join(name), "theirs").unwrap();
        let refused = Store::init(&other.location, &other.options).map(drop);
        assert!(name == "#1" || matches!(refused, Err(Error::NotEmpty { .. })), "{name:?}: {refused:?}");
    }
}

#[test]
fn what_a_newer_or_no_program_made_is_refused() {
    on_both(|place| {
        let store = place.init();
        put(&store, "a", None, b"x");
        let marker = place.file("hyperlayer-store.json");
        let right = std::fs::read_to_string(&marker).unwrap();
        for (from, to, newer) in [
            ("\"version\": 1", "\"version\": 2", true),
            ("\"version\": 1", "\"version\": 99999999999", true),
            ("\"version\": 1", "\"version\": \"1\"", false),
            ("\"id\"", "\"name\"", false),
            ("\"id\"", "\"more\": 1, \"id\"", false),
            ("{", "", false),
        ] {
            edit(&marker, |bytes| *bytes = right.replacen(from, to, 1).into());
            let refused = place.open().unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Refused, "{to}: {refused:?}");
            assert_eq!(matches!(refused, Error::Newer { .. }), newer, "{to}: {refused:?}");
            assert!(newer || refused.hint().unwrap().contains("STORE.md"), "{refused:?}");
        }
        edit(&marker, |bytes| bytes.resize(2 << 20, b' '));
        assert_eq!(place.open().unwrap_err().kind(), ErrorKind::Refused);
    });
}

#[test]
fn texts_that_name_a_place() {
    for (text, shown) in [
        ("/srv/backup", "/srv/backup"),
        ("relative/x", "relative/x"),
        ("file:///srv/b", "/srv/b"),
        ("s3://bucket", "s3://bucket"),
        ("s3://bucket/", "s3://bucket"),
        ("s3://my.bucket-1/a/b/", "s3://my.bucket-1/a/b"),
        ("gs://bucket/a=b", "gs://bucket/a=b"),
        ("az://container/x", "az://container/x"),
    ] {
        assert_eq!(Location::parse(text).unwrap().to_string(), shown);
    }
    let refused = [
        "",
        "s3://",
        "s3:///x",
        "file://x",
        "http://x/y",
        "ftp://x",
        "s3://user:secret@host/x",
        "s3://b/../x",
        "s3://b//x",
        "s3://b/a b",
        "s3://b/x?y",
        "a\nb",
    ];
    for text in refused {
        assert_eq!(Location::parse(text).unwrap_err().kind(), ErrorKind::Usage, "{text}");
    }
    for text in
        ["s3://user:hidden@host/x", "az://c/p?sv=1&sig=hidden", "rest:https://u:hidden@h/?x", "https://me:p@hidden@h"]
    {
        let shown = format!("{0} {0:?}", Location::parse(text).unwrap_err());
        assert!(!shown.contains("hidden"), "{shown}");
    }
}

#[test]
fn a_folder_that_is_not_there_is_no_store_and_is_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let place = Location::folder(folder.path().join("x"));
    assert!(matches!(Store::open(&place, &options()), Err(Error::NotAStore { .. })));
    assert!(!folder.path().join("x").exists());
    std::fs::write(folder.path().join("x"), "a file").unwrap();
    assert!(Store::init(&place, &options()).is_err());
}

#[test]
fn wrong_secrets_are_told_from_a_missing_store_and_not_shown() {
    let place = Place::s3();
    place.init();
    let mut options = place.options.clone();
    for (key, value) in &mut options.environment {
        if key == "AWS_SECRET_ACCESS_KEY" {
            "not-the-right-one".clone_into(value);
        }
    }
    let refused = Store::open(&place.location, &options).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unreachable, "{refused:?}");
    let text = format!("{refused:?} {options:?}");
    assert!(!text.contains("not-the-right-one"), "{text}");
}

#[test]
fn a_bucket_that_is_not_there_is_told() {
    let place = Place::s3();
    let location = Location::parse("s3://nobodys/x").unwrap();
    for refused in [Store::init(&location, &place.options), Store::open(&location, &place.options)] {
        let refused = refused.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::NotFound, "{refused:?}");
        assert!(refused.hint().unwrap().starts_with("make the bucket"), "{refused:?}");
    }
}

/// Where a file system of one megabyte can be mounted.
fn small_disk(at: &Path) -> bool {
    let mount = std::process::Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "none"]).arg(at).output();
    mount.is_ok_and(|output| output.status.success())
}

#[test]
fn root_a_full_disk_is_told_and_nothing_is_left() {
    use std::io::Write;
    let folder = tempfile::tempdir().unwrap();
    if !small_disk(folder.path()) {
        println!("skipped: mounting a tmpfs needs root");
        return;
    }
    let store = Store::init(&Location::folder(folder.path()), &Options { ..options() }).unwrap();
    let lock = store.lock_shared().unwrap();
    let mut writer = crate::kit::begin(&store, &lock, "a", &store::Encoding::default());
    let bytes = crate::kit::noise(40 << 20, 1);
    let written = writer.write_all(&bytes).map_err(|error| Error::from_io(error).unwrap());
    let error = written.and_then(|()| writer.finish(crate::kit::draft(None), store::ReadBack::Length)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Full, "{error:?}");
    assert!(error.hint().unwrap().contains("make room"));
    assert_eq!(store.garbage().unwrap(), []);
    assert!(store.list(None).unwrap().layers().is_empty());
    put(&store, "a", None, b"small enough");
    drop((lock, store));
    assert!(std::process::Command::new("umount").arg(folder.path()).status().unwrap().success());
}

/// As in a small virtual machine. The library looks for certificates at the environment's places.
#[test]
fn a_machine_without_certificates_reaches_a_service_without_tls() {
    let program = std::env::current_exe().unwrap();
    let mut run = std::process::Command::new(program);
    run.args(["--exact", "places::a_store_is_made_once_in_an_empty_place"]);
    let output = run.env("SSL_CERT_FILE", "/nonexistent").env("SSL_CERT_DIR", "/nonexistent").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

#[test]
fn a_machine_without_certificates_says_so() {
    if std::env::var_os("WITHOUT_CERTIFICATES").is_some() {
        let environment = [("AWS_ACCESS_KEY_ID", "x"), ("AWS_SECRET_ACCESS_KEY", "x")];
        let environment = environment.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let place = Location::parse("s3://bucket").unwrap();
        let refused = Store::open(&place, &Options { environment, ..options() }).unwrap_err();
        let why = std::error::Error::source(&refused).unwrap().to_string();
        assert_eq!(refused.kind(), ErrorKind::Unreachable);
        assert!(why.contains("certificates"), "{why}");
        return;
    }
    let mut run = std::process::Command::new(std::env::current_exe().unwrap());
    run.args(["--exact", "places::a_machine_without_certificates_says_so"]).env("WITHOUT_CERTIFICATES", "1");
    let output = run.env("SSL_CERT_FILE", "/nonexistent").env("SSL_CERT_DIR", "/nonexistent").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// What is not encrypted is read by its owner alone, unless the owner says otherwise.
#[test]
fn a_new_store_is_its_owners() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::folder();
    let store = place.init();
    let stored = put(&store, "a", None, b"a");
    let mode = |key: &str| std::fs::metadata(place.file(key)).unwrap().permissions().mode() & 0o777;
    for folder in ["", "layers", "layers/vg=2Fhome", "manifests", "manifests/vg=2Fhome"] {
        assert_eq!(mode(folder), 0o700, "{folder}");
    }
    for file in ["hyperlayer-store.json", &stored.layer.key, "manifests/vg=2Fhome/a.json"] {
        assert_eq!(mode(file), 0o600, "{file}");
    }
    // A store that is to be read by a group stays so.
    std::fs::set_permissions(place.file("layers/vg=2Fhome"), std::fs::Permissions::from_mode(0o750)).unwrap();
    let stored = put(&store, "b", None, b"b");
    assert_eq!(mode(&stored.layer.key) & 0o037, 0);
    assert_eq!(mode(&stored.layer.key) & 0o600, 0o600);

    // A folder that is there already keeps its permissions; what comes into it is the owner's.
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let store = Store::init(&Location::folder(folder.path()), &options()).unwrap();
    put(&store, "a", None, b"a");
    let mode = |name: &str| std::fs::metadata(folder.path().join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(""), mode("layers"), mode("manifests")), (0o755, 0o700, 0o700));
}

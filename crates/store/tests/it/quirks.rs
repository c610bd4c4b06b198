//! What real services do beside what they should: nothing of it may lose a backup or lock a store.

use std::io::Write;
use std::time::{Duration, Instant};

use s3_server::{Fault, Requests};
use store::{Encoding, Error, ErrorKind, Location, Options, ReadBack, Store};

use crate::kit::{Place, begin, draft, get, noise, put};

/// A store on a server with a fault that is switched on after it was made.
fn with(requests: Requests, fault: Fault, times: u32) -> (Place, Store) {
    let place = Place::s3();
    let store = place.init();
    place.switch_on(requests, fault, times);
    (place, store)
}

/// A whole life of a store: two layers are added, read, one is removed, and no lock is left.
fn lives(place: &Place, store: &Store, parts: usize) {
    let content = noise(parts * (8 << 20) + 1000, 1);
    let (old, new) = (put(store, "old", None, b"old"), put(store, "new", None, &content));
    assert_eq!(get(store, &old).unwrap(), b"old");
    assert!(get(store, &new).unwrap() == content);
    let lock = store.lock_exclusive().unwrap();
    let mut listing = store.list(None).unwrap();
    assert_eq!(listing.layers().len(), 2);
    store.remove(&lock, &mut listing, &old.layer.series, &old.layer.layer).unwrap();
    drop(lock);
    place.switch_off();
    assert_eq!(store.list(None).unwrap().layers(), [&new]);
    assert_eq!(store.garbage().unwrap(), []);
    assert_eq!(store.locks().unwrap(), (vec![], vec![]));
    assert_eq!(store.check().unwrap().problems, []);
}

#[test]
fn what_some_services_do_is_no_obstacle() {
    let slash = |keys: &[&str]| Fault::AlsoList(keys.iter().map(|key| format!("deep/store/{key}")).collect());
    for (requests, fault, times) in [
        (Requests::BulkDelete, Fault::Refuse(405, "MethodNotAllowed"), u32::MAX),
        (Requests::BulkDelete, Fault::Refuse(501, "NotImplemented"), u32::MAX),
        (Requests::BulkDelete, Fault::Refuse(403, "AccessDenied"), u32::MAX),
        (Requests::Create, Fault::Refuse(409, "ConditionalRequestConflict"), 2),
        (Requests::Create, Fault::Refuse(409, "OperationAborted"), 2),
        (Requests::Create, Fault::DoneButFailed(500, "InternalError"), 1),
        (Requests::Create, Fault::DoneButFailed(500, "InternalError"), 3),
        (Requests::Create, Fault::DoneButFailed(503, "SlowDown"), 2),
        (Requests::Complete, Fault::DoneButFailed(500, "InternalError"), 1),
        (Requests::Complete, Fault::DoneButFailed(504, "GatewayTimeout"), 2),
        (Requests::Complete, Fault::DoneButFailed(200, "InternalError"), 1),
        (Requests::Complete, Fault::DoneButFailed(200, "NoSuchUpload"), 1),
        (Requests::Delete, Fault::DoneButFailed(500, "InternalError"), 2),
        (Requests::Delete, Fault::DoneButFailed(404, "NoSuchKey"), 2),
        (Requests::Any, Fault::Refuse(503, "SlowDown"), 2),
        (Requests::Any, Fault::Refuse(429, "TooManyRequests"), 2),
        (Requests::List, slash(&["", "locks/", "layers/", "manifests/", "marks/", "layers/vg=2Fhome/"]), u32::MAX),
        (Requests::List, slash(&["manifests/vg=2Fhome/", "marks/vg=2Fhome/", "marks/vg=2Fhome/new/"]), u32::MAX),
    ] {
        println!("{requests:?} {fault:?} {times}");
        let (place, store) = with(requests, fault, times);
        lives(&place, &store, usize::from(requests == Requests::Complete));
    }
}

#[test]
fn a_store_is_made_where_a_service_does_it_and_says_otherwise() {
    for (requests, fault, times) in [
        (Requests::Create, Fault::DoneButFailed(500, "InternalError"), 1),
        (Requests::Create, Fault::Refuse(409, "ConditionalRequestConflict"), 2),
        (Requests::List, Fault::AlsoList(vec!["deep/store/".into(), "deep/store/layers/".into()]), u32::MAX),
    ] {
        println!("{requests:?} {fault:?}");
        let place = Place::s3();
        place.switch_on(requests, fault, times);
        let store = place.init();
        assert_eq!(place.open().unwrap().id(), store.id());
        lives(&place, &store, 0);
    }
}

/// An empty object with the name of a lock, a layer or a manifest is damage, not a placeholder.
#[test]
fn an_empty_object_is_not_a_placeholder() {
    let place = Place::s3();
    let store = place.init();
    put(&store, "a", None, b"x");
    for key in ["manifests/vg=2Fhome/b.json", "locks/0123456789abcdef.json"] {
        std::fs::create_dir_all(place.file(key).parent().unwrap()).unwrap();
        std::fs::write(place.file(key), "").unwrap();
    }
    assert_eq!(store.list(None).unwrap().problems.len(), 1);
    assert_eq!(store.locks().unwrap().1.len(), 1);
    assert!(matches!(store.lock_shared(), Err(Error::UnknownLock { .. })));
}

/// What cannot be listed must not look as if it were not there: `prune` would remove what is not named.
#[test]
fn a_listing_that_breaks_off_is_an_error() {
    let (place, store) = with(Requests::List, Fault::AlsoList(vec!["deep/store/manifests/x//y".into()]), 0);
    put(&store, "a", None, b"x");
    place.switch_on(Requests::List, Fault::AlsoList(vec!["deep/store/manifests/x//y".into()]), u32::MAX);
    let refused = store.list(None).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Refused, "{refused:?}");
    assert!(refused.hint().is_some());
    assert!(store.garbage().is_err());
}

#[test]
fn a_service_without_conditions_is_refused_when_a_store_is_made() {
    let place = Place::s3();
    place.switch_on(Requests::Create, Fault::IgnoreCondition, u32::MAX);
    let refused = Store::init(&place.location, &place.options).unwrap_err();
    assert!(matches!(refused, Error::Unconditional { .. }), "{refused:?}");
    assert_eq!(place.files(), [""; 0], "nothing is left");

    place.switch_off();
    place.switch_on(Requests::Create, Fault::Refuse(501, "NotImplemented"), u32::MAX);
    let before = Instant::now();
    let refused = Store::init(&place.location, &place.options).unwrap_err();
    assert!(before.elapsed() < Duration::from_secs(3), "it is not asked again and again");
    let text = cause(&refused);
    assert!(text.contains("does not support") && text.contains("If-None-Match"), "{text}");
    assert!(refused.hint().unwrap().contains("conditional writes"));
    assert_eq!(place.files(), [""; 0]);
}

fn cause(error: &Error) -> String {
    std::error::Error::source(error).map(ToString::to_string).unwrap_or_default()
}

/// Whatever goes wrong with the last request of an upload: what arrived is not sent again.
#[test]
fn an_upload_that_is_there_counts_whatever_was_answered() {
    let (place, store) = with(Requests::Complete, Fault::DoneButFailed(502, "BadGateway"), u32::MAX);
    let lock = store.lock_shared().unwrap();
    let mut writer = begin(&store, &lock, "a", &Encoding::default());
    writer.write_all(&noise(30 << 20, 1)).unwrap();
    let stored = writer.finish(draft(None), ReadBack::Data).unwrap();
    drop(lock);
    place.switch_off();
    assert!(get(&store, &stored).unwrap() == noise(30 << 20, 1));
    // One that is not there does not.
    place.switch_on(Requests::Complete, Fault::Refuse(502, "BadGateway"), u32::MAX);
    let lock = store.lock_shared().unwrap();
    let mut writer = begin(&store, &lock, "b", &Encoding::default());
    writer.write_all(b"x").unwrap();
    let failed = writer.finish(draft(None), ReadBack::Data).unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::Unreachable, "{failed:?}");
    assert_eq!(store.list(None).unwrap().layers().len(), 1);
}

/// What a server answers, what is said, and which setting the hint names.
#[test]
fn causes_in_one_sentence() {
    let refuse = Fault::Refuse;
    for (fault, kind, says, hint) in [
        (refuse(404, "NoSuchBucket"), ErrorKind::NotFound, "there is no such bucket", "make the bucket"),
        (refuse(403, "InvalidAccessKeyId"), ErrorKind::Unreachable, "refuses the access key", "AWS_ACCESS_KEY_ID"),
        (
            refuse(403, "SignatureDoesNotMatch"),
            ErrorKind::Unreachable,
            "refuses the access key",
            "AWS_SECRET_ACCESS_KEY",
        ),
        (refuse(400, "ExpiredToken"), ErrorKind::Unreachable, "refuses the access key", "AWS_SESSION_TOKEN"),
        (refuse(401, ""), ErrorKind::Unreachable, "refuses the access key", "AWS_ACCESS_KEY_ID"),
        (refuse(403, "AccessDenied"), ErrorKind::Unreachable, "denies access", "s3:PutObject"),
        (refuse(403, "RequestTimeTooSkewed"), ErrorKind::Unreachable, "machine's clock", "timedatectl"),
        (refuse(301, "PermanentRedirect"), ErrorKind::Unreachable, "in another region", "AWS_REGION"),
        (refuse(400, "AuthorizationHeaderMalformed"), ErrorKind::Unreachable, "in another region", "AWS_REGION"),
        (
            refuse(403, "SecondLevelDomainForbidden"),
            ErrorKind::Unreachable,
            "in the host name",
            "AWS_VIRTUAL_HOSTED_STYLE_REQUEST",
        ),
        (refuse(501, "NotImplemented"), ErrorKind::Unreachable, "does not support reading", "lvbackup"),
        (refuse(405, "MethodNotAllowed"), ErrorKind::Unreachable, "does not support", ""),
        (refuse(507, "XMinioStorageFull"), ErrorKind::Full, "no space left", "make room"),
        (refuse(503, "SlowDown"), ErrorKind::Unreachable, "is busy (503 SlowDown)", "run the same command again"),
        (
            refuse(500, "InternalError"),
            ErrorKind::Unreachable,
            "failed (500 InternalError)",
            "run the same command again",
        ),
        (refuse(400, "Odd"), ErrorKind::Unreachable, "refuses the request (400 Odd: as it was told)", ""),
        (Fault::Page, ErrorKind::Unreachable, "is not an object store", "AWS_ENDPOINT"),
    ] {
        let (place, _) = with(Requests::Any, fault.clone(), u32::MAX);
        for refused in [Store::init(&place.location, &place.options), place.open()].map(Result::unwrap_err) {
            let (text, next) = (cause(&refused), refused.hint().unwrap_or_default());
            assert_eq!(refused.kind(), kind, "{fault:?}: {refused:?}");
            assert!(text.contains(says) && !text.contains("Generic S3 error"), "{fault:?}: {text}");
            assert!(hint == "lvbackup" || next.contains(hint), "{fault:?}: {next}");
        }
    }
}

#[test]
fn nobody_to_connect_to_and_no_name_for_it() {
    let place = Place::s3();
    for (endpoint, says) in [
        ("http://127.0.0.1:1", "cannot connect to 127.0.0.1:1: Connection refused"),
        ("http://no-such-host.invalid:9000", "cannot connect to no-such-host.invalid:9000"),
    ] {
        let mut options = place.options.clone();
        options.retries.count = 0;
        options.environment.push(("AWS_ENDPOINT_URL_S3".into(), endpoint.into()));
        let refused = Store::open(&place.location, &options).unwrap_err();
        assert!(cause(&refused).contains(says), "{}", cause(&refused));
        assert_eq!(refused.kind(), ErrorKind::Unreachable);
        assert!(refused.hint().unwrap().contains("AWS_ENDPOINT"));
    }
}

#[test]
fn tls_to_a_service_without_it() {
    let place = Place::s3();
    let mut options = place.options.clone();
    options.retries.count = 0;
    options.environment.iter_mut().filter(|(name, _)| name == "AWS_ENDPOINT").for_each(|(_, url)| {
        *url = url.replace("http://", "https://");
    });
    let refused = Store::open(&place.location, &options).unwrap_err();
    assert!(cause(&refused).contains("its answer is not TLS"), "{}", cause(&refused));
    assert!(refused.hint().unwrap().contains("AWS_ENDPOINT"));
}

/// A machine without a role, or one whose network refuses the address that gives the role's credentials.
#[test]
fn credentials_that_nobody_gives() {
    for status in [403, 404] {
        let (place, _) = with(Requests::Any, Fault::Refuse(status, "Forbidden"), u32::MAX);
        for fallback in ["", "true"] {
            let mut options = place.options.clone();
            options.retries.count = 0;
            let endpoint = options.environment.iter().find(|(name, _)| name == "AWS_ENDPOINT").unwrap().1.clone();
            options.environment.retain(|(name, _)| !name.contains("KEY"));
            options.environment.push(("AWS_METADATA_ENDPOINT".into(), endpoint));
            options.environment.push(("AWS_IMDSV1_FALLBACK".into(), fallback.into()));
            let refused = Store::open(&place.location, &options).unwrap_err();
            let (text, hint) = (cause(&refused), refused.hint().unwrap());
            assert!(text.contains("the environment has no credentials"), "{status}: {text}");
            assert!(hint.contains("set AWS_ACCESS_KEY_ID"), "{status}: {hint}");
        }
    }
}

#[test]
fn half_a_key() {
    let place = Place::s3();
    for (missing, there) in
        [("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), ("AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID")]
    {
        for empty in [false, true] {
            let mut options = place.options.clone();
            options.environment.retain(|(name, _)| name != missing);
            if empty {
                options.environment.push((missing.into(), String::new()));
            }
            let refused = Store::open(&place.location, &options).unwrap_err();
            let says = format!("the environment variable {missing}: it is not set, and {there} is");
            assert!(refused.to_string().contains(&says), "{refused}");
        }
    }
}

#[test]
fn variables_are_checked_before_they_are_used() {
    let place = Place::s3();
    place.init();
    let set = |name: &str, value: &str| {
        let mut options = place.options.clone();
        options.environment.retain(|(before, _)| before != name);
        options.environment.push((name.into(), value.into()));
        Store::open(&place.location, &options)
    };
    for name in
        ["AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_DEFAULT_REGION", "AWS_CHECKSUM_ALGORITHM"]
    {
        set(name, "").unwrap_or_else(|error| panic!("{name}: {error:?}"));
    }
    set("AWS_REGION", "").unwrap();
    set("AWS_PROFILE", "a\nb").expect("a variable that is not used is not looked at");
    for (name, value) in [
        ("AWS_ENDPOINT", "minio:9000"),
        ("AWS_ENDPOINT", "http://h:99999"),
        ("AWS_ENDPOINT", "http://"),
        ("AWS_ENDPOINT", "http://h:/x"),
        ("AWS_ENDPOINT", "http://a b"),
        ("AWS_ENDPOINT", "http://h/\"<>"),
        ("AWS_ENDPOINT", "http://h/?x=y"),
        ("AWS_ENDPOINT", "ftp://h"),
        ("AWS_ENDPOINT", "http://user:hidden@h"),
        ("AWS_ENDPOINT_URL", "h:9000"),
        ("AWS_ENDPOINT_URL_S3", "http://h:x"),
        ("AWS_METADATA_ENDPOINT", "169.254.169.254"),
        ("AWS_REGION", "us east"),
        ("AWS_REGION", "us-east-1\n"),
        ("AWS_REGION", "é"),
        ("AWS_ACCESS_KEY_ID", "hidden\r\n"),
        ("AWS_ACCESS_KEY_ID", "hiddén"),
        ("AWS_SECRET_ACCESS_KEY", "hidden\n"),
        ("AWS_SESSION_TOKEN", "hidden\u{7f}"),
        ("AWS_SESSION_TOKEN", "\u{1b}[2Jhidden"),
        ("AWS_ALLOW_HTTP", "maybe"),
        ("AWS_ALLOW_HTTP", "false"),
        ("AWS_CHECKSUM_ALGORITHM", "md4"),
        ("AWS_TIMEOUT", "soon"),
        ("AWS_CONDITIONAL_PUT", "disabled"),
        ("AWS_CONDITIONAL_PUT", "sometimes"),
    ] {
        let refused = set(name, value).unwrap_err();
        let text = format!("{refused} {refused:?} {}", cause(&refused));
        assert!(
            matches!(&refused, Error::Setting { name: named, .. } if named.starts_with("AWS_")),
            "{name}={value:?}: {text}"
        );
        assert!(text.contains(name) || name == "AWS_ALLOW_HTTP", "{name}={value:?}: {text}");
        assert!(!text.contains("hidden"), "{text}");
    }
    let key = ("AZURE_STORAGE_ACCOUNT_KEY", "aGlkZGVu");
    for (location, name, value, more) in [
        ("az://c", "AZURE_STORAGE_ACCOUNT_NAME", "a\tb", key),
        ("az://c", "AZURE_STORAGE_ACCOUNT_NAME", "a/b", key),
        ("az://c", "AZURE_STORAGE_ENDPOINT", "account.example", ("AZURE_STORAGE_ACCOUNT_NAME", "x")),
        ("az://c", "AZURE_STORAGE_ACCOUNT_KEY", "not base 64", ("AZURE_STORAGE_ACCOUNT_NAME", "x")),
        ("gs://b", "GOOGLE_SERVICE_ACCOUNT", "/no\nwhere", ("GOOGLE_X", "")),
        ("gs://b", "GOOGLE_SERVICE_ACCOUNT", "/nowhere", ("GOOGLE_X", "")),
        ("gs://b", "GOOGLE_SERVICE_ACCOUNT_KEY", "hidden", ("GOOGLE_X", "")),
    ] {
        let environment = [(name, value), more].map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let options = Options { environment, ..place.options.clone() };
        let refused = Store::open(&Location::parse(location).unwrap(), &options).unwrap_err();
        assert!(
            matches!(&refused, Error::Setting { name: named, .. } if named == name),
            "{name}={value:?}: {refused:?}"
        );
        assert!(!format!("{refused:?}").contains("hidden"), "{refused:?}");
    }
}

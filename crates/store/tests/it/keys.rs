//! Encryption at rest.

use age::secrecy::ExposeSecret;
use age::x25519::Identity;
use store::limits::MAX_RECIPIENTS;
use store::{Encoding, Error, ErrorKind, Facts, Fault, Identities, Recipients, Stored, Wrapping};

use crate::kit::{Place, get, get_with, noise, on_both, put_as};

fn text(secret: &Identity) -> String {
    secret.to_string().expose_secret().to_owned()
}

/// Somebody to encrypt to, and what opens it; or nobody.
pub(crate) fn pair(somebody: bool) -> (Recipients, Identities) {
    if !somebody {
        return (Recipients::default(), Identities::none());
    }
    let secret = Identity::generate();
    (Recipients::parse([secret.to_public().to_string()]).unwrap(), Identities::parse(&text(&secret)).unwrap())
}

#[test]
fn each_recipient_opens_it_and_nobody_else() {
    on_both(|place| {
        let store = place.init();
        let (one, two, stranger) = (Identity::generate(), Identity::generate(), Identity::generate());
        let recipients = Recipients::parse([&one, &two].map(|secret| secret.to_public().to_string())).unwrap();
        let bytes = b"nobody reads this ".repeat(100_000);
        let encoding = Encoding { zstd_level: Some(3), recipients };
        let stored = put_as(&store, "a", None, &bytes, &encoding);
        assert_eq!(stored.layer.wrapping, Wrapping { zstd: true, age: true });
        assert!(stored.layer.key.ends_with(".hl.zst.age"));

        for secret in [&one, &two] {
            let file = format!("# created: today\n\n{}\n{}\n", text(&stranger), text(secret));
            assert!(get_with(&store, &stored, &Identities::parse(&file).unwrap()).unwrap() == bytes);
        }
        let wrong = Identities::parse(&text(&stranger)).unwrap();
        for identities in [Identities::none(), wrong] {
            let refused = get_with(&store, &stored, &identities).unwrap_err();
            assert!(matches!(refused, Error::NoIdentity { .. }), "{refused:?}");
        }
        // Without a secret: all but reading.
        store.verify(&stored).unwrap();
        assert_eq!(store.list(None).unwrap().layers(), [&stored]);

        // An independent reader agrees about what is in the file.
        let object = std::fs::read(place.file(&stored.layer.key)).unwrap();
        let plain = age::decrypt(&two, &object).unwrap();
        assert!(zstd::decode_all(plain.as_slice()).unwrap() == bytes);
    });
}

/// A layer whose object is another one, as a manifest could say.
fn replace(place: &Place, stored: &Stored, object: &[u8]) -> Stored {
    std::fs::write(place.file(&stored.layer.key), object).unwrap();
    let mut other = stored.clone();
    other.layer.object = Facts { len: object.len().into(), blake3: blake3::hash(object) };
    other
}

/// Whoever can write to the store can make a header that never ends.
#[test]
fn a_header_without_an_end_is_refused_early() {
    let place = Place::folder();
    let store = place.init();
    let (recipients, identities) = pair(true);
    let stored = put_as(&store, "a", None, b"secret", &Encoding { zstd_level: None, recipients });
    let first = b"age-encryption.org/v1\n";
    let stanza = format!("-> X25519 {0}\n{0}\n", "A".repeat(43));
    for (what, object) in [
        ("64 KiB", [&first[..], &vec![b'A'; 40 << 20]].concat()),
        ("one long stanza", [&first[..], b"-> X25519 ", &vec![b'A'; 40 << 20]].concat()),
        ("stanzas", [&first[..], &stanza.repeat(400_000).into_bytes()].concat()),
        ("short stanzas", [&first[..], &b"-> a\n\n".repeat(10_000)].concat()),
        ("cut", [&first[..], stanza.as_bytes()].concat()),
        ("cut in a line", [&first[..], &stanza.as_bytes()[..60]].concat()),
        ("nothing", Vec::new()),
    ] {
        let hostile = replace(&place, &stored, &object);
        let refused = store.read(&hostile, &identities).expect_err(what);
        let Error::Object { source: Fault::Encoding(why), .. } = &refused else { panic!("{what}: {refused:?}") };
        let is_limit = why.contains("more than 65536 bytes") || why.contains("more than 2048 lines");
        assert_eq!(is_limit, object.len() > 1000, "{what}: {why}");
    }
}

/// As many as may be given can be read again.
#[test]
fn as_many_recipients_as_are_allowed() {
    let place = Place::folder();
    let store = place.init();
    let (secret, stranger) = (Identity::generate(), Identity::generate());
    let all = |count: usize| {
        let strangers = std::iter::repeat_n(stranger.to_public().to_string(), count - 1);
        Recipients::parse(strangers.chain([secret.to_public().to_string()]))
    };
    let encoding = Encoding { zstd_level: None, recipients: all(MAX_RECIPIENTS).unwrap() };
    let stored = put_as(&store, "a", None, b"secret", &encoding);
    assert_eq!(get_with(&store, &stored, &Identities::parse(&text(&secret)).unwrap()).unwrap(), b"secret");
    assert_eq!(all(MAX_RECIPIENTS + 1).unwrap_err().kind(), ErrorKind::Usage);
}

#[test]
fn a_text_that_is_no_key_is_refused_and_a_secret_not_repeated() {
    let refused = Recipients::parse(["age1nonsense"]).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Usage);
    assert!(refused.to_string().contains("age1nonsense"));
    assert!(Identities::parse("# nothing\n").is_err());
    let wrong = format!("\n{}Q\n", text(&Identity::generate()));
    let refused = Identities::parse(&wrong).unwrap_err().to_string();
    assert!(refused.contains("line 2") && !refused.contains(wrong.trim()), "{refused}");
    assert_eq!(format!("{:?}", Identities::parse(&text(&Identity::generate())).unwrap()), "Identities(1)");
}

#[test]
fn what_is_not_encrypted_needs_no_secret() {
    on_both(|place| {
        let store = place.init();
        let bytes = noise(70_000, 1);
        let stored = put_as(&store, "a", None, &bytes, &Encoding::default());
        assert!(get(&store, &stored).unwrap() == bytes);
        assert!(get_with(&store, &stored, &pair(true).1).unwrap() == bytes);
    });
}

/// What is no recipient may be somebody's secret, also where it is cut or in other letters.
#[test]
fn no_error_repeats_a_key() {
    let secret = text(&Identity::generate());
    for given in [secret.clone(), secret.to_lowercase(), secret[..40].to_owned(), secret[16..].to_owned()] {
        let refused = Recipients::parse(["age1ql3z7hjy", &given]).unwrap_err();
        let shown = format!("{refused} {refused:?} {:?}", refused.hint());
        assert!(!shown.to_uppercase().contains(&secret[16..40]), "{shown}");
        let refused = Identities::parse(&format!("{given}x")).unwrap_err();
        assert!(!format!("{refused} {refused:?}").to_uppercase().contains(&secret[16..40]), "{refused}");
    }
    let refused = Recipients::parse([&secret]).unwrap_err();
    assert!(refused.to_string().contains("public key"), "{refused}");
}

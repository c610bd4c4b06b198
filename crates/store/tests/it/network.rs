//! Connections that break, servers that die.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use s3_server::Server;
use store::{Encoding, Error, ErrorKind, Identities, Options, ReadBack, Retries, Store};

use crate::kit::{Place, begin, draft, get, noise, put};

/// What a proxy does to connections.
#[derive(Default)]
struct Faults {
    /// How many bytes a connection carries in one direction before it is cut; 0: all.
    cut_after: AtomicU64,
    /// How many connections are still to be cut.
    cuts: AtomicU64,
    /// How many answers to requests that write or read a manifest are still to be swallowed.
    swallow: AtomicU64,
}

/// A way to a server that can be cut.
struct Proxy {
    address: SocketAddr,
    faults: Arc<Faults>,
}

impl Proxy {
    fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let faults = Arc::new(Faults::default());
        let shared = faults.clone();
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (Ok(client), Ok(server)) = (client, TcpStream::connect(server)) else { continue };
                let swallowing = Arc::new(AtomicU64::new(0));
                for (from, to, up) in [(&client, &server, true), (&server, &client, false)] {
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    let (faults, swallowing) = (shared.clone(), swallowing.clone());
                    std::thread::spawn(move || carry(from, to, up, &faults, &swallowing));
                }
            }
        });
        Self { address, faults }
    }

    fn options(&self, place: &Place) -> Options {
        Options { environment: Server::environment(self.address), ..place.options.clone() }
    }

    fn open(&self, place: &Place) -> Store {
        Store::open(&place.location, &self.options(place)).unwrap()
    }

    fn cut(&self, connections: u64, after: u64) {
        self.faults.cut_after.store(after, Ordering::SeqCst);
        self.faults.cuts.store(connections, Ordering::SeqCst);
    }
}

/// One less, unless there is none.
fn take(count: &AtomicU64) -> bool {
    count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok()
}

fn carry(mut from: TcpStream, mut to: TcpStream, up: bool, faults: &Faults, swallowing: &AtomicU64) {
    let mut buffer = vec![0; 64 << 10];
    let mut carried = 0;
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        let bytes = &buffer[..count];
        carried += count as u64;
        let limit = faults.cut_after.load(Ordering::SeqCst);
        if limit > 0 && carried > limit && take(&faults.cuts) {
            break;
        }
        let is_manifest = (bytes.starts_with(b"PUT ") || bytes.starts_with(b"GET "))
            && bytes.windows(11).any(|word| word == b"/manifests/");
        if up && is_manifest && take(&faults.swallow) {
            swallowing.store(1, Ordering::SeqCst);
        }
        if !up && swallowing.load(Ordering::SeqCst) > 0 {
            break;
        }
        if to.write_all(bytes).is_err() {
            break;
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}

#[test]
fn an_upload_that_is_cut_now_and_then_arrives() {
    let place = Place::s3();
    place.init();
    let proxy = Proxy::before(place.address());
    let store = proxy.open(&place);
    proxy.cut(3, 3 << 20);
    let stored = put(&store, "a", None, &noise(40 << 20, 1));
    assert_eq!(proxy.faults.cuts.load(Ordering::SeqCst), 0, "all cuts were made");
    assert!(get(&place.open().unwrap(), &stored).unwrap() == noise(40 << 20, 1));
}

#[test]
fn a_download_that_is_cut_now_and_then_goes_on() {
    let place = Place::s3();
    let stored = put(&place.init(), "a", None, &noise(40 << 20, 1));
    let proxy = Proxy::before(place.address());
    let store = proxy.open(&place);
    proxy.cut(4, 5 << 20);
    assert!(get(&store, &stored).unwrap() == noise(40 << 20, 1));
    assert_eq!(proxy.faults.cuts.load(Ordering::SeqCst), 0, "all cuts were made");
}

#[test]
fn an_upload_that_cannot_arrive_fails_and_adds_nothing() {
    let place = Place::s3();
    place.init();
    let proxy = Proxy::before(place.address());
    let store = proxy.open(&place);
    let lock = store.lock_shared().unwrap();
    let mut writer = begin(&store, &lock, "a", &Encoding::default());
    proxy.cut(u64::MAX, 1 << 20);
    let failed = writer.write_all(&noise(80 << 20, 1)).unwrap_err();
    let failed = Error::from_io(failed).unwrap();
    assert_eq!(failed.kind(), ErrorKind::Unreachable, "{failed:?}");
    assert!(failed.hint().unwrap().contains("run the same command again"));
    assert!(writer.finish(draft(None), ReadBack::Length).is_err(), "who goes on does not get a part for the whole");
    drop(lock);
    let store = place.open().unwrap();
    assert!(store.list(None).unwrap().layers().is_empty());
    assert_eq!(store.garbage().unwrap(), []);
    let stored = put(&store, "a", None, b"again");
    assert_eq!(get(&store, &stored).unwrap(), b"again");
}

#[test]
fn a_download_that_cannot_go_on_fails() {
    let place = Place::s3();
    let stored = put(&place.init(), "a", None, &noise(20 << 20, 1));
    let proxy = Proxy::before(place.address());
    let store = proxy.open(&place);
    proxy.cut(u64::MAX, 1 << 20);
    let failed = get(&store, &stored).unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::Unreachable, "{failed:?}");
}

#[test]
fn a_manifest_whose_answer_is_lost_counts_once() {
    let place = Place::s3();
    place.init();
    let proxy = Proxy::before(place.address());
    let store = proxy.open(&place);
    for (n, swallowed) in [1, 2].into_iter().enumerate() {
        proxy.faults.swallow.store(swallowed, Ordering::SeqCst);
        let name = format!("l{n}");
        let stored = put(&store, &name, None, b"once");
        assert_eq!(proxy.faults.swallow.load(Ordering::SeqCst), 0, "the answers were swallowed");
        assert_eq!(get(&store, &stored).unwrap(), b"once");
    }
    assert_eq!(store.list(None).unwrap().layers().len(), 2);
}

/// The manifest arrived, but its writer is never told: whatever it says, the layer must stay whole.
#[test]
fn a_manifest_whose_writer_is_never_told_keeps_its_object() {
    let place = Place::s3();
    place.init();
    let proxy = Proxy::before(place.address());
    let store = proxy.open(&place);
    let lock = store.lock_shared().unwrap();
    let mut writer = begin(&store, &lock, "a", &Encoding::default());
    writer.write_all(b"kept").unwrap();
    proxy.faults.swallow.store(u64::MAX, Ordering::SeqCst);
    let failed = writer.finish(draft(None), ReadBack::Length).unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::Unreachable, "{failed:?}");
    drop(lock);
    let direct = place.open().unwrap();
    let listing = direct.list(None).unwrap();
    assert_eq!(listing.layers().len(), 1);
    assert_eq!(get(&direct, listing.layers()[0]).unwrap(), b"kept");
    // The mark that said so until the manifest was there.
    let garbage = direct.remove_garbage(&direct.lock_exclusive().unwrap()).unwrap();
    assert!(garbage.iter().all(|one| one.key.contains("/pending-")), "{garbage:?}");
    assert_eq!(get(&direct, direct.list(None).unwrap().layers()[0]).unwrap(), b"kept");
}

#[test]
fn a_server_killed_in_mid_upload_has_no_layer_and_takes_it_again() {
    let place = Place::s3();
    let store = place.init();
    let kept = put(&store, "kept", None, &noise(1000, 1));
    let lock = store.lock_shared().unwrap();
    let mut writer = begin(&store, &lock, "a", &Encoding { zstd_level: Some(1), ..Encoding::default() });
    writer.write_all(&noise(30 << 20, 2)).unwrap();
    place.kill_server();
    let rest = writer.write_all(&noise(60 << 20, 3)).map_err(|error| Error::from_io(error).unwrap());
    let failed = rest.and_then(|()| writer.finish(draft(None), ReadBack::Data)).unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::Unreachable, "{failed:?}");
    drop(lock);
    assert_eq!(store.list(None).unwrap_err().kind(), ErrorKind::Unreachable);

    let options = place.restart_server();
    let store = Store::open(&place.location, &options).unwrap();
    assert_eq!(store.list(None).unwrap().layers(), [&kept]);
    assert_eq!(store.garbage().unwrap(), []);
    let again = put(&store, "a", None, &noise(30 << 20, 2));
    assert!(get(&store, &again).unwrap() == noise(30 << 20, 2));
    // The lock that could not be removed is that of a dead process to the next one.
    let mut later = Options { is_alive: Arc::new(|pid| pid != 1234), ..options };
    later.holder.pid = 99;
    let later = Store::open(&place.location, &later).unwrap();
    let garbage = later.remove_garbage(&later.lock_exclusive().unwrap()).unwrap();
    assert!(garbage.iter().all(|one| one.key.contains("/pending-")), "{garbage:?}");
    assert_eq!(later.list(None).unwrap().layers().len(), 2);
}

#[test]
fn a_server_killed_in_mid_download_is_told() {
    let place = Place::s3();
    let store = place.init();
    let stored = put(&store, "a", None, &noise(60 << 20, 1));
    let mut reader = store.read(&stored, &Identities::none()).unwrap();
    let mut buffer = vec![0; 1 << 20];
    reader.read_exact(&mut buffer).unwrap();
    place.kill_server();
    let failed = std::io::copy(&mut reader, &mut std::io::sink()).unwrap_err();
    assert_eq!(Error::from_io(failed).unwrap().kind(), ErrorKind::Unreachable);
}

#[test]
fn nobody_there_is_told_soon() {
    let place = Place::s3();
    place.init();
    let retries = Retries { count: 1, within: Duration::from_secs(5) };
    let options = Options { retries, ..place.options.clone() };
    place.kill_server();
    let refused = Store::open(&place.location, &options).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unreachable, "{refused:?}");
    let text = refused.to_string();
    assert!(text.contains("s3://bucket/deep/store"), "{text}");
}

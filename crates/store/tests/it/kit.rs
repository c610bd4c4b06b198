//! A store to try things on, and the files in which its objects lie.

use std::cell::{Cell, RefCell};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use extents::{Bytes, ChunkSize};
use hyperlayer::{LayerId, Totals};
use s3_server::Server;
use store::{
    Draft, Encoding, Error, Holder, Identities, LayerWriter, Location, Options, ReadBack, Retries, Series, SharedLock,
    Store, Stored,
};

/// A place for a store.
pub(crate) struct Place {
    folder: tempfile::TempDir,
    server: RefCell<Option<Server>>,
    pub(crate) location: Location,
    pub(crate) options: Options,
}

impl Place {
    pub(crate) fn folder() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let location = Location::parse(folder.path().join("bucket/deep/store").to_str().unwrap()).unwrap();
        Self { folder, server: RefCell::default(), location, options: options() }
    }

    pub(crate) fn s3() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("bucket")).unwrap();
        let server = Server::start(folder.path(), 0).unwrap();
        let options = Options { environment: Server::environment(server.address()), ..options() };
        let location = Location::parse("s3://bucket/deep/store").unwrap();
        Self { folder, server: RefCell::new(Some(server)), location, options }
    }

    pub(crate) fn init(&self) -> Store {
        Store::init(&self.location, &self.options).unwrap()
    }

    pub(crate) fn open(&self) -> Result<Store, Error> {
        Store::open(&self.location, &self.options)
    }

    /// The file of an object: the server keeps them as such too.
    pub(crate) fn file(&self, key: &str) -> PathBuf {
        self.folder.path().join("bucket/deep/store").join(key)
    }

    pub(crate) fn is_folder(&self) -> bool {
        self.server.borrow().is_none()
    }

    pub(crate) fn address(&self) -> std::net::SocketAddr {
        self.server.borrow().as_ref().unwrap().address()
    }

    pub(crate) fn switch_on(&self, requests: s3_server::Requests, fault: s3_server::Fault, times: u32) {
        self.server.borrow().as_ref().unwrap().switch_on(requests, fault, times);
    }

    pub(crate) fn switch_off(&self) {
        self.server.borrow().as_ref().unwrap().switch_off();
    }

    /// Cuts all connections of the server, for good.
    pub(crate) fn kill_server(&self) {
        self.server.take();
    }

    /// A server over the same objects.
    pub(crate) fn restart_server(&self) -> Options {
        let server = Server::start(self.folder.path(), 0).unwrap();
        let environment = Server::environment(server.address());
        self.server.replace(Some(server));
        Options { environment, ..self.options.clone() }
    }

    /// All objects and half objects, by their paths.
    pub(crate) fn files(&self) -> Vec<String> {
        let root = self.file("");
        let mut found = Vec::new();
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    found.push(path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned());
                }
            }
        }
        found.sort();
        found
    }
}

/// Runs a test on a folder and on S3.
pub(crate) fn on_both(test: impl Fn(&Place)) {
    test(&Place::folder());
    test(&Place::s3());
}

pub(crate) fn options() -> Options {
    // A test before this one may have been on this thread.
    WAITED.set(0);
    let retries = Retries { count: 3, within: Duration::from_secs(20) };
    Options { retries, ..Options::new(holder(), now, |_| true) }
}

pub(crate) fn holder() -> Holder {
    Holder {
        host: "here".into(),
        boot_id: "boot-1".into(),
        pid_namespace: "pid:[4026531836]".into(),
        pid: 1234,
        command: "a test".into(),
    }
}

/// 2026-11-21T03:00:00Z.
const START: u64 = 1_795_230_000;

thread_local! {
    /// What [`wait`] added to that. A test's own: others in the same process run on other threads.
    static WAITED: Cell<u64> = const { Cell::new(0) };
}

pub(crate) fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(START + WAITED.get())
}

/// Lets time pass.
pub(crate) fn wait(time: Duration) {
    WAITED.set(WAITED.get() + time.as_secs());
}

pub(crate) fn series() -> Series {
    Series::new("vg/home").unwrap()
}

pub(crate) fn id(text: &str) -> LayerId {
    LayerId::new(text).unwrap()
}

pub(crate) fn draft(parent: Option<&str>) -> Draft {
    let chunk_size = ChunkSize::from_bytes(Bytes::new(65536)).unwrap();
    let totals = Totals { data_records: 3, data: Bytes::new(1 << 20), ..Totals::default() };
    let draft = Draft::full(now(), Bytes::new(1 << 30), chunk_size, totals);
    parent.into_iter().fold(draft, |draft, parent| draft.on(id(parent)))
}

/// Bytes that do not compress, and are others for another seed.
pub(crate) fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut bytes = vec![0; len];
    let key = blake3::hash(&seed.to_le_bytes());
    blake3::Hasher::new_keyed(key.as_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

pub(crate) fn begin(store: &Store, lock: &SharedLock, layer: &str, encoding: &Encoding) -> LayerWriter {
    store.begin(lock, &series(), &id(layer), encoding, Bytes::new(1 << 30)).unwrap()
}

pub(crate) fn put_as(store: &Store, layer: &str, parent: Option<&str>, bytes: &[u8], encoding: &Encoding) -> Stored {
    let lock = store.lock_shared().unwrap();
    let mut writer = begin(store, &lock, layer, encoding);
    for piece in bytes.chunks(1_000_003) {
        writer.write_all(piece).unwrap();
    }
    writer.finish(draft(parent), ReadBack::Data).unwrap()
}

pub(crate) fn put(store: &Store, layer: &str, parent: Option<&str>, bytes: &[u8]) -> Stored {
    put_as(store, layer, parent, bytes, &Encoding::default())
}

pub(crate) fn get(store: &Store, stored: &Stored) -> Result<Vec<u8>, Error> {
    get_with(store, stored, &Identities::none())
}

pub(crate) fn get_with(store: &Store, stored: &Stored, identities: &Identities) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let read = store.read(stored, identities)?.read_to_end(&mut bytes);
    match read {
        Ok(_) => Ok(bytes),
        Err(error) => Err(Error::from_io(error).unwrap()),
    }
}

/// Changes a file.
pub(crate) fn edit(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = std::fs::read(path).unwrap();
    change(&mut bytes);
    std::fs::write(path, bytes).unwrap();
}

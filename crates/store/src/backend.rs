//! The folder or bucket: blocking calls over `object_store`, on threads of its own.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use extents::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{
    BackoffConfig, ClientOptions, GetOptions, GetRange, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt,
    PutMode, PutOptions, RetryConfig,
};
use tokio::runtime::{Builder, Handle, Runtime};

use crate::environment::Environment;
use crate::error::{Cause, Error, ErrorKind};
use crate::fault::Fault;
use crate::folder::Folder;
use crate::limits::{
    CREATE_TRIES, MAX_OBJECTS, MAX_SMALL_BYTES, REQUEST_TIMEOUT, SMALL_AT_ONCE, STOP_FOR_CHANGES, STOP_IS_LOOKED_FOR,
};
use crate::location::{Location, Place, Service};
use crate::names::is_folder;
use crate::options::Options;
use crate::service::Connector;
use crate::unfinished;
use crate::upload::{self, Upload};

/// What is read of one object that should be small.
pub(crate) type Small = Result<Vec<u8>, Fault>;

/// The objects of a store; its own calls wait.
#[derive(Debug)]
pub(crate) struct Backend {
    threads: Handle,
    /// Until it is dropped.
    runtime: Option<Runtime>,
    options: Options,
    pub(crate) objects: Objects,
}

/// The same for tasks. Cheap to clone; holds no runtime, which must not end within one.
#[derive(Clone, Debug)]
pub(crate) struct Objects {
    inner: Arc<dyn ObjectStore>,
    location: Location,
    folder: Option<Folder>,
}

impl Backend {
    /// Connects to what is there; makes the folder where `make` is set.
    pub(crate) fn new(location: &Location, options: &Options, make: bool) -> Result<Self, Error> {
        let runtime = Builder::new_multi_thread().worker_threads(2).thread_name("store").enable_all().build();
        let runtime = runtime.map_err(|source| Error::Local { doing: "start the store's threads", source })?;
        let failed = |error| failed(location, "open a store", &error);
        let (inner, folder) = match location.place() {
            Place::Folder(path) => {
                if path.exists() && !path.is_dir() {
                    let why = "it is a file, and a store is a directory".into();
                    return Err(Error::Location { text: location.to_string(), why });
                }
                let io = |error: std::io::Error| match (make, error.kind()) {
                    (false, std::io::ErrorKind::NotFound) => Error::NotAStore { location: location.to_string() },
                    _ => failed(object_store::Error::Generic { store: "folder", source: error.into() }),
                };
                let folder = Folder::new(path, make, Arc::clone(&options.sync)).map_err(io)?;
                (Arc::new(folder.clone()) as Arc<dyn ObjectStore>, Some(folder))
            }
            Place::Given { objects, .. } => (Arc::clone(&objects.0), None),
            Place::Bucket { service, bucket, prefix } => {
                let store = bucket_store(*service, (bucket, prefix), options, REQUEST_TIMEOUT, location)?;
                (Arc::new(store) as Arc<dyn ObjectStore>, None)
            }
        };
        let objects = Objects { inner, location: location.clone(), folder };
        Ok(Self { threads: runtime.handle().clone(), runtime: Some(runtime), options: options.clone(), objects })
    }

    pub(crate) fn threads(&self) -> &Handle {
        &self.threads
    }

    /// Waits for what changes nothing; [`Error::Stopped`] as soon as the caller wants to stop.
    pub(crate) fn wait<T>(&self, work: impl Future<Output = T>) -> Result<T, Error> {
        self.until_stopped(work, Duration::ZERO).ok_or(Error::Stopped)
    }

    /// Waits for what changes something, [`STOP_FOR_CHANGES`] longer: whether it was done should be known.
    pub(crate) fn wait_for_change<T>(
        &self,
        doing: &str,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        self.until_stopped(work, STOP_FOR_CHANGES).unwrap_or_else(|| Err(self.stopped_in(doing)))
    }

    /// A stop when something may be done already.
    pub(crate) fn stopped_in(&self, doing: &str) -> Error {
        let (doing, location) = (doing.to_owned(), self.location().to_string());
        Error::Backend { doing, location, kind: ErrorKind::Unreachable, source: Cause::stopped() }
    }

    fn until_stopped<T>(&self, work: impl Future<Output = T>, longer: Duration) -> Option<T> {
        self.threads.block_on(async {
            let mut work = std::pin::pin!(work);
            let mut stopped = None;
            loop {
                if let Ok(done) = tokio::time::timeout(STOP_IS_LOOKED_FOR, &mut work).await {
                    return Some(done);
                }
                if self.options.stop.load(Ordering::Relaxed)
                    && stopped.get_or_insert_with(Instant::now).elapsed() >= longer
                {
                    return None;
                }
            }
        })
    }

    pub(crate) fn location(&self) -> &Location {
        &self.objects.location
    }

    /// The folder, where the store is one.
    pub(crate) fn folder(&self) -> Option<&Folder> {
        self.objects.folder.as_ref()
    }

    /// Makes durable what another process may have written in a directory of the store, and this one has seen.
    pub(crate) fn settle(&self, directory: &str) -> Result<(), Error> {
        let Some(folder) = self.folder() else { return Ok(()) };
        let failed = |error| self.failed(&format!("sync `{directory}`"), &crate::folder::failed(directory, error));
        folder.settle(directory).map_err(failed)
    }

    /// A whole small object; `None`: it is not there.
    pub(crate) fn small(&self, key: &str) -> Result<Option<Small>, Error> {
        self.wait(self.objects.small(key))?
    }

    /// The whole of many small objects; one that is gone by now is left out.
    pub(crate) fn smalls(&self, keys: Vec<String>) -> Result<Vec<(String, Small)>, Error> {
        self.wait(self.objects.smalls(keys))?
    }

    /// Writes an object; under [`PutMode::Create`] only where there is none, else the error's kind is `Exists`. One of
    /// the same content is taken for what this call wrote.
    pub(crate) fn put(&self, key: &str, bytes: Vec<u8>, mode: PutMode) -> Result<(), Error> {
        self.wait_for_change(&format!("write `{key}`"), self.objects.put(key, bytes, mode))
    }

    /// The same with one request, whatever there is.
    pub(crate) fn put_once(&self, key: &str, bytes: Vec<u8>, mode: PutMode) -> Result<(), Error> {
        self.wait_for_change(&format!("write `{key}`"), self.objects.put_once(key, bytes, mode))
    }

    /// An object's length in bytes; `None`: it is not there.
    pub(crate) fn len(&self, key: &str) -> Result<Option<u64>, Error> {
        self.wait(self.objects.len(key))?
    }

    /// All keys under a folder, and their lengths in bytes, sorted. Refuses links to folders: what they lead to, and
    /// might be removed as the store's, is none of it. Files whose names no object can have are passed over.
    pub(crate) fn list(&self, folder: &str) -> Result<Vec<(String, u64)>, Error> {
        let objects = &self.objects;
        let failed = |error| objects.failed(&format!("list `{folder}`"), &error);
        let prefix = (!folder.is_empty()).then(|| objects.path(folder)).transpose()?;
        // Outside of the runtime, where a folder's listing goes on after an error.
        let all = objects.inner.list(prefix.as_ref());
        let all = all.filter(|found| std::future::ready(!objects.is_passed_over(found)));
        let all = all.take(MAX_OBJECTS + 1).try_collect::<Vec<_>>();
        let all = self.wait(all)?.map_err(failed)?;
        if all.len() > MAX_OBJECTS {
            let why = format!("there are more than {MAX_OBJECTS} objects");
            return Err(failed(object_store::Error::Generic { store: "store", source: why.into() }));
        }
        let mut keys: Vec<_> = all.into_iter().map(|meta| (meta.location.to_string(), meta.size)).collect();
        keys.sort();
        match self
            .folder()
            .and_then(|folder| unfinished::link_among(folder.root(), keys.iter().map(|(key, _)| key.as_str())))
        {
            Some(link) => Err(Error::object(link, Fault::Link)),
            None => Ok(keys),
        }
    }

    pub(crate) fn is_folder(&self) -> bool {
        self.objects.folder.is_some()
    }

    /// One key, if there is any.
    pub(crate) fn any(&self) -> Result<Option<String>, Error> {
        let objects = &self.objects;
        let all = objects.inner.list(None);
        let mut all = all.filter(|found| std::future::ready(!objects.is_placeholder(found)));
        let first = self.wait(all.next())?;
        if first.as_ref().is_some_and(is_no_key) {
            return Ok(Some("a file with a name that no object can have".into()));
        }
        let first = first.transpose().map_err(|error| self.objects.failed("list", &error))?;
        Ok(first.map(|meta| meta.location.to_string()))
    }

    /// Removes an object, durably; it may be gone already.
    pub(crate) fn delete(&self, key: &str) -> Result<(), Error> {
        self.wait_for_change(&format!("remove `{key}`"), self.objects.delete(key))
    }

    /// Begins an object of that length at most.
    pub(crate) fn upload(&self, key: &str, at_most: Bytes) -> Result<Box<dyn MultipartUpload>, Error> {
        let path = self.objects.path(key)?;
        let failed = |error| self.objects.failed(&format!("begin `{key}`"), &error);
        let timeout = upload::request_timeout(at_most);
        let store = match self.location().place() {
            // A client has one timeout for all of its requests.
            Place::Bucket { service, bucket, prefix } if timeout > REQUEST_TIMEOUT => {
                Arc::new(bucket_store(*service, (bucket, prefix), &self.options, timeout, self.location())?)
            }
            _ => Arc::clone(&self.objects.inner),
        };
        self.wait(store.put_multipart(&path))?.map_err(failed)
    }

    /// Gives an upload up. What cannot be removed counts for nothing, but takes room.
    pub(crate) fn abort(&self, upload: Upload) {
        let doing = "remove the parts of an unfinished upload";
        let removed = async { upload.abort().await.map_err(|error| self.failed(doing, &error)) };
        if let Err(error) = self.wait_for_change(doing, removed) {
            tracing::warn!("{error}: {}", error.cause());
        }
    }

    pub(crate) fn failed(&self, doing: &str, error: &object_store::Error) -> Error {
        self.objects.failed(doing, error)
    }
}

/// What a task still does after a signal is not waited for.
impl Drop for Backend {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Objects {
    pub(crate) async fn small(&self, key: &str) -> Result<Option<Small>, Error> {
        let path = self.path(key)?;
        let failed = |error| self.failed(&format!("read `{key}`"), &error);
        let found = match self.inner.get(&path).await {
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            found => found.map_err(failed)?,
        };
        if found.meta.size > MAX_SMALL_BYTES {
            return Ok(Some(Err(Fault::TooLarge { found: found.meta.size, limit: MAX_SMALL_BYTES })));
        }
        Ok(Some(Ok(found.bytes().await.map_err(failed)?.to_vec())))
    }

    /// The keys under a folder, for a task; see [`Backend::list`]. In a folder they may end at a name that no object can
    /// have.
    pub(crate) async fn keys(&self, folder: &str) -> Result<Vec<String>, Error> {
        let all = self.inner.list(Some(&self.path(folder)?));
        let all = all.filter(|found| std::future::ready(!self.is_passed_over(found)));
        let all = all.take(MAX_OBJECTS).map_ok(|meta| meta.location.to_string()).try_collect().await;
        all.map_err(|error| self.failed(&format!("list `{folder}`"), &error))
    }

    pub(crate) async fn smalls(&self, keys: Vec<String>) -> Result<Vec<(String, Small)>, Error> {
        let get = async |key: String| {
            let small = self.small(&key).await?;
            Ok::<_, Error>(small.map(|small| (key, small)))
        };
        let all = stream::iter(keys).map(get).buffered(SMALL_AT_ONCE).try_collect::<Vec<_>>();
        Ok(all.await?.into_iter().flatten().collect())
    }

    /// As [`Backend::put`]. A service may do what it is asked for and say that it failed, or its answer may be lost; and a
    /// request that is sent again finds what the first one wrote.
    pub(crate) async fn put(&self, key: &str, bytes: Vec<u8>, mode: PutMode) -> Result<(), Error> {
        if self.folder.is_some() || mode != PutMode::Create {
            return self.put_once(key, bytes, mode).await;
        }
        let mut tries = 1..=CREATE_TRIES;
        loop {
            let Err(error) = self.put_once(key, bytes.clone(), PutMode::Create).await else { return Ok(()) };
            if error.kind() != ErrorKind::Exists && !error.may_be_done() {
                return Err(error);
            }
            tries.next();
            match self.small(key).await {
                Ok(Some(Ok(found))) if found == bytes => return Ok(()),
                Ok(None) if error.may_be_done() && !tries.is_empty() => {}
                _ => return Err(error),
            }
        }
    }

    pub(crate) async fn put_once(&self, key: &str, bytes: Vec<u8>, mode: PutMode) -> Result<(), Error> {
        let path = self.path(key)?;
        let written = self.inner.put_opts(&path, bytes.into(), PutOptions::from(mode)).await;
        written.map(|_| ()).map_err(|error| self.failed(&format!("write `{key}`"), &error))
    }

    pub(crate) async fn len(&self, key: &str) -> Result<Option<u64>, Error> {
        match self.inner.head(&self.path(key)?).await {
            Ok(meta) => Ok(Some(meta.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.failed(&format!("look at `{key}`"), &error)),
        }
    }

    pub(crate) async fn delete(&self, key: &str) -> Result<(), Error> {
        let path = self.path(key)?;
        let failed = |error| self.failed(&format!("remove `{key}`"), &error);
        let remove = async || match self.inner.delete(&path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(failed(error)),
        };
        match remove().await {
            Err(error) if error.may_be_done() => remove().await,
            removed => removed,
        }
    }

    /// Some bytes of an object, exactly. A broken connection is resumed and tried again by `object_store`.
    pub(crate) async fn range(&self, key: &str, range: Range<u64>) -> Result<Vec<u8>, Error> {
        let path = self.path(key)?;
        let failed = |error| match error {
            object_store::Error::NotFound { .. } => Error::object(key, Fault::Missing),
            error => self.failed(&format!("read `{key}`"), &error),
        };
        let options = GetOptions::new().with_range(Some(GetRange::Bounded(range.clone())));
        let found = self.inner.get_opts(&path, options).await.map_err(failed)?;
        let given = found.range.clone();
        let bytes = found.bytes().await.map_err(failed)?;
        if given != range || bytes.len() as u64 != range.end - range.start {
            let (expected, found) = (Bytes::new(range.end), Bytes::new(given.end));
            return Err(Error::object(key, Fault::Length { expected, found }));
        }
        Ok(bytes.to_vec())
    }

    /// Whether a service has the whole object, under a key that nobody else writes.
    pub(crate) async fn has(&self, key: &str, len: Bytes) -> bool {
        self.folder.is_none() && matches!(self.len(key).await, Ok(Some(found)) if found == len.get())
    }

    /// Whether a listing is better without it: a file whose name no object can have, or a placeholder. In a bucket, a name
    /// that cannot be understood ends the listing, so it is an error there.
    fn is_passed_over(&self, found: &Result<ObjectMeta, object_store::Error>) -> bool {
        (self.folder.is_some() && is_no_key(found)) || self.is_placeholder(found)
    }

    /// Whether it is what consoles and gateways put where a folder would be: an empty object, `FOLDER/`.
    fn is_placeholder(&self, found: &Result<ObjectMeta, object_store::Error>) -> bool {
        let empty = |meta: &ObjectMeta| meta.size == 0 && is_folder(meta.location.as_ref());
        self.folder.is_none() && found.as_ref().is_ok_and(empty)
    }

    fn path(&self, key: &str) -> Result<Path, Error> {
        Path::parse(key).map_err(|error| self.failed(&format!("name `{key}`"), &error.into()))
    }

    fn failed(&self, doing: &str, error: &object_store::Error) -> Error {
        failed(&self.location, doing, error)
    }
}

/// Whether a file was found whose name cannot be a key, such as one with a line break.
fn is_no_key<T>(found: &Result<T, object_store::Error>) -> bool {
    matches!(found, Err(object_store::Error::InvalidPath { .. }))
}

/// A bucket, with what the environment says of it.
fn bucket_store(
    service: Service,
    (bucket, prefix): (&str, &str),
    options: &Options,
    timeout: Duration,
    location: &Location,
) -> Result<PrefixStore<Arc<dyn ObjectStore>>, Error> {
    // For the process; whoever embeds this crate and chose another one before keeps that.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let environment = Environment::new(service, &options.environment)?;
    let client = ClientOptions::new().with_timeout(timeout);
    // A small machine may have no certificates, and whoever asks for none must not fail for want of them.
    let client = client.with_no_system_certificates(environment.is_without_tls());
    let retry = RetryConfig {
        backoff: BackoffConfig::default(),
        max_retries: options.retries.count,
        // What may take longer may also be tried again later.
        retry_timeout: options.retries.within + timeout.saturating_sub(REQUEST_TIMEOUT),
    };
    let store = service_store(service, bucket, &environment, &client, &retry).map_err(|error| {
        let alone = |environment: &Environment| service_store(service, bucket, environment, &client, &retry).map(drop);
        environment.refused(&error, alone).unwrap_or_else(|| failed(location, "open a store", &error))
    })?;
    let prefix = Path::parse(prefix).map_err(|error| failed(location, "open a store", &error.into()))?;
    Ok(PrefixStore::new(store, prefix))
}

fn service_store(
    service: Service,
    bucket: &str,
    environment: &Environment,
    client: &ClientOptions,
    retry: &RetryConfig,
) -> Result<Arc<dyn ObjectStore>, object_store::Error> {
    // As the services' own `from_env`.
    macro_rules! with_environment {
        ($builder:expr) => {
            environment.pairs().fold(
                $builder
                    .with_client_options(client.clone())
                    .with_retry(retry.clone())
                    .with_http_connector(Connector::new(environment.is_true("AWS_IMDSV1_FALLBACK"))),
                |builder, (key, value)| match key.parse() {
                    Ok(key) => builder.with_config(key, value),
                    Err(_) => builder,
                },
            )
        };
    }
    Ok(match service {
        // Not all services remove many objects at once, and nothing here does.
        Service::S3 => Arc::new(
            with_environment!(AmazonS3Builder::new())
                .with_bucket_name(bucket)
                .with_disable_bulk_delete(true)
                .build()?,
        ),
        Service::Google => {
            Arc::new(with_environment!(GoogleCloudStorageBuilder::new()).with_bucket_name(bucket).build()?)
        }
        Service::Azure => {
            Arc::new(with_environment!(MicrosoftAzureBuilder::new()).with_container_name(bucket).build()?)
        }
    })
}

/// What `object_store` said, as our error.
fn failed(location: &Location, doing: &str, error: &object_store::Error) -> Error {
    let is_folder = matches!(location.place(), Place::Folder(_));
    if let (true, object_store::Error::Generic { source, .. }, Some(std::io::ErrorKind::Unsupported)) =
        (is_folder, error, io_kind(error))
    {
        return Error::FileSystem { location: location.to_string(), lacks: source.to_string() };
    }
    let source = Cause::new(error);
    let kind = source.kind().unwrap_or_else(|| kind(error, is_folder));
    Error::Backend { doing: doing.to_owned(), location: location.to_string(), kind, source }
}

fn kind(error: &object_store::Error, is_folder: bool) -> ErrorKind {
    use object_store::Error as E;
    match error {
        E::NotFound { .. } => ErrorKind::NotFound,
        E::AlreadyExists { .. } | E::Precondition { .. } => ErrorKind::Exists,
        E::PermissionDenied { .. } | E::Unauthenticated { .. } => ErrorKind::Unreachable,
        E::UnknownConfigurationKey { .. } => ErrorKind::Usage,
        E::InvalidPath { .. } if !is_folder => ErrorKind::Refused,
        E::Generic { source, .. } => match io_kind(source.as_ref()) {
            Some(kind) => of_io(kind, is_folder),
            None if is_folder => ErrorKind::Other,
            None => ErrorKind::Unreachable,
        },
        _ => ErrorKind::Other,
    }
}

fn of_io(kind: std::io::ErrorKind, is_folder: bool) -> ErrorKind {
    use std::io::ErrorKind as K;
    match kind {
        K::StorageFull | K::QuotaExceeded | K::FileTooLarge => ErrorKind::Full,
        K::PermissionDenied | K::ReadOnlyFilesystem | K::StaleNetworkFileHandle | K::TimedOut | K::NotADirectory => {
            ErrorKind::Unreachable
        }
        _ if is_folder => ErrorKind::Other,
        _ => ErrorKind::Unreachable,
    }
}

/// The kind of the innermost error of the system.
fn io_kind(error: &(dyn std::error::Error + 'static)) -> Option<std::io::ErrorKind> {
    let mut next = Some(error);
    let mut kind = None;
    while let Some(error) = next {
        kind = error.downcast_ref::<std::io::Error>().map(std::io::Error::kind).or(kind);
        next = error.source();
    }
    kind
}

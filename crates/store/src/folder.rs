//! A directory as an object store. `object_store` reads it; writes and removals are done here, because the error of a sync
//! decides whether they count.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::Path as Key;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UploadPart,
};

use crate::options::SyncFile;

/// Permissions of what lies directly in the store's root; what lies deeper has those of its directory.
const PRIVATE: u32 = 0o700;
/// Permissions of directories above the root, as mkdir(1) gives them, less the umask.
const USUAL: u32 = 0o777;

/// A directory whose changes are durable when they are reported as done.
#[derive(Clone, Debug)]
pub(crate) struct Folder(Arc<Inner>);

struct Inner {
    root: PathBuf,
    reader: LocalFileSystem,
    sync: SyncFile,
    /// The directories that were made for the root, which is the last of them.
    made: Vec<PathBuf>,
    /// Directories that are durable by name, up to the root: synced by this process.
    settled: Mutex<BTreeSet<PathBuf>>,
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Folder").field("root", &self.root).finish_non_exhaustive()
    }
}

impl Folder {
    /// The directory at `root`, which is absolute and without symbolic links; made durably where it is missing and `make`
    /// is set.
    pub(crate) fn new(path: &Path, make: bool, sync: SyncFile) -> io::Result<Self> {
        let (reader, settled) = (LocalFileSystem::new(), Mutex::default());
        let mut none = Inner { root: PathBuf::new(), reader, sync, made: Vec::new(), settled };
        if make
            && !path.is_dir()
            && let Err(error) = none.make_root(path)
        {
            none.remove_made();
            return Err(error);
        }
        let root = path.canonicalize()?;
        let reader = LocalFileSystem::new_with_prefix(&root).map_err(io::Error::other)?;
        Ok(Self(Arc::new(Inner { root, reader, ..none })))
    }

    /// Removes the root and the directories above it that were made for it, as far as they are empty.
    pub(crate) fn remove_made(&self) {
        self.0.remove_made();
    }

    pub(crate) fn root(&self) -> &Path {
        &self.0.root
    }

    /// Makes durable what another process may have named in a directory of the store and not synced. A directory that is
    /// missing needs nothing.
    pub(crate) fn settle(&self, directory: &str) -> io::Result<()> {
        self.0.sync_directory(&self.0.root.join(directory))
    }

    /// Removes a file by its path in the store, durably; it may be missing.
    pub(crate) fn remove(&self, path: &str) -> io::Result<()> {
        self.0.remove(&self.0.root.join(path))
    }
}

impl Inner {
    /// Makes the directories up to the root, the root itself for its owner alone.
    fn make_root(&mut self, path: &Path) -> io::Result<()> {
        self.make_directory(path, PRIVATE)
    }

    /// Makes a directory and those above it that are missing, and syncs each directory in which one was made, but no other:
    /// those further up may not be readable.
    fn make_directory(&mut self, path: &Path, mode: u32) -> io::Result<()> {
        let parent = durable::parent(path);
        if !parent.is_dir() {
            self.make_directory(parent, USUAL)?;
        }
        match DirBuilder::new().mode(mode).create(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {}
            made => {
                made?;
                self.made.push(path.to_owned());
            }
        }
        self.sync_directory(parent)
    }

    fn remove_made(&self) {
        let remove = |path: &PathBuf| {
            fs::remove_dir(path)?;
            self.sync_directory(durable::parent(path))
        };
        match self.made.iter().rev().try_for_each(remove) {
            // Another process uses the directory.
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {}
            Err(error) => tracing::warn!("cannot remove a directory that was made for the store: {error}"),
            Ok(()) => {}
        }
    }

    /// Syncs a directory.
    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        let synced = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            opened => (self.sync)(&opened?, path),
        };
        durable::directory_synced(path, synced).map_err(|error| in_sync(path, &error))
    }

    /// Syncs a file's directory, and the first time the directories above it, which another process may have made.
    fn settle_parent(&self, path: &Path) -> io::Result<()> {
        let settled = || self.settled.lock().unwrap_or_else(PoisonError::into_inner);
        let mut new = Vec::new();
        for directory in path.ancestors().skip(1).take_while(|above| above.starts_with(&self.root)) {
            self.sync_directory(directory)?;
            if settled().contains(directory) {
                break;
            }
            new.push(directory.to_owned());
        }
        // Each of them stands for all above it, so none counts before the last sync has succeeded.
        settled().extend(new);
        Ok(())
    }

    fn make_parent(&self, path: &Path) -> io::Result<()> {
        let Some(parent) = path.parent().filter(|parent| !parent.is_dir()) else { return Ok(()) };
        self.make_parent(parent)?;
        match DirBuilder::new().mode(self.mode_in(parent)?).create(parent) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            made => made,
        }
    }

    /// The permissions of what is made at `path`, as a directory.
    fn mode_in(&self, path: &Path) -> io::Result<u32> {
        match path.parent() {
            Some(parent) if parent != self.root => Ok(fs::metadata(parent)?.mode() & 0o777 | PRIVATE),
            _ => Ok(PRIVATE),
        }
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        match fs::remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            removed => removed?,
        }
        // Also of a file that is missing: who removed it may not have synced.
        self.sync_directory(path.parent().unwrap_or(&self.root))
    }
}

/// A file on its way, as `KEY#N`. Dropped, it is removed.
#[derive(Debug)]
struct Staged {
    folder: Folder,
    file: File,
    path: PathBuf,
    target: PathBuf,
    /// Whether `path` may be another's by now.
    renamed: bool,
}

impl Staged {
    fn new(folder: &Folder, key: &Key) -> io::Result<Self> {
        let target = folder.0.root.join(key.as_ref());
        folder.0.make_parent(&target)?;
        let mode = folder.0.mode_in(&target)? & 0o666;
        for number in 1u64.. {
            let path = PathBuf::from(format!("{}#{number}", target.display()));
            match OpenOptions::new().write(true).create_new(true).mode(mode).open(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                opened => return Ok(Self { folder: folder.clone(), file: opened?, path, target, renamed: false }),
            }
        }
        Err(io::Error::other("there are too many unfinished files"))
    }

    /// Gives the file its name, durably.
    fn publish(mut self, mode: &PutMode) -> io::Result<()> {
        (self.folder.0.sync)(&self.file, &self.path).map_err(|error| in_sync(&self.path, &error))?;
        match mode {
            PutMode::Create => durable::rename_new(&self.path, &self.target)?,
            _ => fs::rename(&self.path, &self.target)?,
        }
        self.renamed = true;
        self.folder.0.settle_parent(&self.target)
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.renamed {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn in_sync(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot sync `{}`: {error}", path.display()))
}

/// An error of the system as `object_store` has it.
pub(crate) fn failed(path: &str, source: io::Error) -> Error {
    let (path, source) = (path.to_owned(), Box::new(source));
    match source.kind() {
        io::ErrorKind::NotFound => Error::NotFound { path, source },
        io::ErrorKind::AlreadyExists => Error::AlreadyExists { path, source },
        _ => Error::Generic { store: "folder", source },
    }
}

/// Runs what may wait for a disk where it keeps no timer waiting.
async fn blocking<T: Send + 'static>(key: &str, work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await.map_err(io::Error::other);
    done.and_then(|done| done).map_err(|error| failed(key, error))
}

impl fmt::Display for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.root.display())
    }
}

#[async_trait]
impl ObjectStore for Folder {
    async fn put_opts(&self, key: &Key, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let (folder, to) = (self.clone(), key.clone());
        let write = move || {
            let mut staged = Staged::new(&folder, &to)?;
            payload.iter().try_for_each(|part| staged.file.write_all(part))?;
            staged.publish(&options.mode)
        };
        blocking(key.as_ref(), write).await?;
        Ok(PutResult { e_tag: None, version: None, extensions: Default::default() })
    }

    async fn put_multipart_opts(&self, key: &Key, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        let (folder, to) = (self.clone(), key.clone());
        let staged = blocking(key.as_ref(), move || Staged::new(&folder, &to)).await?;
        Ok(Box::new(Upload { key: key.clone(), staged: Some(Arc::new(staged)), at: 0 }))
    }

    async fn get_opts(&self, key: &Key, options: GetOptions) -> Result<GetResult> {
        self.0.reader.get_opts(key, options).await
    }

    fn delete_stream(&self, keys: BoxStream<'static, Result<Key>>) -> BoxStream<'static, Result<Key>> {
        let folder = self.clone();
        let delete = move |key: Result<Key>| {
            let folder = folder.clone();
            async move {
                let key = key?;
                let path = key.to_string();
                blocking(key.as_ref(), move || folder.remove(&path)).await?;
                Ok(key)
            }
        };
        keys.then(delete).boxed()
    }

    fn list(&self, prefix: Option<&Key>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.0.reader.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Key>) -> Result<ListResult> {
        self.0.reader.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, _: &Key, _: &Key, _: CopyOptions) -> Result<()> {
        Err(Error::NotImplemented { operation: "copy".into(), implementer: self.to_string() })
    }
}

/// An upload of parts: each is written at its place.
#[derive(Debug)]
struct Upload {
    key: Key,
    staged: Option<Arc<Staged>>,
    at: u64,
}

impl Upload {
    fn ended(&self) -> Error {
        failed(self.key.as_ref(), io::Error::other("the upload has ended"))
    }
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, part: PutPayload) -> UploadPart {
        let (key, staged, ended) = (self.key.clone(), self.staged.clone(), self.ended());
        let mut at = self.at;
        self.at += part.content_length() as u64;
        Box::pin(async move {
            let staged = staged.ok_or(ended)?;
            let write = move || {
                part.iter().try_for_each(|piece| {
                    staged.file.write_all_at(piece, at)?;
                    at += piece.len() as u64;
                    Ok(())
                })
            };
            blocking(key.as_ref(), write).await
        })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let staged = self.staged.take().and_then(Arc::into_inner).ok_or_else(|| self.ended())?;
        blocking(self.key.as_ref(), move || staged.publish(&PutMode::Create)).await?;
        Ok(PutResult { e_tag: None, version: None, extensions: Default::default() })
    }

    async fn abort(&mut self) -> Result<()> {
        self.staged = None;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory counts as durable by name only once all directories above it are.
    #[test]
    fn a_sync_above_that_failed_is_done_again() {
        let root = tempfile::tempdir().unwrap();
        let failing = Arc::new(Mutex::new(None::<PathBuf>));
        let synced = Arc::new(Mutex::new(Vec::new()));
        let (fails, log) = (Arc::clone(&failing), Arc::clone(&synced));
        let sync: SyncFile = Arc::new(move |file, path| {
            if fails.lock().unwrap().as_deref() == Some(path) {
                return Err(io::Error::other("EIO"));
            }
            log.lock().unwrap().push(path.to_owned());
            file.sync_all()
        });
        let folder = Folder::new(root.path(), true, sync).unwrap();
        let path = |below: &str| folder.root().join(below);
        fs::create_dir_all(path("a/b/c")).unwrap();
        for above in ["", "a", "a/b", "a/b/c"] {
            *failing.lock().unwrap() = Some(path(above).components().collect());
            folder.0.settle_parent(&path("a/b/c/file")).unwrap_err();
        }
        *failing.lock().unwrap() = None;
        synced.lock().unwrap().clear();
        folder.0.settle_parent(&path("a/b/c/file")).unwrap();
        assert!(synced.lock().unwrap().contains(&folder.root().to_owned()), "{synced:?}");
        synced.lock().unwrap().clear();
        folder.0.settle_parent(&path("a/b/c/file")).unwrap();
        assert_eq!(*synced.lock().unwrap(), [path("a/b/c")], "nothing above it again");
    }
}

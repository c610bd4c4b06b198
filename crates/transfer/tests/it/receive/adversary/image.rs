//! What makes image files: on real files, with a real ledger beside them.

use std::fs;
use std::mem;
use std::path::PathBuf;
use std::sync::Mutex;

use block_copy::testing::{Faulted, Faults};
use block_copy::{Access, BesideFile, Existing, Op, PartialFile, ReadAt, Silent, Volume, WriteAt, copy_sparse};
use extents::{Bytes, ChunkSize, Extent};
use hyperlayer::Header;
use tempfile::TempDir;
use transfer::receive::{FileSite, Ledger, LedgerFile, Partial, PartialBase, Receiver, Site};
use transfer::{Apply, Error, Identity};

use super::super::{Fate, FaultyLedger, History, Reading, hand_over, id};
use super::receivers::{QUEUE, Receives, open, without_ledger};
use crate::stop::StopAt;

/// Where both work.
struct Files {
    folder: TempDir,
    base: Option<PathBuf>,
}

impl Files {
    fn new(history: &History) -> Self {
        // In memory: what a power cut takes away is a model's, and many thousand syncs of a disk take minutes.
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let base = history.base.as_ref().map(|content| {
            let path = folder.path().join("base");
            fs::write(&path, content).unwrap();
            path
        });
        Self { folder, base }
    }

    fn target(&self) -> PathBuf {
        self.folder.path().join("image")
    }

    fn base(&self) -> Option<Volume> {
        self.base.as_ref().map(|base| Volume::open(base, Access::Read).unwrap())
    }
}

/// `lvbackup recv --to-file`.
pub(super) struct Image {
    files: Files,
    reading: Reading,
}

impl Image {
    pub(super) fn new(history: &History, reading: Reading) -> Self {
        Self { files: Files::new(history), reading }
    }

    fn ledger(&self) -> LedgerFile {
        LedgerFile::new(self.files.folder.path().join(".image.partial.json"))
    }
}

impl Receives for Image {
    fn partial(&self) -> Partial {
        if let Ok(result) = fs::read(self.files.target()) {
            return without_ledger(Some(&result));
        }
        let base = self.files.base().map(|base| PartialBase { name: "base".into(), uuid: None, size: base.size() });
        let new = || Partial { base, ..without_ledger(None) };
        // Complete is what has its name.
        self.ledger().read().unwrap().map_or_else(new, |partial| Partial { complete: false, ..partial })
    }

    fn run(&mut self, streams: &[Vec<u8>], fate: Fate, survives: &mut dyn FnMut() -> bool) -> Result<(), Error> {
        let faults = Faults::new(fate.fails.0, fate.fails.1);
        let ledger = FaultyLedger { inner: self.ledger(), faults: faults.clone(), is_kept: fate.is_kept };
        let (file, partial) = (PartialFile::open(self.files.target())?, self.partial());
        let is_complete = self.ledger().read().unwrap().is_some_and(|partial| partial.complete);
        let finish = |file: PartialFile, partial: &Partial| {
            file.resize(partial.whole.as_ref().unwrap().size)?;
            file.commit()?;
            Ok(self.ledger().remove()?)
        };
        if is_complete {
            return finish(file, &partial);
        }
        self.ledger().keep(&partial)?;
        let base = self.files.base().filter(|_| partial.layers == 0);
        let due = move |since: Bytes| since.get() >= fate.due;
        let site = FileSite::new(file, base, vec![id(0)], false, &Silent);
        let path = PartialFile::path_for(self.files.target())?;
        let site = FaultySite { site, path, faults: faults.clone(), open: None };
        let mut receiver = Receiver::new(site, &ledger, partial, fate.want(&due, &self.reading));
        let ended = hand_over(&mut receiver, streams, &fate, &self.reading);
        match ended {
            Ok(()) => {
                let (site, partial) = receiver.complete()?;
                finish(site.site.into_file(), &partial)
            }
            Err(error) if faults.is_killed() => {
                let (site, _) = receiver.interrupt();
                site.open.iter().for_each(|cached| cached.inner().cut(survives));
                Err(error)
            }
            Err(error) => {
                let (site, partial) = receiver.interrupt();
                if partial.is_empty() {
                    site.site.into_file().remove()?;
                    self.ledger().remove()?;
                }
                Err(error)
            }
        }
    }

    fn result(&self) -> Vec<u8> {
        fs::read(self.files.target())
            .unwrap_or_else(|_| fs::read(PartialFile::path_for(self.files.target()).unwrap()).unwrap())
    }
}

/// The site, whose file fails and loses what was not synced.
struct FaultySite<'a> {
    site: FileSite<'a>,
    path: PathBuf,
    faults: Faults,
    open: Option<Faulted<Cached>>,
}

impl FaultySite<'_> {
    fn open(&mut self) -> Result<(), Error> {
        self.open = Some(self.faults.over(Cached::new(&self.path)));
        Ok(())
    }
}

impl Site for FaultySite<'_> {
    fn chunk(&self) -> ChunkSize {
        self.site.chunk()
    }

    fn begin(&mut self, number: u64, header: &Header, size: Bytes) -> Result<Option<Identity>, Error> {
        self.faults.pass(Op::Create)?;
        let identity = self.site.begin(number, header, size)?;
        self.open().map(|()| identity)
    }

    fn reopen(&mut self, number: u64, header: &Header, size: Bytes) -> Result<Option<Identity>, Error> {
        let identity = self.site.reopen(number, header, size)?;
        self.open().map(|()| identity)
    }

    fn target(&self) -> Result<(&dyn WriteAt, Option<&dyn ReadAt>), Error> {
        let (_, parent) = self.site.target()?;
        Ok((self.open.as_ref().unwrap(), parent))
    }

    fn end(&mut self, number: u64, size: Bytes) -> Result<(), Error> {
        self.faults.pass(Op::Write)?;
        // Only what was synced counts.
        self.open.take().unwrap().inner().cut(&mut || false);
        self.site.end(number, size)
    }

    fn read_whole(&self, number: u64, read: &mut dyn FnMut(&dyn ReadAt)) -> Result<(), Error> {
        self.site.read_whole(number, read)
    }

    fn forget_parent(&mut self, number: u64) -> Result<(), Error> {
        self.site.forget_parent(number)
    }

    fn can_begin_again(&self, number: u64) -> bool {
        self.site.can_begin_again(number)
    }
}

/// A file whose writes are lost where the power fails before they are synced. Its length is not.
struct Cached {
    file: Volume,
    cache: Mutex<Cache>,
}

struct Cache {
    durable: Vec<u8>,
    pending: Vec<(Bytes, Vec<u8>)>,
}

impl Cached {
    fn new(path: &PathBuf) -> Self {
        let file = Volume::open(path, Access::Write).unwrap();
        let cache = Cache { durable: fs::read(path).unwrap(), pending: Vec::new() };
        Self { file, cache: Mutex::new(cache) }
    }

    fn cut(&self, survives: &mut dyn FnMut() -> bool) {
        let Cache { durable, pending } = &*self.cache.lock().unwrap();
        let mut content = durable.clone();
        for (at, data) in pending.iter().filter(|_| survives()) {
            let at = at.to_usize().unwrap();
            content[at..at + data.len()].copy_from_slice(data);
        }
        self.file.write_at(Bytes::ZERO, &content).unwrap();
    }
}

impl ReadAt for Cached {
    fn size(&self) -> Bytes {
        self.file.size()
    }

    fn read_at(&self, at: Bytes, buf: &mut [u8]) -> Result<(), block_copy::Error> {
        self.file.read_at(at, buf)
    }
}

impl WriteAt for Cached {
    fn write_at(&self, at: Bytes, data: &[u8]) -> Result<(), block_copy::Error> {
        self.file.write_at(at, data)?;
        self.cache.lock().unwrap().pending.push((at, data.to_vec()));
        Ok(())
    }

    fn zero(&self, extent: Extent<Bytes>) -> Result<(), block_copy::Error> {
        self.file.zero(extent)?;
        self.cache.lock().unwrap().pending.push((extent.start(), vec![0; extent.len().to_usize().unwrap()]));
        Ok(())
    }

    fn sync(&self) -> Result<(), block_copy::Error> {
        let Cache { durable, pending } = &mut *self.cache.lock().unwrap();
        durable.resize(self.size().to_usize().unwrap(), 0);
        pending.clear();
        self.file.read_at(Bytes::ZERO, durable)
    }
}

/// `lvpatch --output`.
pub(super) struct PatchImage {
    files: Files,
    reading: Reading,
}

impl PatchImage {
    pub(super) fn new(history: &History, reading: Reading) -> Self {
        Self { files: Files::new(history), reading }
    }
}

impl Receives for PatchImage {
    fn partial(&self) -> Partial {
        without_ledger(fs::read(self.files.target()).ok().as_ref())
    }

    fn run(&mut self, streams: &[Vec<u8>], fate: Fate, _: &mut dyn FnMut() -> bool) -> Result<(), Error> {
        let input = streams.concat();
        let base = self.files.base();
        let base_size = base.as_ref().map_or(Bytes::ZERO, ReadAt::size);
        let input = &input[..fate.input.min(input.len())];
        let incoming = open(input, base.as_ref().map(ReadAt::size), &self.reading)?;
        let size = incoming.size(base_size)?;
        let file = BesideFile::create(self.files.target(), Existing::Refuse)?;
        let target = file.volume(size.max(base_size))?;
        let stop = StopAt::after(fate.stop);
        if let Some(base) = base {
            copy_sparse(&base, &target, &stop)?;
        }
        let faults = Faults::new(fate.fails.0, fate.fails.1);
        let target = faults.over(target);
        let how = Apply { chunk: ChunkSize::SECTOR, base_size, check_base: true, queue: QUEUE };
        let applied = incoming.apply(&target, how, &stop);
        if faults.is_killed() {
            // Its file stays.
            mem::forget(file);
            return applied.map(drop);
        }
        applied?;
        file.file().set_len(size.get()).unwrap();
        Ok(file.commit()?)
    }

    fn result(&self) -> Vec<u8> {
        fs::read(self.files.target()).unwrap()
    }
}

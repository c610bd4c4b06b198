//! A double of an object store in which operations fail, and in which several actors take turns at each operation.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UploadPart,
};
use store::{Holder, Location, Options, Store};

use super::schedule::Schedule;

/// What happens to one operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    /// It is not done, and fails.
    Fails,
    /// It is done, and its answer is lost.
    DoneButFails,
    /// It is not done, and fails after as long as a request may take with all of its retries.
    Hangs,
    /// It is done after such a time, and its answer is lost.
    HangsAndIsDone,
}

impl Fault {
    pub(crate) const ALL: [Self; 4] = [Self::Fails, Self::DoneButFails, Self::Hangs, Self::HangsAndIsDone];

    fn is_done(self) -> bool {
        matches!(self, Self::DoneButFails | Self::HangsAndIsDone)
    }

    fn lasts(self) -> Duration {
        match self {
            Self::Fails | Self::DoneButFails => Duration::ZERO,
            Self::Hangs | Self::HangsAndIsDone => Duration::from_secs(480),
        }
    }
}

/// Where an actor is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Turn {
    Working,
    /// Before an operation; whether that changes layers, manifests or marks.
    Waiting {
        changes: bool,
    },
    Away,
}

struct State {
    objects: Arc<InMemory>,
    now: SystemTime,
    /// Processes that live, by number.
    alive: Vec<bool>,
    /// Operations so far, which one has a fault, and which.
    done: usize,
    fault: Option<(usize, Fault)>,
    turns: Vec<Turn>,
    /// Who may do one operation.
    next: Option<usize>,
    schedule: Option<Schedule>,
    /// What was done, for the text of a failure.
    trace: Vec<String>,
}

/// What all actors share: objects, time, and who is next.
pub(crate) struct World {
    state: Mutex<State>,
    turn: Condvar,
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("World")
    }
}

/// 2026-11-21T03:00:00Z.
const START: Duration = Duration::from_secs(1_795_230_000);

impl World {
    pub(crate) fn new(actors: usize) -> Arc<Self> {
        let state = State {
            objects: Arc::new(InMemory::new()),
            now: SystemTime::UNIX_EPOCH + START,
            alive: vec![true; actors],
            done: 0,
            fault: None,
            turns: vec![Turn::Away; actors],
            next: None,
            schedule: None,
            trace: Vec::new(),
        };
        Arc::new(Self { state: Mutex::new(state), turn: Condvar::new() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// The store of this world as the process with this number sees it.
    pub(crate) fn options(self: &Arc<Self>, actor: usize) -> Options {
        let holder = Holder {
            host: "here".into(),
            boot_id: "boot-1".into(),
            pid_namespace: "pid:[1]".into(),
            pid: u32::try_from(actor).unwrap(),
            command: format!("actor {actor}"),
        };
        let (clock, alive, sleeper) = (self.clone(), self.clone(), self.clone());
        let is_alive = move |pid: u32| alive.state().alive[pid as usize];
        let mut options = Options::new(holder, move || clock.state().now, is_alive);
        options.sleep = Arc::new(move |time| {
            let world = sleeper.clone();
            Box::pin(async move {
                // What refreshes locks by itself never comes: a case may take no time, or stop a process for long.
                if time >= store::limits::LOCK_REFRESH {
                    std::future::pending::<()>().await;
                }
                world.wait_for_turn(actor, "sleep", false);
                world.state().now += time;
            })
        });
        options
    }

    pub(crate) fn location(self: &Arc<Self>, actor: usize) -> Location {
        Location::over("the double", Arc::new(Door { world: self.clone(), actor }))
    }

    pub(crate) fn open(self: &Arc<Self>, actor: usize) -> Store {
        Store::open(&self.location(actor), &self.options(actor)).unwrap()
    }

    /// The objects as they are now.
    pub(crate) fn snapshot(&self) -> Arc<InMemory> {
        Arc::new(self.state().objects.fork())
    }

    /// Begins anew with these objects, everybody alive, and no faults.
    pub(crate) fn reset(&self, objects: &InMemory) {
        let mut state = self.state();
        state.objects = Arc::new(objects.fork());
        state.now = SystemTime::UNIX_EPOCH + START;
        state.alive.fill(true);
        (state.done, state.fault, state.schedule, state.next) = (0, None, None, None);
        state.turns.fill(Turn::Away);
        state.trace.clear();
    }

    /// Has the operation with this number, from 0, go wrong.
    pub(crate) fn break_operation(&self, number: usize, fault: Fault) {
        let mut state = self.state();
        (state.done, state.fault) = (0, Some((number, fault)));
    }

    /// Nothing goes wrong any more; gives how many operations there were since [`break_operation`](Self::break_operation).
    pub(crate) fn mend(&self) -> usize {
        let mut state = self.state();
        state.fault = None;
        std::mem::take(&mut state.done)
    }

    pub(crate) fn kill(&self, actor: usize) {
        self.state().alive[actor] = false;
    }

    /// Takes an object away, as damage does.
    pub(crate) fn remove(&self, key: &str) {
        let objects = self.state().objects.clone();
        futures_util::FutureExt::now_or_never(objects.delete(&Path::from(key))).unwrap().unwrap();
    }

    pub(crate) fn trace(&self) -> String {
        self.state().trace.join("\n")
    }

    /// Lets these actors take turns as `schedule` says, until all are [`away`](Self::away).
    pub(crate) fn begin_turns(&self, actors: usize, schedule: Schedule) {
        let mut state = self.state();
        state.schedule = Some(schedule);
        state.turns.fill(Turn::Away);
        state.turns[..actors].fill(Turn::Working);
    }

    pub(crate) fn end_turns(&self) -> Schedule {
        self.state().schedule.take().unwrap()
    }

    /// The actor does nothing more.
    pub(crate) fn away(&self, actor: usize) {
        let mut state = self.state();
        state.turns[actor] = Turn::Away;
        Self::choose(&mut state);
        self.turn.notify_all();
    }

    /// Says who is next, as soon as nobody works.
    fn choose(state: &mut State) {
        if state.next.is_some() || state.turns.contains(&Turn::Working) {
            return;
        }
        let waiting = state.turns.iter().enumerate().filter(|(_, turn)| matches!(turn, Turn::Waiting { .. }));
        let waiting: Vec<_> = waiting.map(|(actor, _)| actor).collect();
        let (Some(schedule), false) = (&mut state.schedule, waiting.is_empty()) else { return };
        // While a change is on its way, time is short: requests end within minutes.
        let may_pass = !state.turns.contains(&Turn::Waiting { changes: true });
        if may_pass && schedule.lets_time_pass() {
            state.now += store::limits::LOCK_STALE + Duration::from_secs(1);
            state.trace.push("half an hour passes".into());
        }
        state.next = Some(schedule.next(&waiting));
    }

    fn wait_for_turn(&self, actor: usize, what: &str, changes: bool) {
        let mut state = self.state();
        if state.schedule.is_none() || state.turns[actor] == Turn::Away {
            return;
        }
        state.turns[actor] = Turn::Waiting { changes };
        Self::choose(&mut state);
        self.turn.notify_all();
        while state.next != Some(actor) {
            state = self.turn.wait(state).unwrap_or_else(std::sync::PoisonError::into_inner);
        }
        state.next = None;
        state.turns[actor] = Turn::Working;
        state.trace.push(format!("{actor}: {what}"));
    }

    /// The fault of the next operation, if it has one.
    fn count(&self) -> Option<Fault> {
        let mut state = self.state();
        let number = state.done;
        state.done += 1;
        let fault = state.fault.filter(|(at, _)| *at == number).map(|(_, fault)| fault);
        if let Some(fault) = fault {
            state.now += fault.lasts();
        }
        fault
    }
}

/// The objects as one actor reaches them.
#[derive(Clone, Debug)]
struct Door {
    world: Arc<World>,
    actor: usize,
}

impl fmt::Display for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "door {}", self.actor)
    }
}

fn lost() -> Error {
    Error::Generic { store: "double", source: "an operation that was to fail".into() }
}

impl Door {
    /// One operation: waits for its turn, and goes wrong where it is to.
    async fn operation<T, F: Future<Output = Result<T>>>(
        &self,
        what: &str,
        key: &str,
        run: impl FnOnce(Arc<InMemory>) -> F,
    ) -> Result<T> {
        let changes = !matches!(what, "read" | "list") && !key.starts_with("locks/");
        self.world.wait_for_turn(self.actor, &format!("{what} {key}"), changes);
        let fault = self.world.count();
        let objects = self.world.state().objects.clone();
        match fault {
            None => run(objects).await,
            Some(fault) => {
                if fault.is_done() {
                    let _ = run(objects).await;
                }
                Err(lost())
            }
        }
    }
}

#[async_trait]
impl ObjectStore for Door {
    async fn put_opts(&self, key: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let put = |objects: Arc<InMemory>| async move { objects.put_opts(key, payload, options).await };
        self.operation("write", key.as_ref(), put).await
    }

    async fn put_multipart_opts(&self, key: &Path, options: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        let begin = |objects: Arc<InMemory>| async move { objects.put_multipart_opts(key, options).await };
        let upload = self.operation("begin", key.as_ref(), begin).await?;
        Ok(Box::new(Upload { door: self.clone(), key: key.clone(), upload }))
    }

    async fn get_opts(&self, key: &Path, options: GetOptions) -> Result<GetResult> {
        let get = |objects: Arc<InMemory>| async move { objects.get_opts(key, options).await };
        self.operation("read", key.as_ref(), get).await
    }

    fn delete_stream(&self, keys: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let door = self.clone();
        let delete = move |key: Result<Path>| {
            let door = door.clone();
            async move {
                let key = key?;
                let name = &key;
                let remove = |objects: Arc<InMemory>| async move { objects.delete(name).await };
                door.operation("remove", key.as_ref(), remove).await?;
                Ok(key)
            }
        };
        keys.then(delete).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (door, prefix) = (self.clone(), prefix.cloned());
        let list = async move {
            let folder = prefix.as_ref().map_or("", |prefix| prefix.as_ref());
            let under = prefix.as_ref();
            let all = |objects: Arc<InMemory>| async move { Ok(objects.list(under).collect::<Vec<_>>().await) };
            match door.operation("list", folder, all).await {
                Ok(all) => futures_util::stream::iter(all).boxed(),
                Err(error) => futures_util::stream::iter([Err(error)]).boxed(),
            }
        };
        futures_util::stream::once(list).flatten().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let list = |objects: Arc<InMemory>| async move { objects.list_with_delimiter(prefix).await };
        self.operation("list", "", list).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let copy = |objects: Arc<InMemory>| async move { objects.copy_opts(from, to, options).await };
        self.operation("copy", to.as_ref(), copy).await
    }
}

#[derive(Debug)]
struct Upload {
    door: Door,
    key: Path,
    upload: Box<dyn MultipartUpload>,
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, part: PutPayload) -> UploadPart {
        let (door, key, put) = (self.door.clone(), self.key.clone(), self.upload.put_part(part));
        Box::pin(async move { door.operation("upload", key.as_ref(), |_| put).await })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let complete = self.upload.complete();
        self.door.operation("complete", self.key.as_ref(), |_| complete).await
    }

    async fn abort(&mut self) -> Result<()> {
        let abort = self.upload.abort();
        self.door.operation("abort", self.key.as_ref(), |_| abort).await
    }
}

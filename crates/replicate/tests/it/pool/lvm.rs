//! LVM in memory: thin pools whose active volumes have files for nodes, and the programs that work on them.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Cursor, Read};
use std::path::PathBuf;
use std::sync::Mutex;

use lvm_cmd::{Command, ExecError, Executor, Exit, LvRef, Output, Program, Running};

/// The pool's chunk in bytes.
pub(super) const CHUNK: usize = 65536;
/// How many chunks every volume has.
pub(super) const CHUNKS: usize = 8;
/// The size of every volume in bytes.
pub(super) const SIZE: usize = CHUNK * CHUNKS;

/// A thin volume.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Thin {
    pub(super) uuid: String,
    thin_id: u32,
    transaction: u64,
    pub(super) tags: Vec<String>,
    pub(super) read_only: bool,
    pub(super) active: bool,
    skip: bool,
    created: i64,
    size: usize,
    origin: String,
    /// Of each chunk that is mapped which block of the pool it is, and its content.
    chunks: BTreeMap<usize, (u64, Vec<u8>)>,
}

impl Thin {
    pub(super) fn content(&self) -> Vec<u8> {
        let mut content = vec![0; self.size];
        for (n, (_, bytes)) in &self.chunks {
            content[n * CHUNK..(n + 1) * CHUNK].copy_from_slice(bytes);
        }
        content
    }

    pub(super) fn tag(&self, key: &str) -> Option<&str> {
        self.tags.iter().find_map(|tag| tag.strip_prefix(key))
    }
}

/// All groups of a machine, each with one pool, `pool`.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) volumes: BTreeMap<String, Thin>,
    /// Classic snapshots, each with the name of its origin.
    pub(super) classic: BTreeMap<String, String>,
    pools: BTreeMap<String, Pool>,
    count: u64,
    pub(super) now: i64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Pool {
    transaction: u64,
    /// The root of the metadata snapshot, and the pool's transaction id when that was reserved.
    held: Option<(u64, u64)>,
}

/// What a program wrote, or its exit status and what it said.
type Answer = Result<String, (i32, String)>;

fn refused(text: impl Into<String>) -> Answer {
    Err((5, text.into()))
}

#[derive(Debug)]
pub(super) struct Machine {
    pub(super) state: Mutex<State>,
    pub(super) nodes: PathBuf,
}

impl Machine {
    pub(super) fn new(nodes: PathBuf) -> Self {
        fs::create_dir_all(&nodes).unwrap();
        Self { state: Mutex::new(State { now: 1_795_284_600, ..State::default() }), nodes }
    }

    fn node(&self, name: &str) -> PathBuf {
        self.nodes.join(name.parse::<LvRef>().unwrap().dm_name())
    }

    /// With the state as it is, what was written to nodes included.
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state.lock().unwrap();
        let State { volumes, count, .. } = &mut *state;
        for (name, thin) in volumes.iter_mut().filter(|(_, thin)| thin.active && !thin.read_only) {
            let Ok(found) = fs::read(self.node(name)) else { continue };
            thin.size = found.len();
            for (n, bytes) in found.chunks(CHUNK).enumerate() {
                let is_zero = bytes.iter().all(|byte| *byte == 0);
                let changed = thin.chunks.get(&n).map_or(!is_zero, |(_, known)| known != bytes);
                if changed && is_zero {
                    thin.chunks.remove(&n);
                } else if changed {
                    *count += 1;
                    thin.chunks.insert(n, (*count, bytes.to_vec()));
                }
            }
        }
        work(&mut state)
    }

    fn set_active(&self, state: &mut State, name: &str, active: bool) {
        let Some(thin) = state.volumes.get_mut(name) else { return };
        match (thin.active, active) {
            (false, true) => fs::write(self.node(name), thin.content()).unwrap(),
            (true, false) => fs::remove_file(self.node(name)).unwrap(),
            _ => {}
        }
        thin.active = active;
    }

    /// As a user makes a volume: with the content, active.
    pub(super) fn make(&self, name: &str, content: &[u8]) {
        self.with(|state| {
            let mut thin = state.new_thin(group(name), content.len());
            thin.active = true;
            assert!(state.volumes.insert(name.to_owned(), thin).is_none(), "{name}");
        });
        fs::write(self.node(name), content).unwrap();
        self.with(|_| ());
    }

    /// As a user writes to an active volume.
    pub(super) fn write(&self, name: &str, chunk: usize, byte: u8) {
        let mut content = fs::read(self.node(name)).unwrap();
        content[chunk * CHUNK..chunk * CHUNK + 1000].fill(byte);
        fs::write(self.node(name), content).unwrap();
        self.with(|_| ());
    }

    pub(super) fn content(&self, name: &str) -> Option<Vec<u8>> {
        self.with(|state| state.volumes.get(name).map(Thin::content))
    }

    /// As `dmsetup message VG-pool-tpool 0 release_metadata_snap` for all pools.
    pub(super) fn release(&self) {
        self.with(|state| state.pools.values_mut().for_each(|pool| pool.held = None));
    }

    /// As `vgrename`.
    pub(super) fn rename_group(&self, from: &str, to: &str) {
        self.with(|state| {
            let pool = state.pools.remove(from).unwrap();
            state.pools.insert(to.to_owned(), pool);
            for (name, thin) in std::mem::take(&mut state.volumes) {
                let new = if group(&name) == from { format!("{to}/{}", base_name(&name)) } else { name.clone() };
                if thin.active && new != name {
                    fs::rename(self.node(&name), self.node(&new)).unwrap();
                }
                state.volumes.insert(new, thin);
            }
        });
    }

    pub(super) fn answer(&self, command: &Command) -> Answer {
        let words = Words::of(command);
        self.with(|state| match command.program() {
            Program::Lvs => Ok(state.report(words.names.last().map_or("", |name| name))),
            Program::Vgs => Ok(r#"{"report":[{"vg":[]}]}"#.to_owned()),
            Program::Lvcreate => self.create(state, &words),
            Program::Lvchange => self.change(state, &words),
            Program::Lvrename => self.rename(state, &words),
            Program::Lvremove => self.remove(state, &words),
            Program::Lvresize => self.resize(state, &words),
            Program::Dmsetup => self.dmsetup(state, &words),
            Program::ThinDelta => state.delta(&words),
            Program::ThinDump => state.dump(&words),
            Program::Udevadm => Ok(String::new()),
            program => refused(format!("no {program} here")),
        })
    }

    fn create(&self, state: &mut State, words: &Words) -> Answer {
        let of = words.names.last().cloned().or_else(|| words.option("--thinpool")).unwrap_or_default();
        let vg = group(&of).to_owned();
        let name = format!("{vg}/{}", words.option("--name").unwrap_or_default());
        if state.volumes.contains_key(&name) {
            return refused(format!("Logical Volume \"{name}\" already exists"));
        }
        let mut thin = match words.option("--virtualsize") {
            Some(size) => state.new_thin(&vg, bytes(&size)),
            None => {
                let Some(origin) = state.volumes.get(&of).cloned() else { return refused("no origin") };
                let origin_name = of.rsplit('/').next().unwrap_or_default().to_owned();
                Thin { chunks: origin.chunks, origin: origin_name, ..state.new_thin(&vg, origin.size) }
            }
        };
        thin.tags = words.options("--addtag");
        thin.read_only = words.option("--permission").as_deref() == Some("r");
        thin.skip = words.option("--setactivationskip").as_deref() == Some("y");
        state.volumes.insert(name.clone(), thin);
        self.set_active(state, &name, words.option("--activate").as_deref() == Some("y"));
        Ok(String::new())
    }

    fn change(&self, state: &mut State, words: &Words) -> Answer {
        let name = words.names.last().cloned().unwrap_or_default();
        let Some(thin) = state.volumes.get_mut(&name) else {
            return refused(format!("Failed to find logical volume \"{name}\""));
        };
        thin.tags
            .extend(words.options("--addtag").into_iter().filter(|tag| !thin.tags.contains(tag)).collect::<Vec<_>>());
        let gone = words.options("--deltag");
        thin.tags.retain(|tag| !gone.contains(tag));
        if let Some(permission) = words.option("--permission") {
            thin.read_only = permission == "r";
        }
        if let Some(skip) = words.option("--setactivationskip") {
            thin.skip = skip == "y";
        }
        match words.option("--activate").or_else(|| words.option("-a")).as_deref() {
            Some("y") if is_long(&name) => return refused("Name too long"),
            Some("y") => self.set_active(state, &name, true),
            Some("n") => self.set_active(state, &name, false),
            _ => {}
        }
        Ok(String::new())
    }

    fn rename(&self, state: &mut State, words: &Words) -> Answer {
        let [vg, from, to] = &words.names[..] else { return refused("usage") };
        // lvm2 `tools/lvrename.c`, and the kernel's `DM_NAME_LEN`.
        if vg.len() + to.len() > 120 {
            return refused("New logical volume path exceeds maximum length");
        }
        let (from, to) = (format!("{vg}/{from}"), format!("{vg}/{to}"));
        if is_long(&to) && state.volumes.get(&from).is_some_and(|thin| thin.active) {
            return refused("Name too long");
        }
        if state.volumes.contains_key(&to) {
            return refused(format!("Logical volume \"{to}\" already exists"));
        }
        let Some(thin) = state.volumes.remove(&from) else {
            return refused(format!("Existing logical volume \"{from}\" not found"));
        };
        if thin.active {
            fs::rename(self.node(&from), self.node(&to)).unwrap();
        }
        let (old, new) = (base_name(&from), base_name(&to));
        for other in state.volumes.values_mut().filter(|other| other.origin == old) {
            other.origin = new.to_owned();
        }
        state.classic.values_mut().filter(|origin| **origin == from).for_each(|origin| origin.clone_from(&to));
        state.volumes.insert(to, thin);
        Ok(String::new())
    }

    /// Each volume that is named, where it fits.
    fn remove(&self, state: &mut State, words: &Words) -> Answer {
        let selection = words.option("--select").unwrap_or_default();
        let mut all = Ok(String::new());
        for name in &words.names {
            let Some(thin) = state.volumes.get(name) else {
                all = refused(format!("Failed to find logical volume \"{name}\""));
                continue;
            };
            if !fits(thin, &selection) {
                continue;
            }
            self.set_active(state, name, false);
            state.volumes.remove(name);
            state.classic.retain(|_, origin| origin != name);
            state.transact(group(name));
            for other in state.volumes.values_mut().filter(|other| other.origin == base_name(name)) {
                other.origin.clear();
            }
        }
        all
    }

    fn resize(&self, state: &mut State, words: &Words) -> Answer {
        let name = words.names.last().cloned().unwrap_or_default();
        let size = bytes(&words.option("--size").unwrap_or_default());
        let Some(thin) = state.volumes.get_mut(&name) else { return refused("not found") };
        thin.size = size;
        thin.chunks.retain(|n, _| n * CHUNK < size);
        let (active, content) = (thin.active, thin.content());
        if active {
            fs::write(self.node(&name), content).unwrap();
        }
        Ok(String::new())
    }

    fn dmsetup(&self, state: &mut State, words: &Words) -> Answer {
        let device = match words.names.first().map(String::as_str) {
            Some("message") => &words.names[1],
            _ => words.names.last().unwrap(),
        };
        if let Some(vg) = device.strip_suffix("-pool-tpool") {
            let State { pools, count, .. } = state;
            let pool = pools.entry(vg.to_owned()).or_default();
            match words.names.last().map(String::as_str) {
                Some("reserve_metadata_snap") => {
                    *count += 1;
                    pool.held = Some((*count, pool.transaction));
                    return Ok(String::new());
                }
                Some("release_metadata_snap") => {
                    pool.held = None;
                    return Ok(String::new());
                }
                _ => {}
            }
            let held = pool.held.map_or_else(|| "-".to_owned(), |(root, _)| root.to_string());
            return Ok(format!(
                "0 20480000 thin-pool {} 114/10240 180/100000 {held} rw discard_passdown queue_if_no_space - 256\n",
                pool.transaction
            ));
        }
        let found = state.volumes.iter().find(|(name, _)| name.parse::<LvRef>().unwrap().dm_name() == *device);
        let Some((_, thin)) = found.filter(|(_, thin)| thin.active) else {
            return Err((1, "Device does not exist.".into()));
        };
        let sectors = thin.size / 512;
        match words.names.first().map(String::as_str) {
            Some("table") => Ok(format!("0 {sectors} thin 253:2 {}\n", thin.thin_id)),
            _ => Ok(format!("0 {sectors} thin {} -\n", thin.chunks.len() * CHUNK / 512)),
        }
    }
}

impl State {
    fn transact(&mut self, vg: &str) -> u64 {
        let pool = self.pools.entry(vg.to_owned()).or_default();
        pool.transaction += 1;
        pool.transaction
    }

    fn new_thin(&mut self, vg: &str, size: usize) -> Thin {
        self.count += 1;
        self.now += 1;
        let transaction = self.transact(vg);
        Thin {
            uuid: format!("{:06}-O6R5-y0Qz-wjUO-mBqa-Ye7u-UXe37K", self.count),
            thin_id: u32::try_from(self.count).unwrap(),
            transaction,
            tags: Vec::new(),
            read_only: false,
            active: false,
            skip: false,
            created: self.now,
            size,
            origin: String::new(),
            chunks: BTreeMap::new(),
        }
    }

    fn report(&self, vg: &str) -> String {
        let transaction = self.pools.get(vg).map_or(0, |pool| pool.transaction).to_string();
        let pool = [
            ("lv_name", "pool"),
            ("vg_name", vg),
            ("lv_attr", "twi-aotz--"),
            ("lv_uuid", testkit::POOL_UUID),
            ("pool_lv", ""),
            ("thin_id", ""),
            ("transaction_id", transaction.as_str()),
            ("chunk_size", "65536"),
            ("metadata_lv", "[pool_tmeta]"),
            ("discards", "passdown"),
            ("lv_size", "6553600000"),
        ];
        let mut rows = vec![testkit::pool_row_with(&pool)];
        for (name, thin) in self.volumes.iter().filter(|(name, _)| group(name) == vg) {
            let (permission, active) = (if thin.read_only { 'r' } else { 'w' }, if thin.active { 'a' } else { '-' });
            let attr = format!("V{permission}i-{active}-tz-{}", if thin.skip { 'k' } else { '-' });
            rows.push(testkit::lv_row(&[
                ("lv_name", base_name(name)),
                ("vg_name", vg),
                ("lv_uuid", &thin.uuid),
                ("lv_attr", &attr),
                ("lv_size", &thin.size.to_string()),
                ("origin", &thin.origin),
                ("thin_id", &thin.thin_id.to_string()),
                ("transaction_id", &thin.transaction.to_string()),
                ("lv_tags", &thin.tags.join(",")),
                ("lv_time", &thin.created.to_string()),
            ]));
        }
        for (name, origin) in self.classic.iter().filter(|(name, _)| group(name) == vg) {
            rows.push(testkit::lv_row(&[
                ("lv_name", base_name(name)),
                ("vg_name", vg),
                ("lv_uuid", "snapsn-O6R5-y0Qz-wjUO-mBqa-Ye7u-UXe37K"),
                ("lv_attr", "swi-a-s---"),
                ("segtype", "linear"),
                ("origin", base_name(origin)),
                ("pool_lv", ""),
                ("thin_id", ""),
            ]));
        }
        format!("{{\"report\":[{{\"lv\":[{}]}}]}}\n", rows.join(","))
    }

    fn thin(&self, id: &str) -> &Thin {
        self.volumes.values().find(|thin| thin.thin_id.to_string() == id).expect("a thin id")
    }

    fn superblock(&self, device: &str, within: &str) -> String {
        let vg = base_name(device).split('-').next().unwrap_or_default();
        let pool = &self.pools[vg];
        let transaction = pool.held.map_or(pool.transaction, |(_, transaction)| transaction);
        format!(
            "<superblock uuid=\"\" time=\"1\" transaction=\"{transaction}\" flags=\"0\" version=\"2\" \
             data_block_size=\"128\" nr_data_blocks=\"0\">\n{within}</superblock>\n"
        )
    }

    fn delta(&self, words: &Words) -> Answer {
        let (left, right) = (words.option("--snap1").unwrap_or_default(), words.option("--snap2").unwrap_or_default());
        let device = words.names.last().cloned().unwrap_or_default();
        if device.ends_with(".img") {
            let runs = [("same", 0, 5), ("different", 5, 1), ("same", 6, 4)];
            let runs = runs.map(|(what, begin, len)| format!("<{what} begin=\"{begin}\" length=\"{len}\"/>\n"));
            return Ok(runs.concat());
        }
        let (old, new) = (self.thin(&left), self.thin(&right));
        let mut runs = String::new();
        for n in 0..(old.size.max(new.size) / CHUNK) {
            let block = |thin: &Thin| thin.chunks.get(&n).map(|(block, _)| *block);
            let what = match (block(old), block(new)) {
                (None, None) => continue,
                (Some(_), None) => "left_only",
                (None, Some(_)) => "right_only",
                (Some(old), Some(new)) if old == new => "same",
                _ => "different",
            };
            runs.push_str(&format!("<{what} begin=\"{n}\" length=\"1\"/>\n"));
        }
        Ok(self.superblock(&device, &format!("<diff left=\"{left}\" right=\"{right}\">\n{runs}</diff>\n")))
    }

    fn dump(&self, words: &Words) -> Answer {
        let device = words.names.last().cloned().unwrap_or_default();
        if device.ends_with(".img") {
            return Ok(
                "<device dev_id=\"2\">\n<range_mapping origin_begin=\"0\" data_begin=\"0\" length=\"10\"/>\n".into()
            );
        }
        let Some(id) = words.option("--dev-id") else { return Ok(self.superblock(&device, "")) };
        let thin = self.thin(&id);
        let maps = thin.chunks.iter().map(|(n, (block, _))| {
            format!("<single_mapping origin_block=\"{n}\" data_block=\"{block}\" time=\"1\"/>\n")
        });
        let within = format!(
            "<device dev_id=\"{id}\" mapped_blocks=\"{}\" transaction=\"{}\" creation_time=\"1\" snap_time=\"1\">\n{}</device>\n",
            thin.chunks.len(),
            thin.transaction,
            maps.collect::<String>()
        );
        Ok(self.superblock(&device, &within))
    }
}

/// Whether a volume fits `--select` as the tools write it: one of some UUIDs, and tags that it has.
fn fits(thin: &Thin, selection: &str) -> bool {
    let parts = selection.split("&&").map(str::trim).filter(|part| !part.is_empty());
    parts.into_iter().all(|part| {
        part.trim_matches(['(', ')']).split("||").map(str::trim).any(|term| {
            let quoted = term.split('"').nth(1).unwrap_or_default();
            match term {
                term if term.starts_with("lv_uuid=") => thin.uuid == quoted,
                term if term.starts_with("lv_tags=") => thin.tags.iter().any(|tag| tag == quoted),
                term => panic!("an unknown selection: {term}"),
            }
        })
    })
}

/// Whether the device mapper has no room for the name.
fn is_long(name: &str) -> bool {
    name.parse::<LvRef>().unwrap().dm_name().len() > 127
}

fn group(name: &str) -> &str {
    name.split('/').next().unwrap_or_default()
}

fn base_name(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or_default()
}

fn bytes(text: &str) -> usize {
    text.trim_end_matches('b').parse().unwrap()
}

/// A command line in its parts.
struct Words {
    options: Vec<(String, String)>,
    names: Vec<String>,
}

impl Words {
    fn of(command: &Command) -> Self {
        const FLAGS: [&str; 9] = [
            "--snapshot",
            "--ignoreactivationskip",
            "-f",
            "-K",
            "-m",
            "--nosuffix",
            "--yes",
            "--quiet",
            "--skip-mappings",
        ];
        let mut words = command.arguments().iter().map(|word| word.to_string_lossy().into_owned());
        let (mut options, mut names) = (Vec::new(), Vec::new());
        while let Some(word) = words.next() {
            match word.strip_prefix("-a").filter(|rest| ["y", "n"].contains(rest)) {
                Some(rest) => options.push(("-a".to_owned(), rest.to_owned())),
                None if FLAGS.contains(&word.as_str()) => {}
                None if word.starts_with("--") && word.contains('=') => {}
                None if word.starts_with('-') => options.push((word, words.next().unwrap_or_default())),
                None => names.push(word),
            }
        }
        Self { options, names }
    }

    fn option(&self, name: &str) -> Option<String> {
        self.options(name).pop()
    }

    fn options(&self, name: &str) -> Vec<String> {
        self.options.iter().filter(|(option, _)| option == name).map(|(_, value)| value.clone()).collect()
    }
}

/// What goes wrong with one command that changes something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fault {
    None,
    /// The n-th is not done.
    Fails(usize),
    /// The n-th is done, and reported as failed.
    DoneAndFails(usize),
    /// The process dies before the n-th, so nothing more is done.
    Dies(usize),
    /// The process dies after the n-th.
    DoneAndDies(usize),
    /// The n-th removal of several volumes removes the first alone, and fails.
    RemovesOne(usize),
    /// As `RemovesOne`, and the process dies.
    RemovesOneAndDies(usize),
}

type Hook<'m> = Box<dyn FnOnce() + Send + 'm>;

/// A process that runs commands on a machine.
pub(super) struct Actor<'m> {
    machine: &'m Machine,
    fault: Fault,
    /// What another process does before the n-th command of any kind, once no metadata snapshot is held.
    hook: Mutex<Option<(usize, Hook<'m>)>>,
    changes: Mutex<usize>,
    /// How many commands removed several volumes.
    pub(super) removals: Mutex<usize>,
    pub(super) commands: Mutex<usize>,
    /// How often it listed all volumes of a group.
    pub(super) reports: Mutex<usize>,
    dead: Mutex<bool>,
}

impl std::fmt::Debug for Actor<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Actor").field("fault", &self.fault).finish_non_exhaustive()
    }
}

impl<'m> Actor<'m> {
    pub(super) fn new(machine: &'m Machine, fault: Fault, hook: Option<(usize, Hook<'m>)>) -> Self {
        let (changes, commands, reports) = (Mutex::default(), Mutex::default(), Mutex::default());
        let (hook, removals, dead) = (Mutex::new(hook), Mutex::default(), Mutex::default());
        Self { machine, fault, hook, changes, removals, commands, reports, dead }
    }

    /// How many changes there were.
    pub(super) fn changes(&self) -> usize {
        *self.changes.lock().unwrap()
    }

    fn interleave(&self, command: &Command) {
        let count = {
            let mut commands = self.commands.lock().unwrap();
            *commands += 1;
            *commands
        };
        let held = || self.machine.state.lock().unwrap().pools.values().any(|pool| pool.held.is_some());
        // While these run, a lock may be held for which others wait: that of a pool's metadata snapshot, or of what is active.
        let activates = command.arguments().first().is_some_and(|word| word == "-ay" || word == "-an");
        if matches!(command.program(), Program::Dmsetup | Program::ThinDelta | Program::ThinDump) || activates || held()
        {
            return;
        }
        let due = self.hook.lock().unwrap().take_if(|(at, _)| *at <= count);
        if let Some((_, hook)) = due {
            hook();
        }
    }

    fn act(&self, command: &Command) -> Result<String, ExecError> {
        self.interleave(command);
        let failed = |(status, stderr): (i32, String)| ExecError::Failed {
            command: command.to_string(),
            exit: Exit::Code(status),
            stderr,
        };
        *self.reports.lock().unwrap() += usize::from(command.program() == Program::Lvs);
        if *self.dead.lock().unwrap() {
            return Err(failed((5, "dead".to_owned())));
        }
        let is_message = command.arguments().first().is_some_and(|word| word == "message");
        let changes = match command.program() {
            Program::Lvcreate | Program::Lvchange | Program::Lvrename | Program::Lvremove | Program::Lvresize => true,
            Program::Dmsetup => is_message,
            _ => false,
        };
        let Some(nth) = changes.then(|| {
            let mut count = self.changes.lock().unwrap();
            *count += 1;
            *count
        }) else {
            return self.machine.answer(command).map_err(failed);
        };
        let die = |after| *self.dead.lock().unwrap() |= after;
        let names = Words::of(command).names;
        let removal = (command.program() == Program::Lvremove && names.len() > 1).then(|| {
            let mut count = self.removals.lock().unwrap();
            *count += 1;
            *count
        });
        match self.fault {
            Fault::Fails(n) if n == nth => Err(failed((5, "it does not work".to_owned()))),
            Fault::Dies(n) if n == nth => {
                die(true);
                Err(failed((5, "dead".to_owned())))
            }
            Fault::DoneAndFails(n) | Fault::DoneAndDies(n) if n == nth => {
                let answer = self.machine.answer(command);
                die(matches!(self.fault, Fault::DoneAndDies(_)));
                answer.map_err(failed)?;
                Err(failed((5, "something went wrong".to_owned())))
            }
            Fault::RemovesOne(n) | Fault::RemovesOneAndDies(n) if Some(n) == removal => {
                let options = command.arguments().iter().take(command.arguments().len() - names.len());
                let first = options.fold(Command::new(Program::Lvremove), Command::arg).arg(&names[0]);
                let answer = self.machine.answer(&first);
                die(matches!(self.fault, Fault::RemovesOneAndDies(_)));
                answer.map_err(failed)?;
                Err(failed((5, "one of them went wrong".to_owned())))
            }
            _ => self.machine.answer(command).map_err(failed),
        }
    }
}

impl Executor for Actor<'_> {
    fn run(&self, command: &Command) -> Result<Output, ExecError> {
        let mut output = Output::default();
        output.stdout = self.act(command)?.into_bytes();
        Ok(output)
    }

    fn spawn(&self, command: &Command) -> Result<Box<dyn Running>, ExecError> {
        Ok(Box::new(Ended(Some(self.act(command)?.into_bytes()))))
    }

    /// Any file that stays the same: `thin_delta` is tested once.
    fn location(&self, _: Program) -> Option<PathBuf> {
        Some(PathBuf::from("/bin/sh"))
    }
}

#[derive(Debug)]
struct Ended(Option<Vec<u8>>);

impl Running for Ended {
    fn stdout(&mut self) -> Option<Box<dyn Read + Send>> {
        self.0.take().map(|bytes| Box::new(Cursor::new(bytes)) as Box<dyn Read + Send>)
    }

    fn wait(self: Box<Self>) -> Result<(), ExecError> {
        Ok(())
    }
}

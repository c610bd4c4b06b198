//! Who does the next operation.

/// A rule of turns, asked before each operation.
#[derive(Debug)]
pub(crate) enum Schedule {
    Exhaustive(Exhaustive),
    Random(Random),
}

impl Schedule {
    /// Which of those that wait; they are not none.
    pub(crate) fn next(&mut self, waiting: &[usize]) -> usize {
        match self {
            Self::Exhaustive(schedule) => schedule.next(waiting),
            Self::Random(schedule) => schedule.next(waiting),
        }
    }

    /// Whether so much time passes before that locks are taken for dead.
    pub(crate) fn lets_time_pass(&mut self) -> bool {
        match self {
            Self::Exhaustive(_) => false,
            Self::Random(schedule) => schedule.lets_time_pass(),
        }
    }
}

/// One choice of a schedule.
#[derive(Clone, Debug)]
struct Choice {
    /// Who could go on, the one that worked last before the others.
    options: Vec<usize>,
    taken: usize,
    /// How often so far somebody was interrupted who could have gone on.
    interrupted: usize,
    /// Whether any but the first option interrupts.
    interrupts: bool,
}

/// All schedules with so many interruptions at most, one after the other.
#[derive(Debug)]
pub(crate) struct Exhaustive {
    bound: usize,
    forced: Vec<usize>,
    choices: Vec<Choice>,
    last: Option<usize>,
    interrupted: usize,
}

impl Exhaustive {
    pub(crate) fn new(bound: usize) -> Self {
        Self { bound, forced: Vec::new(), choices: Vec::new(), last: None, interrupted: 0 }
    }

    /// A schedule after this one, `stride` interruptions further back; `None`: there is none.
    pub(crate) fn following(mut self, stride: usize) -> Option<Self> {
        let mut passed = 0;
        while let Some(choice) = self.choices.pop() {
            let allowed = !choice.interrupts || choice.interrupted < self.bound;
            if choice.taken + 1 < choice.options.len() && allowed {
                passed += 1;
                // Who begins is never passed over.
                if passed == stride || !choice.interrupts {
                    let mut forced: Vec<_> = self.choices.iter().map(|choice| choice.taken).collect();
                    forced.push(choice.taken + 1);
                    return Some(Self { forced, ..Self::new(self.bound) });
                }
            }
        }
        None
    }

    fn next(&mut self, waiting: &[usize]) -> usize {
        let continues = self.last.filter(|last| waiting.contains(last));
        let others = waiting.iter().copied().filter(|actor| Some(*actor) != continues);
        let options: Vec<_> = continues.into_iter().chain(others).collect();
        let taken = self.forced.get(self.choices.len()).copied().unwrap_or(0);
        let (interrupts, interrupted) = (continues.is_some(), self.interrupted);
        self.interrupted += usize::from(interrupts && taken > 0);
        let next = options[taken];
        self.choices.push(Choice { options, taken, interrupted, interrupts });
        self.last = Some(next);
        next
    }
}

/// A schedule that a number stands for.
#[derive(Debug)]
pub(crate) struct Random {
    state: u64,
    /// How often time passes in one schedule, at most.
    passes: u32,
    last: Option<usize>,
}

impl Random {
    pub(crate) fn new(seed: u64, passes: u32) -> Self {
        Self { state: seed, passes, last: None }
    }

    /// A number less than `count`.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        usize::try_from(self.number(count as u64)).unwrap()
    }

    /// `SplitMix64`.
    fn number(&mut self, below: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % below
    }

    fn next(&mut self, waiting: &[usize]) -> usize {
        let continues = self.last.filter(|last| waiting.contains(last));
        let next = match continues {
            Some(last) if self.number(3) > 0 => last,
            _ => waiting[self.below(waiting.len())],
        };
        self.last = Some(next);
        next
    }

    fn lets_time_pass(&mut self) -> bool {
        let passes = self.passes > 0 && self.number(15) == 0;
        self.passes -= u32::from(passes);
        passes
    }
}

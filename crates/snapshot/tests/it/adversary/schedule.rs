//! Two runs at once, of which one works at a time, as a list of turns says.

use std::sync::{Arc, Condvar, Mutex};

#[derive(Debug)]
struct Table {
    /// Whose turn each next operation is.
    turns: Vec<usize>,
    /// The runs that have ended: their turns are passed over.
    ended: [bool; 2],
    /// Which run has the turn, as long as it has not asked for the next one.
    now: Option<usize>,
    waiting: [bool; 2],
}

/// The turns of one run.
#[derive(Clone, Debug)]
pub(crate) struct Turns {
    table: Arc<(Mutex<Table>, Condvar)>,
    who: usize,
}

impl Turns {
    /// For two runs; after the list the first one that waits has all turns.
    pub(crate) fn of_two(mut turns: Vec<usize>) -> [Self; 2] {
        turns.reverse();
        let table = Table { turns, ended: [false; 2], now: None, waiting: [false; 2] };
        let table = Arc::new((Mutex::new(table), Condvar::new()));
        [0, 1].map(|who| Self { table: table.clone(), who })
    }

    /// Waits for this run's turn. The run has it until it waits again, or ends.
    pub(crate) fn wait(&self) {
        let (table, changed) = &*self.table;
        let mut table = table.lock().unwrap();
        if table.now == Some(self.who) {
            table.now = None;
        }
        table.waiting[self.who] = true;
        changed.notify_all();
        loop {
            // Nobody goes on before it is known what each of both wants.
            let all_wait = (0..2).all(|who| table.waiting[who] || table.ended[who]);
            if all_wait && table.now.is_none() {
                while table.turns.last().is_some_and(|who| table.ended[*who]) {
                    table.turns.pop();
                }
                let first = (0..2).find(|who| table.waiting[*who]).unwrap();
                table.now = Some(table.turns.pop().unwrap_or(first));
                changed.notify_all();
            }
            if table.now == Some(self.who) {
                table.waiting[self.who] = false;
                return;
            }
            table = changed.wait(table).unwrap();
        }
    }

    /// This run has ended.
    pub(crate) fn end(&self) {
        let (table, changed) = &*self.table;
        let mut table = table.lock().unwrap();
        table.ended[self.who] = true;
        if table.now == Some(self.who) {
            table.now = None;
        }
        changed.notify_all();
    }
}

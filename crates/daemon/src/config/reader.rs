//! Reading tables so that every mistake is told at once, each at its place.

use std::{cell::RefCell, ops::Range, time::Duration};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::problem::{Lines, MAX_PROBLEMS, Problem};

/// So much of a value is shown in a message, in characters.
const MAX_SHOWN_CHARS: usize = 40;
/// A name that is further from all known ones than this part of it is not a slip of the finger.
const LIKE: f64 = 0.6;
/// A name that is longer, in bytes, is not one either. Comparing takes the product of both lengths.
const MAX_LIKE_BYTES: usize = 40;

/// Where mistakes go.
pub(super) struct Faults<'a> {
    text: &'a str,
    lines: Lines<'a>,
    found: RefCell<Vec<Problem>>,
}

impl<'a> Faults<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        Self { text, lines: Lines::of(text), found: RefCell::default() }
    }

    pub(super) fn push(&self, span: &Range<usize>, text: String) {
        self.found.borrow_mut().push(self.lines.problem(span.start, text));
    }

    /// Whether there are more than anybody reads.
    fn is_enough(&self) -> bool {
        self.found.borrow().len() > MAX_PROBLEMS
    }

    pub(super) fn into_list(self) -> Vec<Problem> {
        self.found.into_inner()
    }
}

/// A value with its key and its place.
#[derive(Clone)]
pub(super) struct Field<'a> {
    /// With the names of the tables that it is in: `job.home.every`.
    pub(super) path: String,
    pub(super) span: Range<usize>,
    value: &'a DeValue<'a>,
    faults: &'a Faults<'a>,
}

/// A table, of which each key is asked for by its name.
pub(super) struct Table<'a> {
    pub(super) path: String,
    pub(super) span: Range<usize>,
    table: &'a DeTable<'a>,
    faults: &'a Faults<'a>,
    known: Vec<&'static str>,
}

impl<'a> Table<'a> {
    pub(super) fn root(table: &'a Spanned<DeTable<'a>>, faults: &'a Faults<'a>) -> Self {
        Self { path: String::new(), span: 0..0, table: table.get_ref(), faults, known: Vec::new() }
    }

    /// The value of that key, if there is one.
    pub(super) fn get(&mut self, key: &'static str) -> Option<Field<'a>> {
        self.known.push(key);
        let (_, value) = self.table.iter().find(|(name, _)| name.get_ref() == key)?;
        Some(self.field(key, value))
    }

    /// The same, where there must be one.
    pub(super) fn need(&mut self, key: &'static str, expected: &str) -> Option<Field<'a>> {
        let field = self.get(key);
        if field.is_none() {
            self.faults.push(&self.span, format!("`{}` is missing: expected {expected}", self.path_of(key)));
        }
        field
    }

    /// What is read of a key's value, where there is one and it is right.
    pub(super) fn read<T>(&mut self, key: &'static str, read: impl FnOnce(&Field<'a>) -> Option<T>) -> Option<T> {
        self.get(key).and_then(|field| read(&field))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// All keys, which are names that the user chose, with their values and the keys' places.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&'a str, Range<usize>, Field<'a>)> {
        let entry = |(name, value): (&'a Spanned<_>, &'a Spanned<_>)| {
            let text: &'a std::borrow::Cow<'a, str> = name.get_ref();
            (text.as_ref(), name.span(), self.field(text, value))
        };
        self.table.iter().map(entry)
    }

    /// To be called when everything was asked for: tells of the keys that nobody knows.
    pub(super) fn done(self) {
        for (name, span, field) in self.entries() {
            if self.faults.is_enough() {
                return;
            }
            if self.known.contains(&name) {
                continue;
            }
            let known = self.known.iter().filter(|_| name.len() <= MAX_LIKE_BYTES);
            let near = known.map(|known| (strsim::normalized_damerau_levenshtein(name, known), *known));
            let nearest = near.filter(|(like, _)| *like >= LIKE).max_by(|(a, _), (b, _)| a.total_cmp(b));
            let hint = match nearest {
                Some((_, known)) => format!("did you mean `{known}`?"),
                None => format!("expected one of `{}`", self.known.join("`, `")),
            };
            self.faults.push(&span, format!("unknown key `{}`: {hint}", shown(&field.path)));
        }
    }

    /// Says something of the table as a whole.
    pub(super) fn fault(&self, text: String) {
        self.faults.push(&self.span, text);
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    fn field(&self, key: &str, value: &'a Spanned<DeValue<'a>>) -> Field<'a> {
        Field { path: self.path_of(key), span: value.span(), value: value.get_ref(), faults: self.faults }
    }
}

impl<'a> Field<'a> {
    /// Says that this is not what was expected.
    pub(super) fn fault<T>(&self, expected: &str) -> Option<T> {
        let found = self.faults.text.get(self.span.clone()).unwrap_or_default();
        // A table's place is its header's.
        let found = if self.value.is_table() { "a table".to_owned() } else { format!("`{}`", shown(found)) };
        self.faults.push(&self.span, format!("`{}`: expected {expected}, found {found}", shown(&self.path)));
        None
    }

    /// Says something else of it.
    pub(super) fn wrong<T>(&self, text: &str) -> Option<T> {
        self.faults.push(&self.span, format!("`{}`: {text}", shown(&self.path)));
        None
    }

    pub(super) fn table(&self, expected: &str) -> Option<Table<'a>> {
        match self.value.as_table() {
            Some(table) => Some(Table {
                path: self.path.clone(),
                span: self.span.clone(),
                table,
                faults: self.faults,
                known: Vec::new(),
            }),
            None => self.fault(expected),
        }
    }

    /// A text of which `read` makes something.
    pub(super) fn text<T>(&self, expected: &str, read: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        self.value.as_str().and_then(read).or_else(|| self.fault(expected))
    }

    /// A list of at least one thing.
    pub(super) fn list<T>(&self, expected: &str, most: usize, read: impl Fn(&Self) -> Option<T>) -> Option<Vec<T>> {
        let items = self.value.as_array().filter(|items| !items.is_empty() && items.len() <= most);
        let Some(items) = items else { return self.fault(expected) };
        let item = |(nth, value): (usize, &'a Spanned<DeValue<'a>>)| {
            let path = format!("{}[{nth}]", self.path);
            read(&Field { path, span: value.span(), value: value.get_ref(), faults: self.faults })
        };
        let read: Vec<_> = items.iter().enumerate().map(item).collect();
        read.into_iter().collect()
    }

    /// A whole number within a range.
    pub(super) fn number(&self, expected: &str, range: Range<u64>) -> Option<u64> {
        let number = |value: &DeValue<'_>| {
            let integer = value.as_integer()?;
            u64::from_str_radix(integer.as_str(), integer.radix()).ok().filter(|number| range.contains(number))
        };
        number(self.value).or_else(|| self.fault(expected))
    }

    pub(super) fn boolean(&self) -> Option<bool> {
        self.value.as_bool().or_else(|| self.fault("`true` or `false`"))
    }

    pub(super) fn is_number(&self) -> bool {
        self.value.is_integer()
    }

    /// A length of time.
    pub(super) fn duration(&self) -> Option<Duration> {
        self.text("a duration such as `90s`, `15m`, `1h30m`, `2d` or `1w`", duration)
    }
}

/// Weeks, days, hours, minutes and seconds, in this order, each at most once: `1h30m`. At least a second, at most ten
/// years. Here `m` is a minute.
fn duration(text: &str) -> Option<Duration> {
    let mut units = [('w', 604_800), ('d', 86_400), ('h', 3600), ('m', 60), ('s', 1)].into_iter();
    let mut rest = text;
    let mut seconds = 0u64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, tail) = rest.split_at(digits);
        let letter = tail.chars().next()?;
        let (_, unit) = units.find(|(known, _)| *known == letter)?;
        seconds = seconds.checked_add(number.parse::<u64>().ok()?.checked_mul(unit)?)?;
        rest = &tail[letter.len_utf8()..];
    }
    (1..=10 * 366 * 86_400).contains(&seconds).then(|| Duration::from_secs(seconds))
}

/// The beginning of a text that may be long or odd, on one line.
fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(MAX_SHOWN_CHARS).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(MAX_SHOWN_CHARS).is_some() {
        shown += "...";
    }
    shown
}

use std::fs;

use snapshot::{Journal, JournalError};

use crate::model::record;

#[test]
fn what_is_kept_is_read_and_listed() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::new(folder.path().join("a/b"));
    assert!(journal.all().unwrap().is_empty());
    let (mut one, mut two) = (record(true, Some(true)), record(false, None));
    one.snapshot = "vg0/a-b".parse().unwrap();
    two.snapshot = "vg0-a/b".parse().unwrap();
    for record in [&one, &two] {
        journal.keep(record).unwrap();
        journal.keep(record).unwrap();
        assert_eq!(journal.read(&record.snapshot).unwrap().as_ref(), Some(record));
    }
    let mut all: Vec<_> = journal.all().unwrap().into_iter().map(Result::unwrap).collect();
    all.sort_by_key(|record| record.snapshot != one.snapshot);
    assert_eq!(all, [one.clone(), two.clone()]);
    journal.forget(&one.snapshot).unwrap();
    journal.forget(&one.snapshot).unwrap();
    assert_eq!(journal.read(&one.snapshot).unwrap(), None);
    assert_eq!(journal.all().unwrap().len(), 1);
}

#[test]
fn what_was_altered_says_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::new(folder.path());
    let record = record(true, None);
    journal.keep(&record).unwrap();
    let path = journal.path(&record.snapshot);
    let text = fs::read_to_string(&path).unwrap();
    for (from, to) in [("space.img", "other.img"), ("\"version\": 2", "\"version\": 3"), ("{", "")] {
        fs::write(&path, text.replacen(from, to, 1)).unwrap();
        let refused = journal.read(&record.snapshot).unwrap_err();
        assert!(refused.to_string().contains(&path.display().to_string()), "{refused}");
        assert_eq!(matches!(refused, JournalError::Version { .. }), to.contains('3'));
        assert!(journal.all().unwrap().pop().unwrap().is_err());
    }
    // The first version had the same keys but for those that may be missing.
    fs::write(&path, text.replacen("\"version\": 2", "\"version\": 1", 1)).unwrap();
    assert_eq!(journal.read(&record.snapshot).unwrap(), Some(record));
}

#[test]
fn half_a_record_counts_for_nothing_and_goes() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::new(folder.path());
    let record = record(false, None);
    let half = journal.path(&record.snapshot).with_extension("new");
    fs::write(&half, "{").unwrap();
    assert!(journal.all().unwrap().is_empty());
    assert_eq!(journal.halves(), std::slice::from_ref(&record.snapshot));
    journal.remove_half(&record.snapshot).unwrap();
    assert!(!half.exists() && journal.halves().is_empty());
    // Another one is written over it.
    fs::write(&half, "{").unwrap();
    journal.keep(&record).unwrap();
    assert_eq!(journal.read(&record.snapshot).unwrap(), Some(record));
    assert!(!half.exists());
}

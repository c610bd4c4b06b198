//! Where the daemon says what happens: the journal, with fields to search by, or lines on standard error.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

/// Where journald takes entries (systemd's `JOURNAL_NATIVE_PROTOCOL`).
const JOURNAL: &str = "/run/systemd/journal/socket";
/// A datagram must fit into a socket's buffer, which is 208 KiB unless somebody changed it.
const MAX_TEXT_BYTES: usize = 32 << 10;

/// How much it matters; the numbers are syslog(3)'s.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Level {
    /// Something does not work.
    Error = 3,
    /// Something should be looked at.
    Warning = 4,
    /// Something happened that happens.
    Info = 6,
    /// For who looks for a mistake.
    Debug = 7,
}

/// Says things. May be used by several threads.
#[derive(Debug)]
pub(super) struct Log {
    journal: Option<UnixDatagram>,
    up_to: Level,
}

/// What an entry is about: names in capitals, as the journal wants them.
pub(super) type Fields<'a> = &'a [(&'static str, &'a str)];

impl Log {
    /// To the journal where standard error is the journal's (`$JOURNAL_STREAM`, systemd.exec(5)), else to that.
    pub(super) fn new(stream: Option<&str>, common: cli::Common) -> Self {
        let up_to = match (common.quiet, common.verbose) {
            (true, _) => Level::Warning,
            (false, 0) => Level::Info,
            (false, _) => Level::Debug,
        };
        let is_ours = stream.is_some_and(|stream| stderr_id().is_ok_and(|id| id == stream));
        Self { journal: is_ours.then(|| connect(Path::new(JOURNAL)).ok()).flatten(), up_to }
    }

    pub(super) fn error(&self, fields: Fields<'_>, text: &str) {
        self.say(Level::Error, fields, text);
    }

    pub(super) fn warning(&self, fields: Fields<'_>, text: &str) {
        self.say(Level::Warning, fields, text);
    }

    pub(super) fn info(&self, fields: Fields<'_>, text: &str) {
        self.say(Level::Info, fields, text);
    }

    pub(super) fn debug(&self, fields: Fields<'_>, text: &str) {
        self.say(Level::Debug, fields, text);
    }

    fn say(&self, level: Level, fields: Fields<'_>, text: &str) {
        if level > self.up_to {
            return;
        }
        let sent = self.journal.as_ref().map(|journal| journal.send(&entry(level, fields, text)));
        // Where the journal is being restarted its stream still takes lines.
        if !matches!(sent, Some(Ok(_))) {
            let job = fields.iter().find(|(name, _)| *name == "JOB");
            let about = job.map_or_else(String::new, |(_, job)| format!("{job}: "));
            cli::say(&format!("lvbackup: {about}{text}"));
        }
    }
}

fn connect(path: &Path) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.connect(path)?;
    // Nobody waits for a journal that hangs.
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// `DEVICE:INODE` of standard error.
fn stderr_id() -> io::Result<String> {
    let about = File::from(io::stderr().as_fd().try_clone_to_owned()?).metadata()?;
    Ok(format!("{}:{}", about.dev(), about.ino()))
}

/// One entry in the native protocol: `NAME`, a line break, the value's length in 8 bytes, little-endian, and the value, so
/// that no value can begin a field of its own.
fn entry(level: Level, fields: Fields<'_>, text: &str) -> Vec<u8> {
    let priority = (level as u8).to_string();
    let end = (0..=text.len().min(MAX_TEXT_BYTES)).rev().find(|end| text.is_char_boundary(*end));
    let text = text.get(..end.unwrap_or_default()).unwrap_or_default();
    let usual = [("PRIORITY", priority.as_str()), ("SYSLOG_IDENTIFIER", "lvbackup"), ("MESSAGE", text)];
    let mut bytes = Vec::new();
    for (name, value) in usual.iter().chain(fields) {
        bytes.extend_from_slice(name.as_bytes());
        bytes.push(b'\n');
        bytes.extend_from_slice(&(value.len() as u64).to_le_bytes());
        bytes.extend_from_slice(value.as_bytes());
        bytes.push(b'\n');
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_journal_gets_fields() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let journal = UnixDatagram::bind(&path).unwrap();
        let log = Log { journal: Some(connect(&path).unwrap()), up_to: Level::Info };
        log.debug(&[], "not this");
        log.warning(&[("JOB", "home"), ("LAYER", "x\nPRIORITY=0")], "two\nlines");
        let mut bytes = [0; 1000];
        let len = journal.recv(&mut bytes).unwrap();
        let expected = "PRIORITY\n\u{1}\0\0\0\0\0\0\u{0}4\nSYSLOG_IDENTIFIER\n\u{8}\0\0\0\0\0\0\0lvbackup\n\
                        MESSAGE\n\u{9}\0\0\0\0\0\0\0two\nlines\nJOB\n\u{4}\0\0\0\0\0\0\0home\n\
                        LAYER\n\u{c}\0\0\0\0\0\0\0x\nPRIORITY=0\n";
        assert_eq!(String::from_utf8_lossy(&bytes[..len]), expected);
    }

    #[test]
    fn another_stream_is_not_the_journal() {
        let common = cli::Common { verbose: 0, quiet: false, progress: cli::Shown::Auto };
        assert!(Log::new(Some("1:1"), common).journal.is_none());
        assert!(Log::new(None, common).journal.is_none());
    }
}

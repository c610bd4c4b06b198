//! The limits of a store, and of what is believed of one.

use std::time::Duration;

/// The format of a store that this crate makes, and the newest that it opens.
pub const FORMAT: u32 = 1;
/// The longest manifest, lock or marker that is read, in bytes.
pub const MAX_SMALL_BYTES: u64 = 1 << 20;
/// The longest name of a folder or file that is made of a series, a layer or a tag, in bytes; what file systems allow
/// is 255, and suffixes follow.
pub const MAX_NAME_BYTES: usize = 180;
/// The longest text in a manifest or lock that is not a name, in bytes.
pub const MAX_TEXT_BYTES: usize = 1024;
/// How many objects under one prefix are looked at before a listing is given up.
pub const MAX_OBJECTS: usize = 1 << 22;
/// To how many recipients a layer is encrypted at most: their names are the header of the object, which has a limit.
pub const MAX_RECIPIENTS: usize = 512;
/// The longest header of an encrypted object that is read, in bytes; one recipient takes about 100.
pub const MAX_AGE_HEADER_BYTES: usize = 64 << 10;
/// How many lines such a header has at most; one recipient takes two. Each line is read with all before it.
pub const MAX_AGE_HEADER_LINES: usize = 2048;
/// The longest object, in bytes; services allow less.
pub const MAX_OBJECT_BYTES: u64 = 1 << 62;
/// The smallest part of an upload, in bytes (S3 asks for 5 MiB at least).
pub const MIN_PART_BYTES: u64 = 8 << 20;
/// How many parts an upload is planned to have at most. S3 allows 10,000; some room is for what compression and
/// encryption may add.
pub const MAX_PARTS: u64 = 9_000;
/// How many parts of an upload are on their way at once, at most.
pub const PARTS_AT_ONCE: usize = 3;
/// How much memory the parts that are on their way may take together, in bytes: longer parts go fewer at a time, and one
/// alone where that is longer still. One more is filled meanwhile. A part is the volume's data divided by [`MAX_PARTS`],
/// so all of it is 32 MiB up to 70 GiB of data, 351 MiB at 1 TiB, 1.2 GiB at 5 TiB.
pub const PARTS_MEMORY_BYTES: u64 = 256 << 20;
/// How long one request may take that carries no long part.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(300);
/// How long this machine's metadata service, which is next to it, may take to give credentials.
pub const METADATA_TIMEOUT: Duration = Duration::from_secs(5);
/// After how long such a wait is reported.
pub const REPORT_METADATA: Duration = Duration::from_secs(1);
/// After how long a service that does not answer is reported; longer for what carries much data.
pub const REPORT_SILENT: Duration = Duration::from_secs(5);
/// After how long a service that fails all requests is reported, while they are tried again.
pub const REPORT_FAILING: Duration = Duration::from_secs(3);
/// How much of an answer that reports an error is read, in bytes.
pub const MAX_ANSWER_BYTES: usize = 64 << 10;
/// How often an object is written that must not be there before, where the answers do not say whether it was.
pub const CREATE_TRIES: u32 = 3;
/// How often it is looked whether the caller wants to stop, while a service is waited for.
pub const STOP_IS_LOOKED_FOR: Duration = Duration::from_millis(50);
/// How long after that a request is still waited for that changes something.
pub const STOP_FOR_CHANGES: Duration = Duration::from_secs(3);
/// How slow each of the parts that are on their way may be, in bytes a second: what takes longer has failed.
pub const LOWEST_BYTES_PER_SECOND: u64 = 64 << 10;
/// How much one request reads, in bytes. Memory for reading is this times [`READS_AT_ONCE`].
pub const READ_BYTES: u64 = 8 << 20;
/// How many requests read ahead.
pub const READS_AT_ONCE: usize = 3;
/// How many small objects are fetched at once.
pub const SMALL_AT_ONCE: usize = 16;
/// How often the holder of a lock says that it lives.
pub const LOCK_REFRESH: Duration = Duration::from_secs(5 * 60);
/// How long somebody who steps back has for it: a lock that is seen before and after is there to stay.
pub const LOCK_STEPS_BACK: Duration = Duration::from_secs(5);
/// How long the holder of a lock that was dead already may take from the look at it to its refresh.
pub const LOCK_GAP: Duration = Duration::from_secs(60);
/// How long a lock counts after its holder last said so, by the clock of whoever looks: clocks must agree much better.
pub const LOCK_STALE: Duration = Duration::from_secs(30 * 60);

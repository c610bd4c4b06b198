//! Memory that the kernel accepts for direct input and output.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes in memory that start at a multiple of [`AlignedBuf::ALIGN`]: what `O_DIRECT` asks for on every device.
#[derive(Default)]
pub struct AlignedBuf {
    // Longer than the capacity by what the alignment may cost. Never reallocated, so that `start` stays right.
    memory: Box<[u8]>,
    start: usize,
    len: usize,
}

impl AlignedBuf {
    /// The alignment in memory, in bytes.
    pub const ALIGN: usize = 4096;

    /// An empty buffer for up to `capacity` bytes.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        if capacity == 0 {
            return Self::default();
        }
        let memory = vec![0; capacity.saturating_add(Self::ALIGN - 1)].into_boxed_slice();
        let address = memory.as_ptr().addr();
        Self { start: address.next_multiple_of(Self::ALIGN) - address, memory, len: 0 }
    }

    /// A buffer of `len` zeros.
    #[must_use]
    pub fn zeroed(len: usize) -> Self {
        Self { len, ..Self::with_capacity(len) }
    }

    /// How many bytes it can hold.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.memory.len().saturating_sub(Self::ALIGN - 1)
    }

    /// Sets the length. What is added holds whatever was there before: zeros, or earlier content.
    ///
    /// # Panics
    /// Where `len` is above the capacity.
    pub fn set_len(&mut self, len: usize) {
        assert!(len <= self.capacity(), "{len} bytes in a buffer for {}", self.capacity());
        self.len = len;
    }
}

impl Deref for AlignedBuf {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.memory[self.start..self.start + self.len]
    }
}

impl DerefMut for AlignedBuf {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.memory[self.start..self.start + self.len]
    }
}

impl fmt::Debug for AlignedBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AlignedBuf({} of {} bytes)", self.len, self.capacity())
    }
}

/// Buffers of one capacity that are used again. Clones share them.
#[derive(Clone, Debug)]
pub struct BufferPool {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    capacity: usize,
    keep: usize,
    free: Mutex<Vec<AlignedBuf>>,
}

impl BufferPool {
    /// A pool of buffers for `capacity` bytes each, which keeps at most `keep` unused ones. How many are out at a
    /// time, the user of the pool bounds.
    #[must_use]
    pub fn new(capacity: usize, keep: usize) -> Self {
        Self { shared: Arc::new(Shared { capacity, keep, free: Mutex::default() }) }
    }

    /// A buffer of length 0. Its memory may hold earlier content.
    #[must_use]
    pub fn take(&self) -> PooledBuf {
        let free = self.shared.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut buf = free.unwrap_or_else(|| AlignedBuf::with_capacity(self.shared.capacity));
        buf.set_len(0);
        PooledBuf { buf, home: Arc::clone(&self.shared) }
    }
}

/// A buffer that goes back to its pool on drop.
#[derive(Debug)]
pub struct PooledBuf {
    buf: AlignedBuf,
    home: Arc<Shared>,
}

impl Deref for PooledBuf {
    type Target = AlignedBuf;

    fn deref(&self) -> &AlignedBuf {
        &self.buf
    }
}

impl DerefMut for PooledBuf {
    fn deref_mut(&mut self) -> &mut AlignedBuf {
        &mut self.buf
    }
}

impl Drop for PooledBuf {
    fn drop(&mut self) {
        let mut free = self.home.free.lock().unwrap_or_else(PoisonError::into_inner);
        if free.len() < self.home.keep {
            free.push(std::mem::take(&mut self.buf));
        }
    }
}

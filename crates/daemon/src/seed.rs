//! Chance that is the same every time.

/// What a job's phase and jitter are drawn from: the same texts give the same numbers, on every machine, for ever.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seed([u8; 32]);

impl Seed {
    /// From texts that tell this job from all others: its name, and what tells this machine from others that copy to the
    /// same one (`/etc/machine-id`).
    #[must_use]
    pub fn of(texts: &[&str]) -> Self {
        let mut hasher = blake3::Hasher::new();
        for text in texts {
            // The length too: `ab`, `c` are not `a`, `bc`.
            hasher.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
        }
        Self(hasher.finalize().into())
    }

    /// A number from 0 to `most`, for what is known by `key`.
    pub(crate) fn pick(&self, key: i64, most: u32) -> u32 {
        let digest = blake3::keyed_hash(&self.0, &key.to_le_bytes());
        let (half, _) = digest.as_bytes().split_at(8);
        let drawn = half.iter().fold(0u64, |drawn, byte| drawn << 8 | u64::from(*byte));
        // Below 2^32 + 1 of 2^64: the bias is less than one in four thousand million.
        u32::try_from(drawn % (u64::from(most) + 1)).unwrap_or(most)
    }
}

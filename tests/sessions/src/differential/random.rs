//! Random numbers that a printed seed reproduces.

use regrant_model::report::report;

/// The seed of this run: `REGRANT_SEED`, or a new one. It is printed.
pub fn seed() -> u64 {
    let seed = match std::env::var("REGRANT_SEED") {
        Ok(text) => text.parse().expect("REGRANT_SEED is a whole number"),
        Err(_) => {
            let since = std::time::SystemTime::UNIX_EPOCH.elapsed().expect("a clock after 1970");
            u64::from(since.subsec_nanos()) ^ since.as_secs() << 20
        }
    };
    report(format!("REGRANT_SEED={seed}"));
    seed
}

/// SplitMix64: small, and good enough to pick cases.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The numbers of `seed`.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).expect("below a usize")
    }

    /// Milliseconds below `end`.
    pub fn millis(&mut self, end: i64) -> i64 {
        i64::try_from(self.next() % end.unsigned_abs().max(1)).expect("below an i64")
    }

    /// Whether a chance of `percent` came true.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of these.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// Random bytes.
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.next().to_le_bytes()[0])
    }
}

//! A cache of verified tokens, so that their signatures are not checked again with every request.
//!
//! The key is the whole token. The cache holds only what was verified; what changes with time
//! (expiry, revocation) is checked by the caller with each use. A token verified by an earlier
//! keyring has to be verified again.

use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use foldhash::fast::RandomState;

/// Longer tokens are not cached, which bounds the memory.
const MAX_TOKEN_BYTES: usize = 1024;

/// The number of slots that a token can go to.
const WAYS: usize = 8;

/// How many bytes at the end of a token are hashed: its signature or part of it, which differs
/// between any two tokens.
const HASHED_BYTES: usize = 48;

/// A set-associative cache of fixed size that evicts the least recently used entry of a set.
pub(super) struct VerifiedCache<T> {
    sets: Box<[Mutex<Set<T>>]>,
    hasher: RandomState,
    serials: AtomicU64,
    epochs: AtomicU32,
}

struct Set<T> {
    ways: [Option<Entry<T>>; WAYS],
    /// Counts the lookups.
    clock: u32,
}

struct Entry<T> {
    hash: u64,
    last_used: u32,
    keyring_epoch: u32,
    token: Box<str>,
    value: T,
}

impl<T: Clone> VerifiedCache<T> {
    /// A cache for at least `tokens` tokens; `None` for 0.
    pub(super) fn new(tokens: usize) -> Option<Self> {
        let set = |_| Mutex::new(Set { ways: [const { None }; WAYS], clock: 0 });
        let sets = (0..tokens.div_ceil(WAYS)).map(set).collect::<Box<[_]>>();
        let (hasher, serials) = (RandomState::default(), AtomicU64::new(0));
        let epochs = AtomicU32::new(0);
        (!sets.is_empty()).then_some(Self { sets, hasher, serials, epochs })
    }

    /// The number for the next keyring. What was cached under another number is not found.
    pub(super) fn keyring_epoch(&self) -> u32 {
        self.epochs.fetch_add(1, Ordering::Relaxed)
    }

    /// The number of slots, rounded up to a power of two.
    pub(super) fn slots(&self) -> usize {
        (self.sets.len() * WAYS).next_power_of_two()
    }

    /// The value for `token`, if it was verified by the keyring of this number.
    pub(super) fn find(&self, token: &str, keyring_epoch: u32) -> Option<T> {
        let hash = self.hash(token);
        let mut set = self.set(hash).1;
        set.clock = set.clock.wrapping_add(1);
        let now = set.clock;
        let mut entries = set.ways.iter_mut().flatten();
        let entry = entries
            .find(|entry| entry.is_for(token, hash) && entry.keyring_epoch == keyring_epoch)?;
        entry.last_used = now;
        Some(entry.value.clone())
    }

    /// Caches the value that `make` returns for the id of the new entry. The id is never used
    /// again; modulo [`slots`](Self::slots) it is the slot. Without an id the value is not cached.
    pub(super) fn insert(
        &self,
        token: &str,
        keyring_epoch: u32,
        make: impl FnOnce(Option<u64>) -> T,
    ) -> T {
        if token.len() > MAX_TOKEN_BYTES {
            return make(None);
        }
        let hash = self.hash(token);
        let (number, mut set) = self.set(hash);
        let now = set.clock;
        // Another thread may have cached the same token meanwhile. Empty slots count as oldest.
        let age = |way: &Option<Entry<T>>| match way {
            Some(entry) => now.wrapping_sub(entry.last_used),
            None => u32::MAX,
        };
        let same =
            set.ways.iter().position(|way| way.as_ref().is_some_and(|e| e.is_for(token, hash)));
        let oldest = || (0..WAYS).max_by_key(|way| age(&set.ways[*way])).unwrap_or(0);
        let way = same.unwrap_or_else(oldest);
        let serial = self.serials.fetch_add(1, Ordering::Relaxed);
        let slot = (number * WAYS + way) as u64;
        let value = make(Some(serial.wrapping_mul(self.slots() as u64).wrapping_add(slot)));
        set.ways[way] = Some(Entry {
            hash,
            last_used: now,
            keyring_epoch,
            token: token.into(),
            value: value.clone(),
        });
        value
    }

    fn hash(&self, token: &str) -> u64 {
        let bytes = token.as_bytes();
        self.hasher.hash_one(&bytes[bytes.len().saturating_sub(HASHED_BYTES)..])
    }

    /// The set for a hash, and its index.
    fn set(&self, hash: u64) -> (usize, MutexGuard<'_, Set<T>>) {
        // The high half of the product is below the number of sets, and evenly distributed.
        let wide = u128::from(hash) * self.sets.len() as u128;
        let number = usize::try_from(wide >> 64).unwrap_or_default();
        (number, self.sets[number].lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<T> Entry<T> {
    fn is_for(&self, token: &str, hash: u64) -> bool {
        self.hash == hash && *self.token == *token
    }
}

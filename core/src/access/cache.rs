//! Verified tokens that are kept, so that their signatures are not checked again with every
//! request.
//!
//! A token is known by its whole text: whoever has that has the token. Nothing is kept but what
//! passed, and what changes with time is left to the caller: expiry, and revocation. What passed by
//! other keys than are in use now has to pass again.

use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use foldhash::fast::RandomState;

use super::verified::VerifiedAccess;

/// Longer tokens are not kept, so that there is a bound on the memory.
const LONGEST: usize = 1024;

/// How many places a token has to choose from.
const WAYS: usize = 8;

/// The end of a token is hashed: its signature, or a part of that. No two users have the same.
const HASHED: usize = 48;

/// A table of fixed size. In each set the token goes that was not used for longest.
pub(super) struct VerifiedCache {
    sets: Box<[Mutex<Set>]>,
    hasher: RandomState,
    serials: AtomicU64,
    key_rings: AtomicU32,
}

#[derive(Default)]
struct Set {
    ways: [Option<Entry>; WAYS],
    /// Counts the uses.
    clock: u32,
}

struct Entry {
    hash: u64,
    used: u32,
    key_ring: u32,
    token: Box<str>,
    access: VerifiedAccess,
}

impl VerifiedCache {
    /// With room for so many tokens or a few more; `None` for none.
    pub(super) fn new(tokens: usize) -> Option<Self> {
        let sets = (0..tokens.div_ceil(WAYS)).map(|_| Mutex::default()).collect::<Box<[_]>>();
        let (hasher, serials) = (RandomState::default(), AtomicU64::new(0));
        let key_rings = AtomicU32::new(0);
        (!sets.is_empty()).then_some(Self { sets, hasher, serials, key_rings })
    }

    /// A number for a ring of keys that no other had.
    pub(super) fn next_key_ring(&self) -> u32 {
        self.key_rings.fetch_add(1, Ordering::Relaxed)
    }

    /// How many places are numbered. Of a power of two the rest is found without a division.
    pub(super) fn places(&self) -> usize {
        (self.sets.len() * WAYS).next_power_of_two()
    }

    /// What `token` says, if it was found to be good by the keys of this number.
    pub(super) fn find(&self, token: &str, key_ring: u32) -> Option<VerifiedAccess> {
        let hash = self.hash(token);
        let mut set = self.set(hash).1;
        set.clock = set.clock.wrapping_add(1);
        let now = set.clock;
        let mut entries = set.ways.iter_mut().flatten();
        let entry = entries.find(|entry| entry.is(token, hash) && entry.key_ring == key_ring)?;
        entry.used = now;
        Some(entry.access.clone())
    }

    /// Keeps `access`, which is what `token` says and was found to be good by the keys of this
    /// number.
    pub(super) fn keep(&self, token: &str, access: &VerifiedAccess, key_ring: u32) {
        if token.len() > LONGEST {
            return;
        }
        let hash = self.hash(token);
        let (number, mut set) = self.set(hash);
        let now = set.clock;
        let age = |way: &Option<Entry>| way.as_ref().map(|entry| now.wrapping_sub(entry.used));
        // Another thread may have kept it meanwhile. An empty place counts as the oldest.
        let kept = set.ways.iter().position(|way| way.as_ref().is_some_and(|e| e.is(token, hash)));
        let oldest = || (0..WAYS).max_by_key(|way| age(&set.ways[*way]).unwrap_or(u32::MAX));
        let Some(way) = kept.or_else(oldest) else { return };
        let serial = self.serials.fetch_add(1, Ordering::Relaxed);
        let place = (number * WAYS + way) as u64;
        access.keep_as(serial.wrapping_mul(self.places() as u64).wrapping_add(place));
        set.ways[way] =
            Some(Entry { hash, used: now, key_ring, token: token.into(), access: access.clone() });
    }

    fn hash(&self, token: &str) -> u64 {
        let bytes = token.as_bytes();
        self.hasher.hash_one(&bytes[bytes.len().saturating_sub(HASHED)..])
    }

    /// The set for a hash, and which one it is.
    fn set(&self, hash: u64) -> (usize, MutexGuard<'_, Set>) {
        // The high half of the product is below the number of sets, and even.
        let wide = u128::from(hash) * self.sets.len() as u128;
        let number = usize::try_from(wide >> 64).unwrap_or_default();
        (number, self.sets[number].lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Entry {
    fn is(&self, token: &str, hash: u64) -> bool {
        self.hash == hash && *self.token == *token
    }
}

//! Remembers which proofs were used, for as long as they would be accepted again.

use std::collections::HashSet;
use std::mem;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use crate::error::{Error, Result};
use crate::keys::Thumbprint;
use crate::types::Timestamp;

/// The proofs of this process that were used, in two generations: each collects for as long as a
/// proof may be used, so what the older one holds is needed no longer when a third begins.
#[derive(Debug)]
pub(super) struct UsedProofs {
    lifetime: Duration,
    capacity: usize,
    generations: Mutex<Generations>,
}

#[derive(Debug, Default)]
struct Generations {
    since: Option<Timestamp>,
    younger: HashSet<Used>,
    older: HashSet<Used>,
}

/// 128 bits of a SHA-256: nobody finds two proofs of one.
type Used = [u8; 16];

impl UsedProofs {
    pub(super) fn new(lifetime: Duration, capacity: usize) -> Self {
        Self { lifetime, capacity, generations: Mutex::default() }
    }

    /// Notes that the proof `id` of this key was used.
    ///
    /// # Errors
    /// [`Error::DpopProofReplayed`] when it was before; [`Error::StoreUnavailable`] when as many
    /// are remembered as may be, for to forget one would let it in again.
    pub(super) fn note(&self, key: &Thumbprint, id: &str, now: Timestamp) -> Result<()> {
        let used = used(key, id);
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        generations.turn(now, self.lifetime);
        if generations.younger.contains(&used) || generations.older.contains(&used) {
            return Err(Error::DpopProofReplayed);
        }
        if generations.younger.len() + generations.older.len() >= self.capacity {
            return Err(Error::store("as many proofs are remembered as may be"));
        }
        generations.younger.insert(used);
        Ok(())
    }
}

impl Generations {
    fn turn(&mut self, now: Timestamp, lifetime: Duration) {
        let since = *self.since.get_or_insert(now);
        let age = now.since(since);
        if age < lifetime {
            return;
        }
        self.older = mem::take(&mut self.younger);
        if age >= lifetime * 2 {
            self.older.clear();
        }
        self.since = Some(now);
    }
}

fn used(key: &Thumbprint, id: &str) -> Used {
    let hash = Sha256::new_with_prefix(key.to_string()).chain_update(id).finalize();
    let mut used = [0; 16];
    used.copy_from_slice(&hash[..16]);
    used
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFETIME: Duration = Duration::from_secs(60);

    fn key(text: &str) -> Thumbprint {
        let text =
            format!("{text}{}", &"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"[text.len()..]);
        text.parse().unwrap()
    }

    #[test]
    fn a_proof_is_used_once_for_as_long_as_it_lives() {
        let used = UsedProofs::new(LIFETIME, 10);
        let at = Timestamp::from_seconds;
        // Wherever in a generation it was used.
        for start in [0, 1, 59, 60, 100, 119, 200] {
            let id = format!("proof {start}");
            used.note(&key("a"), &id, at(start)).unwrap();
            for later in [0, 1, 30, 59] {
                let again = used.note(&key("a"), &id, at(start + later));
                assert!(matches!(again, Err(Error::DpopProofReplayed)), "{start} {later}");
            }
        }
    }

    #[test]
    fn keys_do_not_share_proofs() {
        let used = UsedProofs::new(LIFETIME, 10);
        used.note(&key("a"), "1", Timestamp::EPOCH).unwrap();
        used.note(&key("b"), "1", Timestamp::EPOCH).unwrap();
    }

    #[test]
    fn a_full_memory_refuses_and_empties_with_time() {
        let used = UsedProofs::new(LIFETIME, 2);
        let at = Timestamp::from_seconds;
        used.note(&key("a"), "1", at(0)).unwrap();
        used.note(&key("a"), "2", at(0)).unwrap();
        assert!(matches!(used.note(&key("a"), "3", at(59)), Err(Error::StoreUnavailable { .. })));
        assert!(matches!(used.note(&key("a"), "1", at(59)), Err(Error::DpopProofReplayed)));
        used.note(&key("a"), "3", at(120)).unwrap();
    }
}

//! The proofs that were used, so that none is accepted twice (RFC 9449 §11.1).

use std::collections::{HashMap, HashSet};
use std::mem;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use crate::error::{Error, Result};
use crate::keys::Thumbprint;
use crate::types::Timestamp;

/// The proofs that were used in this process, for as long as they would be accepted again. They are
/// kept in two generations, each of which collects for one lifetime of a proof, so the older one
/// can be dropped as a whole when a third begins.
///
/// Each key has a share of a hundredth, so that a client that signs very many proofs runs into its own
/// limit: not even a user with the keys of 50 sessions fills more than half of the capacity.
#[derive(Debug)]
pub(super) struct UsedProofs {
    lifetime: Duration,
    capacity: usize,
    generations: Mutex<Generations>,
}

#[derive(Debug, Default)]
struct Generations {
    since: Option<Timestamp>,
    younger: Generation,
    older: Generation,
}

#[derive(Debug, Default)]
struct Generation {
    proofs: HashSet<ProofId>,
    /// The number of proofs of each key.
    counts: HashMap<Thumbprint, usize>,
}

/// 128 bits of a SHA-256 over key and `jti`, enough to make collisions infeasible.
type ProofId = [u8; 16];

impl UsedProofs {
    pub(super) fn new(lifetime: Duration, capacity: usize) -> Self {
        Self { lifetime, capacity, generations: Mutex::default() }
    }

    /// Adds the proof with the `jti` `id` by this key.
    ///
    /// # Errors
    /// [`Error::DpopProofReplayed`] when it is there already; [`Error::StoreUnavailable`] when the share
    /// of the key or the capacity is reached, because dropping another proof would allow its replay.
    pub(super) fn insert(&self, key: &Thumbprint, id: &str, now: Timestamp) -> Result<()> {
        let proof = proof_id(key, id);
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        generations.rotate(now, self.lifetime);
        let Generations { younger, older, .. } = &mut *generations;
        if younger.proofs.contains(&proof) || older.proofs.contains(&proof) {
            return Err(Error::DpopProofReplayed);
        }
        if younger.proofs.len() + older.proofs.len() >= self.capacity {
            return Err(Error::store("the capacity for used DPoP proofs is reached"));
        }
        if younger.count(key) + older.count(key) >= self.capacity.div_ceil(100) {
            return Err(Error::store("the limit of DPoP proofs per key is reached"));
        }
        younger.proofs.insert(proof);
        *younger.counts.entry(*key).or_default() += 1;
        Ok(())
    }
}

impl Generations {
    fn rotate(&mut self, now: Timestamp, lifetime: Duration) {
        let since = *self.since.get_or_insert(now);
        if since > now.plus(lifetime) {
            // The clock was ahead and is corrected. What was used meanwhile is kept for one lifetime more.
            self.older = mem::take(&mut self.younger);
            self.since = Some(now);
            return;
        }
        let age = now.since(since);
        if age < lifetime {
            return;
        }
        self.older = mem::take(&mut self.younger);
        if age >= lifetime * 2 {
            self.older = Generation::default();
        }
        self.since = Some(now);
    }
}

impl Generation {
    fn count(&self, key: &Thumbprint) -> usize {
        self.counts.get(key).copied().unwrap_or_default()
    }
}

fn proof_id(key: &Thumbprint, id: &str) -> ProofId {
    let hash = Sha256::new_with_prefix(key.to_string()).chain_update(id).finalize();
    let mut proof = [0; 16];
    proof.copy_from_slice(&hash[..16]);
    proof
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
    fn a_used_proof_is_refused_for_its_whole_lifetime() {
        let used = UsedProofs::new(LIFETIME, 1000);
        let at = Timestamp::from_seconds;
        // At different ages of the younger generation.
        for start in [0, 1, 59, 60, 100, 119, 200] {
            let id = format!("proof {start}");
            used.insert(&key("a"), &id, at(start)).unwrap();
            for later in [0, 1, 30, 59] {
                let again = used.insert(&key("a"), &id, at(start + later));
                assert!(matches!(again, Err(Error::DpopProofReplayed)), "{start} {later}");
            }
        }
    }

    #[test]
    fn a_clock_that_was_ahead_fills_the_capacity_for_no_longer_than_a_lifetime() {
        let used = UsedProofs::new(LIFETIME, 2);
        let at = Timestamp::from_seconds;
        used.insert(&key("a"), "1", at(86_400)).unwrap();
        used.insert(&key("b"), "2", at(0)).unwrap();
        assert!(matches!(used.insert(&key("c"), "3", at(59)), Err(Error::StoreUnavailable { .. })));
        assert!(matches!(used.insert(&key("b"), "2", at(59)), Err(Error::DpopProofReplayed)));
        used.insert(&key("c"), "3", at(60)).unwrap();
    }

    #[test]
    fn the_same_jti_by_another_key_is_another_proof() {
        let used = UsedProofs::new(LIFETIME, 10);
        used.insert(&key("a"), "1", Timestamp::EPOCH).unwrap();
        used.insert(&key("b"), "1", Timestamp::EPOCH).unwrap();
    }

    #[test]
    fn used_proofs_over_the_capacity_are_refused_until_the_oldest_expire() {
        let used = UsedProofs::new(LIFETIME, 2);
        let at = Timestamp::from_seconds;
        used.insert(&key("a"), "1", at(0)).unwrap();
        used.insert(&key("b"), "2", at(0)).unwrap();
        let full = used.insert(&key("c"), "3", at(59));
        assert!(matches!(full, Err(Error::StoreUnavailable { .. })));
        assert!(matches!(used.insert(&key("a"), "1", at(59)), Err(Error::DpopProofReplayed)));
        used.insert(&key("c"), "3", at(120)).unwrap();
    }

    #[test]
    fn one_key_does_not_fill_the_capacity_for_all() {
        let used = UsedProofs::new(LIFETIME, 1000);
        let fill = |key: &Thumbprint, at: i64| {
            let insert = |number| {
                used.insert(key, &format!("{at} {number}"), Timestamp::from_seconds(at)).is_ok()
            };
            (0..1000).take_while(|number| insert(*number)).count()
        };
        for name in 'a'..='z' {
            assert_eq!(fill(&key(&name.to_string()), 0), 10);
        }
        // What a key has used in the generation before counts too, until that expires.
        assert_eq!((fill(&key("a"), 60), fill(&key("b2"), 60)), (0, 10));
        assert_eq!((fill(&key("a"), 120), fill(&key("b2"), 120)), (10, 0));
    }
}

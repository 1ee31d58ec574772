//! Failed attempts. Those by a user are counted in the store, so that all processes share the limit.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::mem;
use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;
use sha2::{Digest as _, Sha256};

use crate::error::Result;
use crate::session::TokenId;
use crate::types::{SessionId, Subject, Timestamp};

/// What failures are counted for: an address or a subject. Stores see only a hash of it, so that
/// a dump does not list users and addresses.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct FailureKey([u8; 16]);

impl FailureKey {
    /// The address of a client. Of an IPv6 address only the first 64 bits count, because a client
    /// can use all addresses within them; an IPv4-mapped address counts as the IPv4 address. Text
    /// that is not an address is used as is.
    pub fn address(text: &str) -> Self {
        let text = text.trim();
        match text.parse::<IpAddr>().map(|address| address.to_canonical()) {
            Ok(IpAddr::V4(address)) => Self::of(b"address 4", &address.octets()),
            Ok(IpAddr::V6(address)) => Self::of(b"address 6", &address.octets()[..8]),
            Err(_) => Self::of(b"address", text.as_bytes()),
        }
    }

    /// A user.
    pub fn subject(subject: &Subject) -> Self {
        Self::of(b"subject", subject.as_str().as_bytes())
    }

    /// One refresh token. Such keys stay within a process and are not counted.
    pub(crate) fn token(session: &SessionId, id: &TokenId) -> Self {
        Self::of(b"token", &[&session.as_bytes()[..], id.as_bytes()].concat())
    }

    pub(super) fn of(kind: &[u8], value: &[u8]) -> Self {
        let hash =
            Sha256::new().chain_update(kind).chain_update([0]).chain_update(value).finalize();
        let mut key = [0; 16];
        key.copy_from_slice(&hash[..16]);
        Self(key)
    }

    /// The 16 bytes that a store uses as the key.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for FailureKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FailureKey(…)")
    }
}

/// The failures counted in the current window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failures {
    /// How many failures the window has.
    pub count: u32,
    /// How much of the window is left.
    pub left: Duration,
}

/// Counts failures in fixed windows: a window begins with its first failure and ends after its
/// length; the next failure begins a new one.
#[async_trait]
pub trait FailureCounter: Send + Sync {
    /// Counts one more failure for `key` in a window of the length `window` and returns the
    /// count. A call that is repeated because its answer was lost may count twice.
    async fn count(&self, key: &FailureKey, window: Duration) -> Result<Failures>;
}

/// A window as stores keep it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    pub(super) count: u32,
    pub(super) ends: Timestamp,
}

impl Window {
    /// The window after one more failure at `now`.
    pub(super) fn count(before: Option<Self>, length: Duration, now: Timestamp) -> Self {
        let ends = now.plus(length);
        match before.filter(|window| now < window.ends) {
            // A clock that was set back must not extend the window.
            Some(window) => {
                Self { count: window.count.saturating_add(1), ends: window.ends.min(ends) }
            }
            None => Self { count: 1, ends },
        }
    }

    pub(super) fn failures(self, now: Timestamp) -> Failures {
        Failures { count: self.count, left: self.ends.since(now) }
    }
}

/// A map of bounded size and constant cost. When its current half is full, that replaces the previous
/// half, whose entries are forgotten.
#[derive(Debug)]
pub(crate) struct RecentMap<K, V> {
    current: HashMap<K, V>,
    previous: HashMap<K, V>,
    /// Upper bound of each half.
    half: usize,
}

/// Upper bound of each half of a [`RecentMap`], by default.
const HALF: usize = 32_768;

impl<K, V> Default for RecentMap<K, V> {
    fn default() -> Self {
        Self::with_half(HALF)
    }
}

impl<K, V> RecentMap<K, V> {
    /// A map with at most `half` entries in each half.
    pub(crate) fn with_half(half: usize) -> Self {
        Self { current: HashMap::new(), previous: HashMap::new(), half }
    }
}

impl<K: Eq + Hash, V> RecentMap<K, V> {
    pub(crate) fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.current.get(key).or_else(|| self.previous.get(key))
    }

    pub(crate) fn insert(&mut self, key: K, value: V) {
        if self.current.len() >= self.half && !self.current.contains_key(&key) {
            self.previous = mem::take(&mut self.current);
        }
        self.current.insert(key, value);
    }

    pub(crate) fn remove<Q: Eq + Hash + ?Sized>(&mut self, key: &Q)
    where
        K: Borrow<Q>,
    {
        self.current.remove(key);
        self.previous.remove(key);
    }
}

/// FailureWindows in memory, at most 65,536 of them (about 4 MB). Beyond it those that did not count for the
/// longest are evicted, which forgives their failures early.
#[derive(Debug, Default)]
pub(crate) struct FailureWindows(RecentMap<FailureKey, Window>);

impl FailureWindows {
    pub(crate) fn add_failure(
        &mut self,
        key: FailureKey,
        length: Duration,
        now: Timestamp,
    ) -> Failures {
        let window = Window::count(self.0.get(&key).copied(), length, now);
        self.0.insert(key, window);
        window.failures(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_an_address_share_one_key() {
        let key = FailureKey::address;
        assert_eq!(key("192.0.2.7"), key("::ffff:192.0.2.7"));
        assert_eq!(key("2001:db8::1"), key(" 2001:DB8:0:0:ffff::9 "));
        assert_ne!(key("2001:db8::1"), key("2001:db8:0:1::1"));
        assert_ne!(key("192.0.2.7"), key("192.0.2.8"));
        assert_ne!(key("unix"), key("other"));
        let subject = Subject::new("192.0.2.7").unwrap();
        assert_ne!(key("192.0.2.7"), FailureKey::subject(&subject));
    }

    #[test]
    fn memory_is_bounded() {
        let mut windows = FailureWindows::default();
        let length = Duration::from_secs(60);
        let key = |number: usize| FailureKey::address(&number.to_string());
        let at = |ms: usize| Timestamp::from_millis(i64::try_from(ms).unwrap());
        for number in 0..3 * HALF + 10 {
            windows.add_failure(key(number), length, at(number / 10_000));
        }
        assert_eq!((windows.0.previous.len(), windows.0.current.len()), (HALF, 10));
        // The latest windows are still there, and the first ones are forgotten.
        assert_eq!(windows.add_failure(key(3 * HALF + 9), length, at(17)).count, 2);
        assert_eq!(windows.add_failure(key(2 * HALF), length, at(17)).count, 2);
        assert_eq!(windows.add_failure(key(0), length, at(17)).count, 1);
    }
}

//! All that is stored of a session, and its encoding: constant in size however old the session is,
//! and no token can be made from it.

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use super::notes::{ClientDetails, SessionNotes};
use crate::error::Error;
use crate::types::{FamilyPosition, Generation, RevocationReason, Timestamp};

/// A session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The generation of the confirmed refresh token.
    pub generation: Generation,
    /// The id of the confirmed refresh token.
    pub id: TokenId,
    /// The latest child of the confirmed refresh token, if one was issued.
    pub child: Option<Child>,
    /// When the confirmed refresh token became that; once its child is used, when that was first
    /// reported. The grace of the tokens before begins then. While the child is unused, it may be later: when
    /// the child was last issued again in the last `grace` of `unused_grace`.
    pub confirmed_at: Timestamp,
    /// When the user logged in; for a migrated session, in the legacy app.
    pub created_at: Timestamp,
    /// When the session expires, refreshed or not. Never changes.
    pub expires_at: Timestamp,
    /// When the session expires unless it is refreshed; for a revoked session, when it ended.
    /// Moves to a later instant with a refresh, and to an earlier one when the session is revoked.
    pub idle_deadline: Timestamp,
    /// Whether the session is live.
    pub state: SessionState,
    /// Whether the session began in the legacy app: see [`NewSession::legacy_login`].
    pub migrated: bool,
    /// The name by which people know the device.
    pub device: DeviceLabel,
    /// What is stored beside the record and decides nothing.
    pub notes: SessionNotes,
}

/// Whether a session is live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionState {
    /// It may be refreshed.
    Live,
    /// It was revoked; the reason is kept until the session would have expired.
    Revoked(RevocationReason),
}

/// The latest child of the confirmed refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Child {
    /// 0 for the first child; one more each time that an earlier one was discarded.
    pub branch: u32,
    /// When it was issued; strictly later than its parent.
    pub issued_at: Timestamp,
    /// Whether its access token was used, so that the client is known to have the child.
    pub used: bool,
}

/// What a record keeps of a refresh token: the first 128 bits of the SHA-256 of its secret.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct TokenId([u8; 16]);

impl TokenId {
    /// The id with these bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// What a login says about the session that it begins.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// The id of the first refresh token.
    pub id: TokenId,
    /// See [`SessionPolicy::idle_ttl`](super::SessionPolicy::idle_ttl).
    pub idle_ttl: Duration,
    /// See [`SessionPolicy::absolute_ttl`](super::SessionPolicy::absolute_ttl).
    pub absolute_ttl: Duration,
    /// The name by which people know the device.
    pub device: DeviceLabel,
    /// See [`SessionPolicy::max_sessions`](super::SessionPolicy::max_sessions). With `None` no other
    /// session is revoked or deleted for this one.
    pub max_sessions: Option<NonZeroU32>,
    /// For a session that is migrated from the legacy app: when it began there. Such a session is
    /// never deleted before it expires, because its legacy token would create it again.
    pub legacy_login: Option<Timestamp>,
    /// The client of the login, where that is recorded.
    pub client: Option<ClientDetails>,
}

impl Record {
    /// The last instant that a record can hold, in the year 10889: instants are encoded as 48 bits
    /// of milliseconds. A session with a longer lifetime expires then.
    pub const MAX_TIMESTAMP: Timestamp = Timestamp::from_millis((1 << 48) - 1);

    /// How long stores keep an expired session. A clock that is ahead makes sessions look expired, and
    /// they must still be there when it is corrected.
    pub const RETENTION: Duration = Duration::from_secs(120 * 24 * 3600);

    /// The record of a login at `now`.
    pub fn begin(new: &NewSession, now: Timestamp) -> Self {
        let now = now.min(Self::MAX_TIMESTAMP);
        let expires_at = now.plus(new.absolute_ttl).min(Self::MAX_TIMESTAMP);
        let legacy_login = new.legacy_login.map(|began| began.max(Timestamp::EPOCH));
        Self {
            generation: 0,
            id: new.id,
            child: None,
            confirmed_at: now,
            created_at: legacy_login.map_or(now, |began| began.min(now)),
            expires_at,
            idle_deadline: now.plus(new.idle_ttl).min(expires_at),
            state: SessionState::Live,
            migrated: legacy_login.is_some(),
            device: new.device.clone(),
            notes: SessionNotes {
                created_from: new.client.clone().map(Box::new),
                ..SessionNotes::default()
            },
        }
    }

    /// When the latest refresh token was issued.
    pub fn last_refreshed(&self) -> Timestamp {
        self.child.map_or(self.confirmed_at, |child| child.issued_at)
    }

    /// Whether the session can still be refreshed at `now`.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.state == SessionState::Live && now < self.idle_deadline && now < self.expires_at
    }

    /// Whether a store may delete the session at `now`.
    pub(crate) fn is_prunable(&self, now: Timestamp) -> bool {
        now >= self.expires_at.plus(Self::RETENTION)
    }

    /// The position in the token family of a child on `branch`.
    pub(super) fn child_position(&self, branch: u32) -> FamilyPosition {
        FamilyPosition { generation: self.generation.saturating_add(1), branch }
    }

    /// This session, revoked for `reason` at `now`. If it had idled out, it ended then.
    pub(crate) fn revoked(&self, reason: RevocationReason, now: Timestamp) -> Self {
        let state = SessionState::Revoked(reason);
        Self { state, idle_deadline: self.idle_deadline.min(now), ..self.clone() }
    }
}

/// The name by which people know a device: at most 64 bytes of text without control characters.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct DeviceLabel(Box<str>);

impl DeviceLabel {
    /// The longest label, in bytes.
    pub const MAX_BYTES: usize = 64;

    /// Checks `text` and makes a label of it.
    ///
    /// # Errors
    /// [`Error::ArgumentInvalid`] for `device` when `text` is too long or has control characters.
    pub fn new(text: impl Into<String>) -> Result<Self, Error> {
        let text = text.into();
        if text.len() > Self::MAX_BYTES || text.chars().any(char::is_control) {
            let expected = "expected at most 64 bytes of text without control characters";
            return Err(Error::argument("device", expected));
        }
        Ok(Self(text.into_boxed_str()))
    }

    /// Makes a label of any text, such as a `User-Agent`: drops control characters and truncates to
    /// the longest length at the end of a character.
    pub fn lossy(text: &str) -> Self {
        let mut label = String::new();
        for c in text.trim().chars().filter(|c| !c.is_control()) {
            if label.len() + c.len_utf8() > Self::MAX_BYTES {
                break;
            }
            label.push(c);
        }
        Self(label.into_boxed_str())
    }

    /// The text; empty when the app gave none.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for DeviceLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceLabel({:?})", &self.0)
    }
}

/// The layout of an encoded record. The scripts of the Redis store share these numbers.
pub(crate) mod layout {
    pub(crate) const VERSION: u8 = 1;
    /// The state of a live session; else it is the number of a
    /// [`RevocationReason`](crate::types::RevocationReason).
    pub(crate) const LIVE: u8 = 0;
    pub(crate) const HAS_CHILD: u8 = 1;
    pub(crate) const CHILD_USED: u8 = 2;
    pub(crate) const HAS_BRANCH: u8 = 4;
    pub(crate) const HAS_CONFIRMED_AT: u8 = 8;
    pub(crate) const MIGRATED: u8 = 16;
    pub(crate) const ID_BYTES: usize = 16;
    pub(crate) const INSTANT_BYTES: usize = 6;
    pub(super) const MAX_BYTES: usize = 57;
}

/// The encoding, the same in every store that keeps bytes; the Redis store reads and writes it in
/// Lua (`record.lua`).
///
/// | bytes | field |
/// |---|---|
/// | 1 | version of the layout: 1 |
/// | 1 | state: 0 live, else the number of the [`RevocationReason`] |
/// | 1 | flags: 1 `child` is there, 2 `child.used`, 4 `child.branch` is there, 8 `confirmed_at` is there, 16 `migrated` |
/// | 4 | `generation` |
/// | 16 | `id` |
/// | 6 | `created_at` |
/// | 6 | `expires_at` |
/// | 6 | `idle_deadline` |
/// | 6 | `child.issued_at`, if there is a child |
/// | 4 | `child.branch`, unless 0 |
/// | 6 | `confirmed_at`, unless it has its usual value: `created_at` in generation 0, then `child.issued_at` |
///
/// Numbers are big-endian; instants are milliseconds since 1970.
///
/// A record has 41 bytes after the login, mostly 47 later on, and at most 57. Redis keeps a small
/// hash in one compact allocation only while no value is longer than 64 bytes
/// (`hash-max-listpack-value`): that is why the device label, of up to 64 bytes, is stored beside
/// the record, and why usual values are left out.
impl Record {
    /// The record as bytes, without the device label and the notes.
    pub fn encode(&self) -> Vec<u8> {
        let state = match self.state {
            SessionState::Live => layout::LIVE,
            SessionState::Revoked(reason) => reason.number(),
        };
        let usual = usual_confirmed_at(self.generation, self.created_at, self.child);
        let confirmed_at = (Some(self.confirmed_at) != usual).then_some(self.confirmed_at);
        let branch = self.child.map(|child| child.branch).filter(|branch| *branch != 0);
        let flag = |set: bool, flag: u8| if set { flag } else { 0 };
        let flags = flag(self.child.is_some(), layout::HAS_CHILD)
            | flag(self.child.is_some_and(|child| child.used), layout::CHILD_USED)
            | flag(branch.is_some(), layout::HAS_BRANCH)
            | flag(confirmed_at.is_some(), layout::HAS_CONFIRMED_AT)
            | flag(self.migrated, layout::MIGRATED);
        let mut bytes = Vec::with_capacity(layout::MAX_BYTES);
        bytes.extend([layout::VERSION, state, flags]);
        bytes.extend(self.generation.to_be_bytes());
        bytes.extend(self.id.as_bytes());
        for instant in [self.created_at, self.expires_at, self.idle_deadline] {
            bytes.extend(encode_instant(instant));
        }
        bytes.extend(self.child.iter().flat_map(|child| encode_instant(child.issued_at)));
        bytes.extend(branch.iter().flat_map(|branch| branch.to_be_bytes()));
        bytes.extend(confirmed_at.into_iter().flat_map(encode_instant));
        bytes
    }

    /// The record that `bytes` encode, with its device label and without notes.
    ///
    /// # Errors
    /// [`Error::Internal`] when the bytes are not a record of a known version.
    pub fn decode(bytes: &[u8], device: &str) -> Result<Self, Error> {
        parse(bytes, device).ok_or_else(|| Error::internal("a stored session record is damaged"))
    }
}

fn parse(bytes: &[u8], device: &str) -> Option<Record> {
    let mut input = Input(bytes);
    let [version, state, flags] = input.take()?;
    let has = |flag: u8| flags & flag != 0;
    if version != layout::VERSION {
        return None;
    }
    let generation = u32::from_be_bytes(input.take()?);
    let id = TokenId(input.take::<{ layout::ID_BYTES }>()?);
    let (created_at, expires_at, idle_deadline) =
        (input.instant()?, input.instant()?, input.instant()?);
    let issued_at = if has(layout::HAS_CHILD) { Some(input.instant()?) } else { None };
    let branch = if has(layout::HAS_BRANCH) { u32::from_be_bytes(input.take()?) } else { 0 };
    let child =
        issued_at.map(|issued_at| Child { branch, issued_at, used: has(layout::CHILD_USED) });
    let confirmed_at = if has(layout::HAS_CONFIRMED_AT) {
        input.instant()?
    } else {
        usual_confirmed_at(generation, created_at, child)?
    };
    let record = Record {
        generation,
        id,
        child,
        confirmed_at,
        created_at,
        expires_at,
        idle_deadline,
        state: match state {
            layout::LIVE => SessionState::Live,
            number => SessionState::Revoked(RevocationReason::from_number(number)?),
        },
        migrated: has(layout::MIGRATED),
        device: DeviceLabel::new(device).ok()?,
        notes: SessionNotes::default(),
    };
    // A record has exactly one encoding; anything else is damage.
    (record.encode() == bytes).then_some(record)
}

/// The value of `confirmed_at` that is left out.
fn usual_confirmed_at(
    generation: Generation,
    created_at: Timestamp,
    child: Option<Child>,
) -> Option<Timestamp> {
    if generation == 0 { Some(created_at) } else { child.map(|child| child.issued_at) }
}

fn encode_instant(instant: Timestamp) -> [u8; layout::INSTANT_BYTES] {
    let millis = instant.clamp(Timestamp::EPOCH, Record::MAX_TIMESTAMP).as_millis();
    let [_, _, bytes @ ..] = millis.to_be_bytes();
    bytes
}

struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    fn instant(&mut self) -> Option<Timestamp> {
        let [a, b, c, d, e, f] = self.take()?;
        Some(Timestamp::from_millis(i64::from_be_bytes([0, 0, a, b, c, d, e, f])))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn instant() -> impl Strategy<Value = Timestamp> {
        (0..=Record::MAX_TIMESTAMP.as_millis()).prop_map(Timestamp::from_millis)
    }

    prop_compose! {
        fn record()(
            generation in any::<u32>(),
            id in any::<[u8; 16]>(),
            child in proptest::option::of((any::<u32>(), instant(), any::<bool>())),
            instants in (instant(), instant(), instant(), instant()),
            confirmed_at in 0..3,
            migrated in any::<bool>(),
            state in 0..=RevocationReason::ALL.len(),
            device in "\\PC{0,16}",
        ) -> Record {
            let child = child.map(|(branch, issued_at, used): (u32, _, _)| {
                // Half of the branches are 0, as most are.
                Child { branch: branch.saturating_sub(u32::MAX / 2), issued_at, used }
            });
            Record {
                generation,
                id: TokenId::from_bytes(id),
                child,
                confirmed_at: match (confirmed_at, child) {
                    (0, Some(child)) => child.issued_at,
                    (1, _) => instants.1,
                    _ => instants.0,
                },
                created_at: instants.1,
                expires_at: instants.2,
                idle_deadline: instants.3,
                state: match state {
                    0 => SessionState::Live,
                    n => SessionState::Revoked(RevocationReason::ALL[n - 1].0),
                },
                migrated,
                device: DeviceLabel::new(device).expect("a short label"),
                notes: SessionNotes::default(),
            }
        }
    }

    proptest! {
        #[test]
        fn decode_reverses_encode(record in record()) {
            let bytes = record.encode();
            prop_assert!(bytes.len() <= layout::MAX_BYTES);
            let decoded = Record::decode(&bytes, record.device.as_str()).expect("a whole record");
            prop_assert_eq!(decoded, record);
        }

        #[test]
        fn a_record_has_one_encoding(
            record in record(),
            offset in 0..layout::MAX_BYTES,
            value in any::<u8>(),
        ) {
            let mut bytes = record.encode();
            if let Some(byte) = bytes.get_mut(offset) {
                *byte = value;
            }
            if let Ok(read) = Record::decode(&bytes, "") {
                prop_assert_eq!(read.encode(), bytes);
            }
        }
    }

    fn begun() -> Record {
        let new = NewSession {
            id: TokenId::default(),
            idle_ttl: Duration::from_secs(1),
            absolute_ttl: Duration::from_secs(2),
            device: DeviceLabel::default(),
            max_sessions: None,
            legacy_login: None,
            client: None,
        };
        Record::begin(&new, Timestamp::from_millis(1))
    }

    #[test]
    fn usual_values_take_no_bytes() {
        let login = begun();
        let issued_at = Timestamp::from_millis(2);
        let child = Some(Child { branch: 0, issued_at, used: true });
        let refreshed = Record { child, ..login.clone() };
        let twice = Record { generation: 1, confirmed_at: issued_at, ..refreshed.clone() };
        let child = Some(Child { branch: 1, issued_at, used: false });
        let longest = Record { child, generation: 1, ..login.clone() };
        let lengths = [&login, &refreshed, &twice, &longest].map(|record| record.encode().len());
        assert_eq!(lengths, [41, 47, 47, layout::MAX_BYTES]);
    }

    #[test]
    fn damaged_bytes_are_refused() {
        let bytes = begun().encode();
        assert!(Record::decode(&bytes, "").is_ok());
        assert!(Record::decode(&bytes, &"x".repeat(65)).is_err());
        for cut in 0..bytes.len() {
            assert!(Record::decode(&bytes[..cut], "").is_err(), "cut to {cut}");
        }
        assert!(Record::decode(&[&bytes[..], &[0]].concat(), "").is_err(), "one byte too many");
        // Version, state, flags without the bytes that they announce, unknown flags.
        for (offset, value) in [(0, 2), (1, 200), (2, 2), (2, 4), (2, 8), (2, 32)] {
            let mut bad = bytes.clone();
            bad[offset] = value;
            assert!(Record::decode(&bad, "").is_err(), "byte {offset} set to {value}");
        }
    }
}

//! A record as bytes, without the device label: the same layout in every store that writes bytes.
//!
//! | bytes | field |
//! |---|---|
//! | 1 | version of the layout: 1 |
//! | 1 | state: 0 live, else the number of the reason for which it was revoked |
//! | 1 | flags: 1 a child exists, 2 it was used, 4 its branch is not 0, 8 `promoted` is given, 16 adopted |
//! | 4 | `generation` |
//! | 16 | `id` |
//! | 6 | `created` |
//! | 6 | `expires` |
//! | 6 | `idle_deadline` |
//! | 6 | `child.issued_at`, if a child exists |
//! | 4 | `child.branch`, unless 0 |
//! | 6 | `promoted`, unless it is what it mostly is: `created` in generation 0, then `child.issued_at` |
//!
//! Numbers are big-endian; instants are milliseconds since 1970, good until the year 10889.
//!
//! So a record has 41 bytes after the login, mostly 47 later on, and never more than 57. Redis
//! keeps a small hash in one compact allocation only while no value is longer than 64 bytes
//! (`hash-max-listpack-value`): that is why the label, of up to 64 bytes, is kept beside it, and
//! what is left out makes that allocation smaller by one of the allocator's sizes.

use crate::error::{Error, Result};
use crate::session::{Child, DeviceLabel, Record, State, TokenId};
use crate::types::{Generation, RevocationReason, Timestamp};

pub(crate) const VERSION: u8 = 1;
pub(crate) const HAS_CHILD: u8 = 1;
pub(crate) const CHILD_USED: u8 = 2;
pub(crate) const BRANCHED: u8 = 4;
pub(crate) const PROMOTED: u8 = 8;
pub(crate) const ADOPTED: u8 = 16;
const LONGEST: usize = 57;
pub(crate) const LAST_INSTANT: i64 = Record::LAST_INSTANT.as_millis();
/// The state of a live record; otherwise it is the number of a [`RevocationReason`].
pub(crate) const LIVE: u8 = 0;
pub(crate) const ID_BYTES: usize = 16;
pub(crate) const INSTANT_BYTES: usize = 6;

/// The bytes of `record`.
pub fn pack(record: &Record) -> Vec<u8> {
    let state = match record.state {
        State::Live => LIVE,
        State::Revoked(reason) => reason.number(),
    };
    let usual = usual_promotion(record.generation, record.created_at, record.child);
    let confirmed_at = (Some(record.confirmed_at) != usual).then_some(record.confirmed_at);
    let branch = record.child.map(|child| child.branch).filter(|branch| *branch != 0);
    let flag = |set: bool, flag: u8| if set { flag } else { 0 };
    let flags = flag(record.child.is_some(), HAS_CHILD)
        | flag(record.child.is_some_and(|child| child.used), CHILD_USED)
        | flag(branch.is_some(), BRANCHED)
        | flag(confirmed_at.is_some(), PROMOTED)
        | flag(record.adopted, ADOPTED);
    let mut bytes = Vec::with_capacity(LONGEST);
    bytes.extend([VERSION, state, flags]);
    bytes.extend(record.generation.to_be_bytes());
    bytes.extend(record.id.as_bytes());
    for instant in [record.created_at, record.expires_at, record.idle_deadline] {
        bytes.extend(instant_bytes(instant));
    }
    bytes.extend(record.child.iter().flat_map(|child| instant_bytes(child.issued_at)));
    bytes.extend(branch.iter().flat_map(|branch| branch.to_be_bytes()));
    bytes.extend(confirmed_at.into_iter().flat_map(instant_bytes));
    bytes
}

/// The record in `bytes`, with its label.
///
/// # Errors
/// [`Error::Internal`] when the bytes are not a record of a known version.
pub fn unpack(bytes: &[u8], device: &str) -> Result<Record> {
    parse(bytes, device).ok_or_else(|| Error::internal("a stored session record is damaged"))
}

fn parse(bytes: &[u8], device: &str) -> Option<Record> {
    let mut input = Input(bytes);
    let [version, state, flags] = input.take()?;
    let is = |flag: u8| flags & flag != 0;
    if version != VERSION {
        return None;
    }
    let generation = u32::from_be_bytes(input.take()?);
    let id = TokenId::from_bytes(input.take::<ID_BYTES>()?);
    let (created_at, expires_at, idle_deadline) =
        (input.instant()?, input.instant()?, input.instant()?);
    let issued_at = if is(HAS_CHILD) { Some(input.instant()?) } else { None };
    let branch = if is(BRANCHED) { u32::from_be_bytes(input.take()?) } else { 0 };
    let child = issued_at.map(|issued_at| Child { branch, issued_at, used: is(CHILD_USED) });
    let confirmed_at = if is(PROMOTED) {
        input.instant()?
    } else {
        usual_promotion(generation, created_at, child)?
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
            LIVE => State::Live,
            number => State::Revoked(RevocationReason::from_number(number)?),
        },
        adopted: is(ADOPTED),
        device: DeviceLabel::new(device).ok()?,
    };
    // There is one way to write a record; anything else was written by nobody.
    (pack(&record) == bytes).then_some(record)
}

/// When a token of this generation was confirmed, unless a record says otherwise.
fn usual_promotion(
    generation: Generation,
    created_at: Timestamp,
    child: Option<Child>,
) -> Option<Timestamp> {
    if generation == 0 { Some(created_at) } else { child.map(|child| child.issued_at) }
}

fn instant_bytes(instant: Timestamp) -> [u8; INSTANT_BYTES] {
    let [_, _, bytes @ ..] = instant.as_millis().clamp(0, LAST_INSTANT).to_be_bytes();
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
        (0..=LAST_INSTANT).prop_map(Timestamp::from_millis)
    }

    prop_compose! {
        fn record()(
            generation in any::<u32>(),
            id in any::<[u8; 16]>(),
            child in proptest::option::of((any::<u32>(), instant(), any::<bool>())),
            instants in (instant(), instant(), instant(), instant()),
            confirmed_at in 0..3,
            adopted in any::<bool>(),
            state in 0..=RevocationReason::ALL.len(),
            device in "\\PC{0,16}",
        ) -> Record {
            let child = child.map(|(branch, issued_at, used): (u32, _, _)| {
                // Mostly there is but one.
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
                    0 => State::Live,
                    n => State::Revoked(RevocationReason::ALL[n - 1].0),
                },
                adopted,
                device: DeviceLabel::new(device).expect("a short label"),
            }
        }
    }

    proptest! {
        #[test]
        fn unpack_reverses_pack(record in record()) {
            let bytes = pack(&record);
            prop_assert!(bytes.len() <= LONGEST);
            let unpacked = unpack(&bytes, record.device.as_str()).expect("a whole record");
            prop_assert_eq!(unpacked, record);
        }

        #[test]
        fn there_is_one_way_to_write_a_record(
            record in record(),
            offset in 0..LONGEST,
            value in any::<u8>(),
        ) {
            let mut bytes = pack(&record);
            if let Some(byte) = bytes.get_mut(offset) {
                *byte = value;
            }
            if let Ok(read) = unpack(&bytes, "") {
                prop_assert_eq!(pack(&read), bytes);
            }
        }
    }

    fn begun() -> Record {
        let new = crate::session::NewSession {
            id: TokenId::default(),
            idle_ttl: std::time::Duration::from_secs(1),
            absolute_ttl: std::time::Duration::from_secs(2),
            device: DeviceLabel::default(),
            max_sessions: None,
            adopted: None,
        };
        Record::begin(&new, Timestamp::from_millis(1))
    }

    #[test]
    fn what_is_usual_takes_no_room() {
        let login = begun();
        let issued_at = Timestamp::from_millis(2);
        let child = Some(Child { branch: 0, issued_at, used: true });
        let refreshed = Record { child, ..login.clone() };
        let twice = Record { generation: 1, confirmed_at: issued_at, ..refreshed.clone() };
        let child = Some(Child { branch: 1, issued_at, used: false });
        let longest = Record { child, generation: 1, ..login.clone() };
        let lengths = [&login, &refreshed, &twice, &longest].map(|record| pack(record).len());
        assert_eq!(lengths, [41, 47, 47, LONGEST]);
    }

    #[test]
    fn damaged_bytes_are_refused() {
        let bytes = pack(&begun());
        assert!(unpack(&bytes, "").is_ok());
        assert!(unpack(&bytes, &"x".repeat(65)).is_err());
        for cut in 0..bytes.len() {
            assert!(unpack(&bytes[..cut], "").is_err(), "cut to {cut}");
        }
        assert!(unpack(&[&bytes[..], &[0]].concat(), "").is_err(), "one byte too many");
        // Version, state, flags without what they announce, flags that nobody knows.
        for (offset, value) in [(0, 2), (1, 200), (2, 2), (2, 4), (2, 8), (2, 32)] {
            let mut bad = bytes.clone();
            bad[offset] = value;
            assert!(unpack(&bad, "").is_err(), "byte {offset} set to {value}");
        }
    }
}

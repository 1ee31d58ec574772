//! A record as bytes: 57 and the device label. The same layout in every store that writes bytes.
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 1 | version of the layout: 1 |
//! | 1 | 1 | state: 0 live, else the number of the reason for which it was revoked |
//! | 2 | 1 | flags: 1 a child exists, 2 the child was used |
//! | 3 | 4 | `generation` |
//! | 7 | 16 | `id` |
//! | 23 | 4 | `child.branch`, else 0 |
//! | 27 | 6 | `child.minted`, else 0 |
//! | 33 | 6 | `promoted` |
//! | 39 | 6 | `created` |
//! | 45 | 6 | `expires` |
//! | 51 | 6 | `idle_deadline` |
//! | 57 | 0–64 | `device`, UTF-8 |
//!
//! Numbers are big-endian; instants are milliseconds since 1970, good until the year 10889.

use crate::error::{Error, Result};
use crate::revocation::RevocationReason;
use crate::session::{Child, DeviceLabel, Record, State, TokenId};
use crate::time::Timestamp;

const VERSION: u8 = 1;
const HAS_CHILD: u8 = 1;
const CHILD_USED: u8 = 2;
const HEAD: usize = 57;
const LAST_INSTANT: i64 = Record::LAST_INSTANT.as_millis();

/// The bytes of `record`.
pub fn pack(record: &Record) -> Vec<u8> {
    let child = record.child.unwrap_or(Child { branch: 0, minted: Timestamp::EPOCH, used: false });
    let state = match record.state {
        State::Live => 0,
        State::Revoked(reason) => reason.number(),
    };
    let mut flags = 0;
    if record.child.is_some() {
        flags |= HAS_CHILD;
    }
    if child.used {
        flags |= CHILD_USED;
    }
    let mut bytes = Vec::with_capacity(HEAD + record.device.as_str().len());
    bytes.extend([VERSION, state, flags]);
    bytes.extend(record.generation.to_be_bytes());
    bytes.extend(record.id.as_bytes());
    bytes.extend(child.branch.to_be_bytes());
    let instants =
        [child.minted, record.promoted, record.created, record.expires, record.idle_deadline];
    for instant in instants {
        let millis = instant.as_millis().clamp(0, LAST_INSTANT);
        bytes.extend(&millis.to_be_bytes()[2..]);
    }
    bytes.extend(record.device.as_str().as_bytes());
    bytes
}

/// The record in `bytes`.
///
/// # Errors
/// [`Error::Internal`] when the bytes are not a record of a known version.
pub fn unpack(bytes: &[u8]) -> Result<Record> {
    parse(bytes).ok_or_else(|| Error::internal("a stored session record is damaged"))
}

fn parse(bytes: &[u8]) -> Option<Record> {
    let mut input = Input(bytes);
    let [version] = input.take()?;
    let [state] = input.take()?;
    let [flags] = input.take()?;
    if version != VERSION || flags & !(HAS_CHILD | CHILD_USED) != 0 || flags == CHILD_USED {
        return None;
    }
    let generation = u32::from_be_bytes(input.take()?);
    let id = TokenId::from_bytes(input.take()?);
    let branch = u32::from_be_bytes(input.take()?);
    let minted = input.instant()?;
    let child = Child { branch, minted, used: flags & CHILD_USED != 0 };
    Some(Record {
        generation,
        id,
        child: (flags & HAS_CHILD != 0).then_some(child),
        promoted: input.instant()?,
        created: input.instant()?,
        expires: input.instant()?,
        idle_deadline: input.instant()?,
        state: match state {
            0 => State::Live,
            number => State::Revoked(RevocationReason::from_number(number)?),
        },
        device: DeviceLabel::new(std::str::from_utf8(input.0).ok()?).ok()?,
    })
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
            state in 0..=RevocationReason::ALL.len(),
            device in "\\PC{0,16}",
        ) -> Record {
            Record {
                generation,
                id: TokenId::from_bytes(id),
                child: child.map(|(branch, minted, used)| Child { branch, minted, used }),
                promoted: instants.0,
                created: instants.1,
                expires: instants.2,
                idle_deadline: instants.3,
                state: match state {
                    0 => State::Live,
                    n => State::Revoked(RevocationReason::ALL[n - 1].0),
                },
                device: DeviceLabel::new(device).expect("a short label"),
            }
        }
    }

    proptest! {
        #[test]
        fn unpack_reverses_pack(record in record()) {
            prop_assert_eq!(unpack(&pack(&record)).expect("a whole record"), record);
        }

        #[test]
        fn whatever_unpacks_packs_to_the_same_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..130)) {
            let mut bytes = bytes;
            if let Some(version) = bytes.first_mut() {
                *version = VERSION;
            }
            if let Ok(record) = unpack(&bytes)
                && record.child.is_some()
            {
                prop_assert_eq!(pack(&record), bytes);
            }
        }
    }

    #[test]
    fn damaged_bytes_are_refused() {
        let new = crate::session::NewSession {
            id: TokenId::default(),
            idle_ttl: std::time::Duration::from_secs(1),
            absolute_ttl: std::time::Duration::from_secs(2),
            device: DeviceLabel::default(),
        };
        let bytes = pack(&Record::begin(&new, Timestamp::from_millis(1)));
        assert_eq!(bytes.len(), HEAD);
        assert!(unpack(&bytes).is_ok());
        for cut in 0..bytes.len() {
            assert!(unpack(&bytes[..cut]).is_err(), "cut to {cut}");
        }
        for (offset, value) in [(0, 2), (1, 200), (2, 2), (2, 4)] {
            let mut bad = bytes.clone();
            bad[offset] = value;
            assert!(unpack(&bad).is_err(), "byte {offset} set to {value}");
        }
    }
}

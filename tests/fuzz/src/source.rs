//! Values made from the bytes of the fuzzer.

use std::time::Duration;

use arbitrary::{Result, Unstructured};
use regrant::session::{
    Child, DeviceLabel, PresentedToken, Record, RefreshPolicy, SessionNotes, SessionState,
    TheftScope, TokenId,
};
use regrant::types::{RevocationReason, Timestamp};

/// The instants, in ms, around which the others lie; two of them at the limits of a record.
const BASES: [i64; 4] = [100_000, 1_800_000_000_000, (1 << 48) - 30_000, 0];
const DAY: i64 = 86_400_000;

/// Records, attempts, instants and policies, close enough to each other to interact.
pub(crate) struct Source<'a, 'b> {
    bytes: &'a mut Unstructured<'b>,
    base: i64,
    /// Of used and of unused children.
    graces: [i64; 2],
}

impl<'a, 'b> Source<'a, 'b> {
    pub(crate) fn new(bytes: &'a mut Unstructured<'b>) -> Result<Self> {
        let base = *bytes.choose(&BASES)?;
        let grace = *bytes.choose(&[0, 1, 10_000, 300_000])?;
        let unused_grace = grace + *bytes.choose(&[0, grace, 60_000])?;
        Ok(Self { bytes, base, graces: [grace, unused_grace] })
    }

    pub(crate) fn policy(&mut self) -> Result<RefreshPolicy> {
        let idle = *self.bytes.choose(&[1, DAY, 300 * DAY])?;
        Ok(RefreshPolicy {
            grace: Duration::from_millis(self.graces[0].unsigned_abs()),
            unused_grace: Duration::from_millis(self.graces[1].unsigned_abs()),
            idle_ttl: Duration::from_millis(idle.unsigned_abs()),
            rotate: self.bytes.ratio(3, 4)?,
            on_theft: *self.bytes.choose(&[TheftScope::Session, TheftScope::Subject])?,
        })
    }

    /// An instant at, next to or some graces away from the base; sometimes anywhere.
    pub(crate) fn instant(&mut self) -> Result<Timestamp> {
        if self.bytes.ratio(1, 8)? {
            return Ok(Timestamp::from_millis(self.bytes.int_in_range(0..=(1 << 48) - 1)?));
        }
        let graces = self.bytes.int_in_range(-1..=2)?;
        let beside = self.bytes.int_in_range(-1..=1)?;
        let noise = if self.bytes.ratio(1, 4)? { self.bytes.int_in_range(0..=20_000)? } else { 0 };
        let grace = *self.bytes.choose(&self.graces)?;
        let ms = self.base + graces * grace + beside + noise;
        Ok(Timestamp::from_millis(ms.clamp(0, (1 << 48) - 1)))
    }

    pub(crate) fn later(&mut self) -> Result<Timestamp> {
        let ahead = *self.bytes.choose(&[0, 1, 20_000, DAY, 90 * DAY])?;
        Ok(Timestamp::from_millis((self.base + ahead).min((1 << 48) - 1)))
    }

    pub(crate) fn record(&mut self) -> Result<Record> {
        let child = if self.bytes.ratio(3, 4)? {
            let branch = *self.bytes.choose(&[0, 1, 7, u32::MAX - 1, u32::MAX])?;
            Some(Child { branch, issued_at: self.instant()?, used: self.bytes.arbitrary()? })
        } else {
            None
        };
        let state = if self.bytes.ratio(1, 8)? {
            SessionState::Revoked(self.bytes.choose(RevocationReason::ALL)?.0)
        } else {
            SessionState::Live
        };
        let expires = self.later()?;
        Ok(Record {
            generation: *self.bytes.choose(&[0, 1, 2, 3, 1 << 31, u32::MAX - 1, u32::MAX])?,
            id: self.id()?,
            child,
            confirmed_at: self.instant()?,
            created_at: self.instant()?,
            expires_at: expires,
            // An invariant of all records.
            idle_deadline: self.later()?.min(expires),
            state,
            migrated: self.bytes.ratio(1, 4)?,
            device: DeviceLabel::lossy(self.bytes.arbitrary()?),
            notes: SessionNotes::default(),
        })
    }

    pub(crate) fn token(&mut self, record: &Record) -> Result<PresentedToken> {
        let branch = record.child.map_or(0, |child| child.branch);
        Ok(PresentedToken {
            generation: self.beside(record.generation, 2)?,
            branch: self.beside(branch, 1)?,
            id: self.id()?,
            parent: if self.bytes.ratio(7, 8)? { Some(self.id()?) } else { None },
            issued_at: self.instant()?,
            expires_at: self.later()?,
        })
    }

    fn beside(&mut self, number: u32, most: i32) -> Result<u32> {
        Ok(number.saturating_add_signed(self.bytes.int_in_range(-most..=most)?))
    }

    fn id(&mut self) -> Result<TokenId> {
        Ok(TokenId::from_bytes([*self.bytes.choose(&[1, 1, 1, 2])?; 16]))
    }
}

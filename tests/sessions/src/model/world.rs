//! The world and what an act does to it.

use std::time::Duration;

use regrant::session::DiscardedChild;
use regrant::session::{DeviceLabel, NewSession, Record, RefreshAttempt, SessionState, TokenSecret};
use regrant::types::{FamilyPosition, Timestamp};

use super::act::{Act, Answer, Deed, STEP_BACK};
use super::book::Book;
use super::holder::{Access, Holder, Token};
use super::machine::Machine;
use super::spaces::Space;
use super::violation::Violation;

/// One of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    Honest,
    Thief,
}

/// A refresh request that may arrive once more.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub token: Token,
    pub rotate: bool,
    /// A duplicate is one that arrives up to then: the grace after the first answer was made, by
    /// a clock that never steps back.
    pub until: Timestamp,
}

/// The world.
#[derive(Clone, Debug)]
pub struct World {
    /// What the store's clock says.
    pub(super) now: Timestamp,
    /// How far that clock has fallen behind since the login.
    pub(super) behind: Duration,
    pub(super) record: Record,
    pub(super) honest: Holder,
    pub(super) thief: Option<Holder>,
    /// The records that the store held, oldest first, up to the last one it did not lose.
    known: Vec<Record>,
    /// The deny list. It lives in the verifiers: no rollback touches it.
    pub(super) abandoned: Vec<DiscardedChild>,
    /// The honest client's requests, oldest first.
    pub(super) requests: Vec<Request>,
    pub(super) has_rolled_back: bool,
    pub(super) book: Book,
}

/// How many requests of the honest client may still be doubled: its last one and the one before.
/// This is the exact bound. Were the one before those doubled as well, the machine would see the
/// grandparent of the confirmed token, which no grace covers.
const DOUBLED: usize = 2;

impl World {
    /// A login a moment ago.
    pub fn new(machine: &Machine, space: &Space) -> Self {
        let now = Timestamp::from_seconds(1_700_000_000);
        let secret = TokenSecret::from_bytes([0xA5; 32]);
        let id = (machine.id)(&secret);
        let new = NewSession {
            id,
            idle_ttl: space.idle_ttl,
            absolute_ttl: space.absolute_ttl,
            device: DeviceLabel::default(),
            max_sessions: None,
            legacy_login: None,
        };
        let record = Record::begin(&new, now);
        let claims = RefreshAttempt {
            generation: 0,
            branch: 0,
            id,
            parent: None,
            issued_at: now,
            expires_at: record.idle_deadline,
        };
        let refresh = Token { secret: *secret.expose(), claims };
        let access = Access::issued(FamilyPosition::default(), now, None);
        let mut book = Book::default();
        book.minted(secret.expose());
        Self {
            now,
            behind: Duration::ZERO,
            honest: Holder::new(refresh, access),
            thief: None,
            known: vec![record.clone()],
            record,
            abandoned: Vec::new(),
            requests: Vec::new(),
            has_rolled_back: false,
            book,
        }
    }

    /// What the clock of the app says, which issues the access tokens: it never steps back.
    pub(super) fn app_now(&self) -> Timestamp {
        self.now.plus(self.behind)
    }

    pub(super) fn is_live(&self) -> bool {
        self.record.state == SessionState::Live
    }

    pub(super) fn is_over(&self) -> bool {
        self.now >= self.record.expires_at
    }

    pub(super) fn has_thief(&self) -> bool {
        self.thief.is_some()
    }

    /// How many records there are to go back to; the present one is among them.
    pub fn known_records(&self) -> usize {
        self.known.len()
    }

    pub(super) fn known(&self) -> &[Record] {
        &self.known
    }

    /// The duplicates that could still arrive after `gap`: 0 is of the last request.
    pub fn duplicates_after(&self, gap: Duration) -> impl Iterator<Item = usize> {
        let now = self.app_now().plus(gap);
        let recent = self.requests.iter().rev().take(DOUBLED).enumerate();
        recent.filter(move |(_, request)| now <= request.until).map(|(which, _)| which)
    }

    pub(super) fn has_earlier_access(&self) -> bool {
        self.honest.earlier_access.is_some()
    }

    pub(super) fn holder(&self, who: Who) -> &Holder {
        match who {
            Who::Honest => &self.honest,
            Who::Thief => self.thief.as_ref().expect("a thief acts only once there is one"),
        }
    }

    pub(super) fn holders(&mut self, who: Who) -> (&mut Holder, Option<&mut Holder>) {
        match who {
            Who::Honest => (&mut self.honest, self.thief.as_mut()),
            Who::Thief => {
                let thief = self.thief.as_mut().expect("a thief acts only once there is one");
                (thief, Some(&mut self.honest))
            }
        }
    }

    /// Lets one act happen.
    pub fn act(&mut self, machine: &Machine, space: &Space, act: Act) -> Result<(), Violation> {
        self.now = self.now.plus(act.gap.span());
        match act.deed {
            Deed::Refresh(answer) => self.honest_refreshes(machine, space, true, answer),
            Deed::Keep => self.honest_refreshes(machine, space, false, Answer::Arrives),
            Deed::Duplicate(which) => self.duplicate(machine, space, which),
            Deed::Use { delivered } => {
                self.uses(machine, Who::Honest, self.honest.access, delivered)
            }
            Deed::UseEarlier => {
                let earlier = self.honest.earlier_access.expect("offered only where there is one");
                self.uses(
                    machine,
                    Who::Honest,
                    Access { came_with_child_of: None, ..earlier },
                    true,
                )
            }
            Deed::Steal => {
                self.honest.forget_count();
                self.thief = Some(Holder::new(self.honest.refresh, self.honest.access));
                Ok(())
            }
            Deed::ThiefRefreshes => {
                self.refreshes(machine, space, Who::Thief, true, Answer::Arrives).map(drop)
            }
            Deed::ThiefUses { delivered } => {
                self.uses(machine, Who::Thief, self.holder(Who::Thief).access, delivered)
            }
            Deed::Rollback { to, clock_steps_back } => {
                if clock_steps_back {
                    self.now = self.now.minus(STEP_BACK);
                    self.behind += STEP_BACK;
                }
                self.roll_back(to);
                Ok(())
            }
        }
    }

    fn roll_back(&mut self, to: usize) {
        // What came after is lost: it cannot come back.
        self.known.truncate(to + 1);
        self.record = self.known[to].clone();
        self.has_rolled_back = true;
        self.book.rolled_back();
        for holder in std::iter::once(&mut self.honest).chain(self.thief.as_mut()) {
            holder.forget_count();
            holder.access.came_with_child_of = None;
        }
    }

    /// Where the idle deadline belongs after a step to `next`, which minted a child that ends at
    /// `issued` or none: a session that is over ended by now.
    pub(super) fn idle_deadline_after(
        &self,
        next: &Record,
        issued: Option<Timestamp>,
    ) -> Timestamp {
        match next.state {
            SessionState::Live => issued.unwrap_or(self.record.idle_deadline),
            SessionState::Revoked(_) => self.record.idle_deadline.min(self.now),
        }
    }

    pub(super) fn write(&mut self, next: Record) -> Result<(), Violation> {
        if (next.created_at, next.expires_at) != (self.record.created_at, self.record.expires_at) {
            return Err(Violation::LifetimeMoved);
        }
        if self.record.state != SessionState::Live && next != self.record {
            return Err(Violation::AfterRevocation);
        }
        if !self.known.contains(&next) {
            self.known.push(next.clone());
        }
        self.record = next;
        Ok(())
    }
}

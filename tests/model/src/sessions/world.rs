//! The state of the model, and what a step does to it.

use std::time::Duration;

use regrant::session::{
    Child, DeviceLabel, DiscardedChild, NewSession, PresentedToken, Record, SessionState,
    TokenSecret,
};
use regrant::types::{FamilyPosition, Timestamp};

use super::client::{Access, Client, Token};
use super::ledger::Ledger;
use super::machine::Machine;
use super::search_space::SearchSpace;
use super::step::{Event, HistoryStep, ResponseFate, STEP_BACK, UNUSED_GRACE};
use super::violation::Violation;

/// A client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    Honest,
    Thief,
}

/// A refresh request that may be duplicated.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub token: Token,
    pub rotate: bool,
    /// A copy may arrive up to this instant: the grace after the response, by a clock that never steps back. If
    /// the store then loses that it gave the response, no later than the grace of unused children after the first
    /// response.
    pub until: Timestamp,
    /// When the response was first given, by that clock.
    pub first_answer: Timestamp,
}

/// A response to the honest client that may still arrive.
#[derive(Clone, Copy, Debug)]
pub(super) struct LateResponse {
    pub refresh: Token,
    pub access: Access,
    /// It arrives up to this instant: the grace of unused children after the first response, by a
    /// clock that never steps back. A response that is slower counts as lost.
    pub until: Timestamp,
}

/// How late a thief gets the child that its owner has, at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SharedChildren {
    /// After the first use of the child.
    pub used: Duration,
    /// After the issue of a child that nobody has used.
    pub unused: Duration,
}

impl SharedChildren {
    pub(super) fn record(&mut self, child: Child, confirmed_at: Timestamp, now: Timestamp) {
        if child.used {
            self.used = self.used.max(now.since(child.issued_at.max(confirmed_at)));
        } else {
            self.unused = self.unused.max(now.since(child.issued_at));
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.used = self.used.max(other.used);
        self.unused = self.unused.max(other.unused);
    }
}

/// The state of the model.
#[derive(Clone, Debug)]
pub struct World {
    /// The time on the store's clock.
    pub(super) now: Timestamp,
    /// How far that clock has stepped back since the login.
    pub(super) behind: Duration,
    pub(super) record: Record,
    pub(super) honest: Client,
    pub(super) thief: Option<Client>,
    /// The records that the store had, oldest first, up to the last one that it did not lose.
    known: Vec<Record>,
    /// The deny list of the verifiers, which no rollback changes.
    pub(super) discarded: Vec<DiscardedChild>,
    /// The honest client's requests, oldest first.
    pub(super) requests: Vec<Request>,
    /// The last response to the honest client that did not arrive.
    pub(super) late: Option<LateResponse>,
    pub(super) shared: SharedChildren,
    pub(super) has_rolled_back: bool,
    pub(super) ledger: Ledger,
}

/// How many of the honest client's latest requests may be duplicated. This is the exact bound: a copy
/// of the one before carries the grandparent of the confirmed token, which no grace covers.
const DUPLICATED: usize = 2;

impl World {
    /// The state right after a login.
    pub fn new(machine: &Machine, space: &SearchSpace) -> Self {
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
            client: None,
        };
        let record = Record::begin(&new, now);
        let claims = PresentedToken {
            generation: 0,
            branch: 0,
            id,
            parent: None,
            issued_at: now,
            expires_at: record.idle_deadline,
        };
        let refresh = Token { secret: *secret.expose(), claims };
        let access = Access::issued(FamilyPosition::default(), now, None);
        let mut ledger = Ledger::default();
        ledger.issued(secret.expose());
        Self {
            now,
            behind: Duration::ZERO,
            honest: Client::new(refresh, access),
            thief: None,
            known: vec![record.clone()],
            record,
            discarded: Vec::new(),
            requests: Vec::new(),
            late: None,
            shared: SharedChildren::default(),
            has_rolled_back: false,
            ledger,
        }
    }

    /// The time on the clock of the app, which issues the access tokens and never steps back.
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

    /// Whether only the honest client can use its tokens.
    pub(super) fn is_alone(&self, space: &SearchSpace) -> bool {
        self.thief.is_none() || space.bound
    }

    /// The number of records to roll back to, the present one included.
    pub fn known_records(&self) -> usize {
        self.known.len()
    }

    pub(super) fn known(&self) -> &[Record] {
        &self.known
    }

    /// The requests whose duplicate may arrive after `gap`; 0 is the last request.
    pub fn duplicates_after(&self, gap: Duration) -> impl Iterator<Item = usize> {
        let now = self.app_now().plus(gap);
        let recent = self.requests.iter().rev().take(DUPLICATED).enumerate();
        recent.filter(move |(_, request)| now <= request.until).map(|(which, _)| which)
    }

    /// Whether a late response may arrive after `gap`. It arrives before the client refreshes with the
    /// pair that it has got meanwhile.
    pub(super) fn may_land_after(&self, gap: Duration) -> bool {
        self.late.is_some_and(|late| {
            self.app_now().plus(gap) <= late.until
                && self.honest.refresh.claims.generation <= late.refresh.claims.generation
        })
    }

    pub(super) fn has_earlier_access(&self) -> bool {
        self.honest.earlier_access.is_some()
    }

    pub(super) fn client(&self, who: Who) -> &Client {
        match who {
            Who::Honest => &self.honest,
            Who::Thief => self.thief.as_ref().expect("there is a thief"),
        }
    }

    pub(super) fn clients(&mut self, who: Who) -> (&mut Client, Option<&mut Client>) {
        match who {
            Who::Honest => (&mut self.honest, self.thief.as_mut()),
            Who::Thief => {
                let thief = self.thief.as_mut().expect("there is a thief");
                (thief, Some(&mut self.honest))
            }
        }
    }

    /// Applies one step.
    pub fn apply(
        &mut self,
        machine: &Machine,
        space: &SearchSpace,
        step: HistoryStep,
    ) -> Result<(), Violation> {
        self.now = self.now.plus(step.gap.span());
        match step.event {
            Event::Refresh(answer) => self.honest_refresh(machine, space, true, answer),
            Event::Renew => self.honest_refresh(machine, space, false, ResponseFate::Arrives),
            Event::Lands => {
                self.land();
                Ok(())
            }
            Event::Duplicate(which) => self.duplicate(machine, space, which),
            Event::Use { delivered } => {
                Self::check_own_key(space, machine.bindings.access)?;
                self.use_access_token(machine, space, Who::Honest, self.honest.access, delivered)
            }
            Event::UseEarlier => {
                let earlier = self.honest.earlier_access.expect("there is an earlier access token");
                self.use_access_token(
                    machine,
                    space,
                    Who::Honest,
                    Access { came_with_child_of: None, ..earlier },
                    true,
                )
            }
            Event::Steal => {
                self.honest.forget_count();
                self.thief = Some(Client::new(self.honest.refresh, self.honest.access));
                Ok(())
            }
            Event::ThiefRefreshes
            | Event::ThiefRenews
            | Event::ThiefUses { .. }
            | Event::ThiefLogsOut
                if space.bound =>
            {
                self.act_without_key(machine, space, step.event)
            }
            Event::ThiefLogsOut => Ok(()),
            Event::ThiefRefreshes => {
                self.refresh_as(machine, space, Who::Thief, true, ResponseFate::Arrives).map(drop)
            }
            Event::ThiefRenews => {
                self.refresh_as(machine, space, Who::Thief, false, ResponseFate::Arrives).map(drop)
            }
            Event::ThiefUses { delivered } => self.use_access_token(
                machine,
                space,
                Who::Thief,
                self.client(Who::Thief).access,
                delivered,
            ),
            Event::Rollback { to, clock_steps_back } => {
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
        // Later records are lost and cannot come back.
        self.known.truncate(to + 1);
        self.record = self.known[to].clone();
        self.has_rolled_back = true;
        self.ledger.rolled_back();
        for request in &mut self.requests {
            request.until = request.until.min(request.first_answer.plus(UNUSED_GRACE));
        }
        for client in std::iter::once(&mut self.honest).chain(self.thief.as_mut()) {
            client.forget_count();
            client.access.came_with_child_of = None;
        }
        if let Some(late) = &mut self.late {
            late.access.came_with_child_of = None;
        }
    }

    /// The correct idle deadline in `next` after a refresh at `refreshed_at`, or after none. A revoked
    /// session ended now or earlier.
    pub(super) fn idle_deadline_after(
        &self,
        next: &Record,
        refreshed_at: Option<Timestamp>,
        space: &SearchSpace,
    ) -> Timestamp {
        let present = self.record.idle_deadline;
        let later = refreshed_at.map(|at| at.plus(space.idle_ttl).min(self.record.expires_at));
        match next.state {
            SessionState::Live => later.map_or(present, |later| later.max(present)),
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

//! Revocation: after a sign-out, the server is asked to revoke the session.
//!
//! The sign-out itself needs no server. It replaces the stored pair by a note that the pair remains to
//! be revoked ([`Action::Retire`]). The request ([`Action::Revoke`]) then needs no lock and blocks
//! nothing, not even the next sign-in. If it fails it is retried, also by the next process that finds
//! the note, until the server has answered; then the note is removed.

use std::time::Duration;

use crate::client::clock::DeviceTime;
use crate::client::error::SignOutOutcome;
use crate::client::event::{Action, Caller, RevocationAnswer, Ticket};
use crate::client::pair::TokenPair;
use crate::types::RefreshToken;

use super::Machine;
use super::retry::{MAX_RETRY_AFTER, backoff};

/// How often a revocation is tried in one run of the app.
const MAX_ATTEMPTS: u32 = 8;

/// A session that is signed out here, and that the server is still to revoke.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Revocation {
    pair: TokenPair,
    /// The caller of the sign-out, until it has its reply, and when it must have it.
    caller: Option<(Caller, Duration)>,
    attempts: u32,
    phase: RevocationPhase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum RevocationPhase {
    /// Waiting for the next attempt.
    Waiting { until: Duration },
    /// Waiting for the answer of the server.
    Sent(Ticket),
    /// Given up until the app starts again.
    GivenUp,
}

/// A session that the server has revoked, until the storage is known not to contain its note.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Revoked {
    pub(super) refresh: RefreshToken,
    /// The caller of the sign-out, and when it must have its reply.
    caller: Option<(Caller, Duration)>,
    outcome: SignOutOutcome,
}

impl Revoked {
    pub(super) fn wake_at(&self) -> Option<Duration> {
        self.caller.map(|(_, deadline)| deadline)
    }

    fn reply(&mut self, out: &mut Vec<Action>) {
        let (caller, outcome) = (self.caller.take(), self.outcome);
        out.extend(caller.map(|(caller, _)| Action::SignedOut { caller, outcome }));
    }

    pub(super) fn on_tick(&mut self, now: Duration, out: &mut Vec<Action>) {
        if self.wake_at().is_some_and(|deadline| now >= deadline) {
            self.reply(out);
        }
    }
}

impl Revocation {
    fn reply(&mut self, outcome: SignOutOutcome, out: &mut Vec<Action>) {
        let caller = self.caller.take();
        out.extend(caller.map(|(caller, _)| Action::SignedOut { caller, outcome }));
    }

    pub(super) fn on_tick(&mut self, now: Duration, out: &mut Vec<Action>) {
        if self.caller.is_some_and(|(_, deadline)| now >= deadline) {
            self.reply(SignOutOutcome::Pending, out);
        }
    }

    pub(super) fn wake_at(&self) -> Option<Duration> {
        let attempt = match self.phase {
            RevocationPhase::Waiting { until } => Some(until),
            RevocationPhase::Sent(_) | RevocationPhase::GivenUp => None,
        };
        self.caller.map(|(_, deadline)| deadline).into_iter().chain(attempt).min()
    }

    pub(super) fn is_in_progress(&self) -> bool {
        self.caller.is_some() || matches!(self.phase, RevocationPhase::Sent(_))
    }
}

impl Machine {
    /// The session of `pair` is to be revoked. `caller` waits for the outcome of the first attempt.
    pub(super) fn revoke(&mut self, pair: TokenPair, caller: Option<Caller>, now: DeviceTime) {
        let is_known = |known: &Revocation| known.pair.refresh == pair.refresh;
        if caller.is_none() && self.revocations.iter().any(is_known) {
            return;
        }
        let caller = caller.map(|caller| (caller, self.deadline(now)));
        let phase = RevocationPhase::Waiting { until: now.monotonic };
        self.revocations.push(Revocation { pair, caller, attempts: 0, phase });
    }

    /// Sends the requests that are due.
    pub(super) fn send_revocations(&mut self, now: DeviceTime, out: &mut Vec<Action>) {
        for revocation in &mut self.revocations {
            if matches!(revocation.phase, RevocationPhase::Waiting { until } if until <= now.monotonic)
            {
                self.last_ticket += 1;
                let ticket = Ticket(self.last_ticket);
                revocation.phase = RevocationPhase::Sent(ticket);
                revocation.attempts += 1;
                out.push(Action::Revoke { ticket, pair: revocation.pair.clone() });
            }
        }
    }

    pub(super) fn on_revoked(
        &mut self,
        ticket: Ticket,
        answer: RevocationAnswer,
        now: DeviceTime,
        out: &mut Vec<Action>,
    ) {
        let is_awaited = |one: &Revocation| one.phase == RevocationPhase::Sent(ticket);
        let Some(index) = self.revocations.iter().position(is_awaited) else { return };
        let RevocationAnswer::Unavailable { retry_after } = answer else {
            let Revocation { pair, caller, .. } = self.revocations.remove(index);
            let is_revoked = answer == RevocationAnswer::Revoked;
            let outcome = if is_revoked { SignOutOutcome::Revoked } else { SignOutOutcome::Local };
            // Of an earlier session, whose note was replaced.
            self.forget_revoked(out);
            self.revoked = Some(Revoked { refresh: pair.refresh, caller, outcome });
            return;
        };
        let revocation = &mut self.revocations[index];
        let delay = backoff(&self.settings, revocation.attempts, &mut self.jitter);
        let delay = delay.max(retry_after.unwrap_or_default().min(MAX_RETRY_AFTER));
        revocation.phase = if revocation.attempts < MAX_ATTEMPTS {
            RevocationPhase::Waiting { until: now.monotonic.saturating_add(delay) }
        } else {
            RevocationPhase::GivenUp
        };
        revocation.reply(SignOutOutcome::Pending, out);
    }

    /// The note of the revoked session is removed, or as good as: the next process that finds it
    /// revokes the session again, which does no harm.
    pub(super) fn forget_revoked(&mut self, out: &mut Vec<Action>) {
        if let Some(mut revoked) = self.revoked.take() {
            revoked.reply(out);
        }
    }
}

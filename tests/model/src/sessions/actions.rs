//! What clients do: refreshes and uses of access tokens, and the invariants after each.

use std::time::Duration;

use regrant::session::{
    AccessTokenUse, Decision, PresentedToken, RefreshPolicy, TheftScope, TokenSecret, UseOutcome,
};
use regrant::types::{FamilyPosition, Timestamp};

use super::client::{Access, Client, Token};
use super::machine::Machine;
use super::search_space::SearchSpace;
use super::step::{GRACE, ResponseFate, UNUSED_GRACE};
use super::violation::Violation;
use super::world::{LateResponse, Request, Who, World};

impl World {
    /// The honest client refreshes.
    pub(super) fn honest_refresh(
        &mut self,
        machine: &Machine,
        space: &SearchSpace,
        rotate: bool,
        answer: ResponseFate,
    ) -> Result<(), Violation> {
        let alone = self.is_alone(space);
        let token = self.honest.refresh;
        let may_wait = self.is_between_children(&token);
        Self::check_own_key(space, machine.bindings.refresh)?;
        let decision = self.refresh_as(machine, space, Who::Honest, rotate, answer)?;
        match decision {
            Decision::Rotate(_) | Decision::Replay(_) | Decision::Renew { .. } => {}
            // It tries again.
            Decision::Superseded if may_wait => return Ok(()),
            // The invariants hold within the lifetimes of the policy only.
            Decision::Expired => return Ok(()),
            decision if alone => return Err(Violation::HonestRefused(decision)),
            _ => return Ok(()),
        }
        let until = self.app_now().plus(GRACE);
        let first_answer = self.app_time_of_issue(decision);
        self.requests.push(Request { token, rotate, until, first_answer });
        Ok(())
    }

    /// Whether the child of this token was given at the end of its grace, and is not yet discarded.
    fn is_between_children(&self, token: &Token) -> bool {
        self.record.child.is_some_and(|child| {
            let replayed_until = child.issued_at.plus(UNUSED_GRACE);
            let answered_at = self.record.confirmed_at.min(replayed_until);
            let is_parent = token.claims.id == self.record.id;
            is_parent && self.now > replayed_until && self.now <= answered_at.plus(GRACE)
        })
    }

    /// A copy of one of the honest client's requests arrives.
    pub(super) fn duplicate(
        &mut self,
        machine: &Machine,
        space: &SearchSpace,
        which: usize,
    ) -> Result<(), Violation> {
        let request = self.requests[self.requests.len() - 1 - which].clone();
        let (decision, _) = self.attempt_refresh(machine, space, &request.token, request.rotate)?;
        match decision {
            Decision::Reuse(theft) if self.is_alone(space) => {
                Err(Violation::DuplicateIsTheft(theft))
            }
            _ => Ok(()),
        }
    }

    /// A client refreshes and keeps the tokens that it gets.
    pub(super) fn refresh_as(
        &mut self,
        machine: &Machine,
        space: &SearchSpace,
        who: Who,
        rotate: bool,
        answer: ResponseFate,
    ) -> Result<Decision, Violation> {
        let now = self.now;
        let token = self.client(who).refresh;
        let (child, confirmed_at) = (self.record.child, self.record.confirmed_at);
        let overdue = self.client(who).overtaken.is_some_and(|since| now > since.plus(GRACE));
        let (decision, pair) = self.attempt_refresh(machine, space, &token, rotate)?;
        if overdue && self.is_live() && decision != Decision::Expired {
            return Err(Violation::TwoHolders);
        }
        let Some((refresh, access)) = pair else { return Ok(decision) };
        if let (Who::Thief, Decision::Replay(_), Some(child)) = (who, decision, child) {
            self.shared.record(child, confirmed_at, now);
        }
        if let Decision::Rotate(issued) = decision {
            self.check_denied(machine, who, &token, issued.issued_at)?;
        }

        let until = self.app_time_of_issue(decision).plus(UNUSED_GRACE);
        let (client, other) = self.clients(who);
        if let Some(other) = other {
            let after_grace = other.granted.is_some_and(|since| now > since.plus(GRACE));
            // The child that the other client has, or the same token as before, is no next token.
            let is_next = ![other.refresh.secret, token.secret].contains(&refresh.secret);
            if other.overtaken.is_some() || is_next && after_grace {
                other.overtaken = Some(now);
            }
        }
        match answer {
            ResponseFate::Arrives => {
                client.earlier_access = Some(client.access);
                (client.refresh, client.access) = (refresh, access);
                (client.granted, client.overtaken) = (Some(now), None);
            }
            ResponseFate::Lost => self.late = Some(LateResponse { refresh, access, until }),
            ResponseFate::Stolen => {
                self.thief = Some(Client::new(refresh, access));
                self.honest.forget_count();
            }
        }
        self.forget_counts_of_one_token();
        Ok(decision)
    }

    /// A late response arrives. Its pair replaces the one that the honest client has.
    pub(super) fn land(&mut self) {
        let LateResponse { refresh, access, until } = self.late.take().expect("there is one");
        // Its child may have been issued before a rollback, which the store does not know.
        for request in self.requests.iter_mut().filter(|_| self.has_rolled_back) {
            request.until = request.until.min(until);
        }
        self.honest.earlier_access = Some(self.honest.access);
        (self.honest.refresh, self.honest.access) = (refresh, access);
        if access.came_with_child_of.is_none() {
            // It is from before a rollback.
            self.honest.forget_count();
        }
        self.forget_counts_of_one_token();
    }

    /// Once both clients have the same token they cannot be distinguished.
    fn forget_counts_of_one_token(&mut self) {
        if let Some(thief) = &mut self.thief
            && thief.refresh.secret == self.honest.refresh.secret
        {
            thief.forget_count();
            self.honest.forget_count();
        }
    }

    /// Invariant 10: `who` got another child of `token`, so the access token that the other client got
    /// with an earlier one is denied.
    fn check_denied(
        &self,
        machine: &Machine,
        who: Who,
        token: &Token,
        issued_at: Timestamp,
    ) -> Result<(), Violation> {
        let other = match who {
            Who::Honest => self.thief.as_ref(),
            Who::Thief => Some(&self.honest),
        };
        let Some(access) = other.map(|other| other.access) else { return Ok(()) };
        let came_with_earlier_child = access
            .came_with_child_of
            .is_some_and(|(parent, child)| parent == token.secret && child != issued_at);
        if came_with_earlier_child && !self.is_denied(machine, &access) {
            return Err(Violation::AccessOutlivesChild);
        }
        Ok(())
    }

    fn is_denied(&self, machine: &Machine, access: &Access) -> bool {
        self.discarded
            .iter()
            .any(|child| (machine.was_issued_with)(child, access.family_position, access.issued_at))
    }

    /// When the response to a refresh was first given, by a clock that never steps back.
    fn app_time_of_issue(&self, decision: Decision) -> Timestamp {
        let issued_at = match decision {
            Decision::Rotate(child) | Decision::Replay(child) => child.issued_at.min(self.now),
            _ => self.now,
        };
        issued_at.plus(self.behind)
    }

    /// A refresh token reaches the store.
    fn attempt_refresh(
        &mut self,
        machine: &Machine,
        space: &SearchSpace,
        token: &Token,
        rotate: bool,
    ) -> Result<(Decision, Option<(Token, Access)>), Violation> {
        let policy = RefreshPolicy {
            grace: GRACE,
            unused_grace: UNUSED_GRACE,
            idle_ttl: space.idle_ttl,
            rotate,
            on_theft: TheftScope::Session,
        };
        let was_live = self.is_live();
        let before = self.record.clone();
        let step = (machine.decide_refresh)(&self.record, &token.claims, self.now, &policy);
        self.discarded.extend(step.discarded);
        // The time of the refresh by a clock that never steps back, as far as the token tells.
        let refreshed_at = self.now.max(token.claims.issued_at);
        if let Some(next) = step.record {
            let refreshed_at = match step.decision {
                Decision::Rotate(child) => Some(child.issued_at),
                Decision::Renew { .. } => {
                    let child = before.child.filter(|_| next.generation == before.generation);
                    let last = child.map_or(token.claims.issued_at, |child| child.issued_at);
                    Some(self.now.max(last.plus(Duration::from_millis(1))))
                }
                _ => None,
            };
            if next.idle_deadline != self.idle_deadline_after(&next, refreshed_at, space) {
                return Err(Violation::IdleMoved);
            }
            self.write(next)?;
        }
        let is_granted = matches!(
            step.decision,
            Decision::Rotate(_) | Decision::Replay(_) | Decision::Renew { .. }
        );
        let repeated = match step.decision {
            Decision::Replay(_) => UNUSED_GRACE,
            _ => Duration::ZERO,
        };
        let promised = refreshed_at.plus(space.idle_ttl).minus(repeated).min(before.expires_at);
        if is_granted && self.record.idle_deadline < promised.max(before.idle_deadline) {
            return Err(Violation::IdleStands);
        }
        let has_rotated = token.claims.generation > 0
            || before.generation > 0
            || before.child.is_some()
            || self.ledger.has_rotated();
        if has_rotated && matches!(step.decision, Decision::Renew { .. }) {
            return Err(Violation::NotRotated);
        }
        if let Decision::Rotate(child) = step.decision
            && child.expires_at < refreshed_at.plus(space.idle_ttl).min(before.expires_at)
        {
            return Err(Violation::EarlyExpiry);
        }
        let is_confirmed =
            (before.generation, before.id) == (token.claims.generation, token.claims.id);
        let deadline =
            if is_confirmed && was_live { before.idle_deadline } else { token.claims.expires_at };
        let expired = self.now >= deadline || self.is_over();
        if expired != (step.decision == Decision::Expired) {
            return Err(Violation::AfterExpiry);
        }
        if !was_live && !expired && !matches!(step.decision, Decision::Revoked(_)) {
            return Err(Violation::AfterRevocation);
        }
        if self.ledger.long_spent(&token.secret, self.now) && self.is_live() && !expired {
            return Err(Violation::SpentTolerated);
        }
        let pair = match step.decision {
            Decision::Rotate(issued_child) | Decision::Replay(issued_child) => {
                let secret = TokenSecret::from_bytes(token.secret);
                let secret = (machine.child)(
                    &secret,
                    issued_child.family_position.branch,
                    issued_child.issued_at,
                );
                let claims = PresentedToken {
                    generation: issued_child.family_position.generation,
                    branch: issued_child.family_position.branch,
                    id: (machine.id)(&secret),
                    parent: Some(token.claims.id),
                    issued_at: issued_child.issued_at,
                    expires_at: issued_child.expires_at,
                };
                let child = Token { secret: *secret.expose(), claims };
                self.ledger.record_issue(&token.secret, &child, self.now)?;
                let came_with = Some((token.secret, issued_child.issued_at));
                Some((
                    child,
                    Access::issued(issued_child.family_position, self.app_now(), came_with),
                ))
            }
            Decision::Renew { .. } => {
                let PresentedToken { generation, branch, .. } = token.claims;
                Some((
                    *token,
                    Access::issued(FamilyPosition { generation, branch }, self.app_now(), None),
                ))
            }
            _ => None,
        };
        if pair.is_some() {
            self.ledger.was_taken(&token.secret, self.now);
        }
        self.ledger.check_stored(&self.record)?;
        Ok((step.decision, pair))
    }

    /// A client uses its access token; the verifier's report to the store may be lost.
    pub(super) fn use_access_token(
        &mut self,
        machine: &Machine,
        space: &SearchSpace,
        who: Who,
        access: Access,
        delivered: bool,
    ) -> Result<(), Violation> {
        let now = self.now;
        let client = *self.client(who);
        let Access { family_position, came_with_child_of, .. } = access;
        let denied = self.is_denied(machine, &access);
        if denied && who == Who::Honest && self.is_alone(space) {
            return Err(Violation::HonestDenied);
        }
        if !delivered || self.is_over() {
            return Ok(());
        }
        let was_live = self.is_live();
        let token_use = AccessTokenUse { family_position, denied };
        let next = (machine.decide_use)(&self.record, &token_use, now);
        if let Some(record) = next.record {
            if record.idle_deadline != self.idle_deadline_after(&record, None, space) {
                return Err(Violation::IdleMoved);
            }
            self.write(record)?;
        }
        let answer = next.outcome;
        if !was_live && !matches!(answer, UseOutcome::Revoked(_) | UseOutcome::Expired) {
            return Err(Violation::AfterRevocation);
        }
        if answer == UseOutcome::Reuse && self.is_alone(space) {
            return Err(Violation::HonestAccused);
        }
        // After a rollback the store may not know that newer tokens superseded these; then the
        // refresh detects it.
        let overdue = client.overtaken.is_some_and(|since| now > since.plus(GRACE));
        let is_detectable = came_with_child_of.is_some() && !self.has_rolled_back;
        if overdue && is_detectable && self.is_live() {
            return Err(Violation::TwoHolders);
        }
        if answer == UseOutcome::ChildInUse
            && let (_, Some(other)) = self.clients(who)
            && other.overtaken.is_some()
        {
            // The grace of the older tokens begins anew.
            other.overtaken = Some(now);
        }
        if let Some((parent, child_issued_at)) = came_with_child_of {
            self.ledger.child_was_used(parent, now.max(child_issued_at));
        }
        Ok(())
    }
}

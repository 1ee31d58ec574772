//! What clients do: refreshes and uses of access tokens, and the invariants after each.

use std::time::Duration;

use regrant::session::{
    AccessTokenUse, Decision, PresentedToken, RefreshPolicy, TheftScope, TokenSecret, UseOutcome,
};
use regrant::types::FamilyPosition;

use super::client::{Access, Client, Token};
use super::machine::Machine;
use super::search_space::SearchSpace;
use super::step::{GRACE, ResponseFate};
use super::violation::Violation;
use super::world::{Request, Who, World};

impl World {
    /// The honest client refreshes.
    pub(super) fn honest_refresh(
        &mut self,
        machine: &Machine,
        space: &SearchSpace,
        rotate: bool,
        answer: ResponseFate,
    ) -> Result<(), Violation> {
        let alone = self.thief.is_none();
        let token = self.honest.refresh;
        let decision = self.refresh_as(machine, space, Who::Honest, rotate, answer)?;
        let first_answer = match decision {
            Decision::Rotate(child) | Decision::Replay(child) => child.issued_at.min(self.now),
            Decision::Renew { .. } => self.now,
            // The invariants hold within the lifetimes of the policy only.
            Decision::Expired => return Ok(()),
            decision if alone => return Err(Violation::HonestRefused(decision)),
            _ => return Ok(()),
        };
        self.requests.push(Request {
            token,
            rotate,
            until: first_answer.plus(self.behind).plus(GRACE),
        });
        Ok(())
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
            Decision::Reuse(theft) if self.thief.is_none() => {
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
        let overdue = self.client(who).overtaken.is_some_and(|since| now > since.plus(GRACE));
        let (decision, pair) = self.attempt_refresh(machine, space, &token, rotate)?;
        if overdue && self.is_live() && decision != Decision::Expired {
            return Err(Violation::TwoHolders);
        }
        let Some((refresh, access)) = pair else { return Ok(decision) };

        let (client, other) = self.clients(who);
        if let Some(other) = other {
            let after_grace = other.granted.is_some_and(|since| now > since.plus(GRACE));
            if other.overtaken.is_some() || rotate && after_grace {
                other.overtaken = Some(now);
            }
        }
        match answer {
            ResponseFate::Arrives => {
                client.earlier_access = Some(client.access);
                (client.refresh, client.access) = (refresh, access);
                (client.granted, client.overtaken) = (Some(now), None);
            }
            ResponseFate::Lost => {}
            ResponseFate::Stolen => {
                self.thief = Some(Client::new(refresh, access));
                self.honest.forget_count();
            }
        }
        if let Some(thief) = &mut self.thief
            && thief.refresh.secret == self.honest.refresh.secret
        {
            // Both have the same token again and cannot be distinguished.
            thief.forget_count();
            self.honest.forget_count();
        }
        Ok(decision)
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
        let promised = refreshed_at.plus(space.idle_ttl).minus(GRACE).min(before.expires_at);
        if is_granted && self.record.idle_deadline < promised.max(before.idle_deadline) {
            return Err(Violation::IdleStands);
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
        let Access { family_position, issued_at, came_with_child_of } = access;
        let denied = self
            .discarded
            .iter()
            .any(|child| (machine.was_issued_with)(child, family_position, issued_at));
        if denied && self.thief.is_none() {
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
        if answer == UseOutcome::Reuse && self.thief.is_none() {
            return Err(Violation::HonestAccused);
        }
        // After a rollback the store may not know that newer tokens superseded these; then the
        // refresh detects it.
        let overdue = client.overtaken.is_some_and(|since| now > since.plus(GRACE));
        let is_detectable = came_with_child_of.is_some() && !self.has_rolled_back;
        if overdue && is_detectable && self.is_live() {
            return Err(Violation::TwoHolders);
        }
        if let Some((parent, child_issued_at)) = came_with_child_of {
            self.ledger.child_was_used(parent, child_issued_at);
        }
        Ok(())
    }
}

//! A refresh token reaches the store.

use regrant::session::{Decision, RefreshAttempt, RefreshPolicy, TheftScope, TokenSecret};
use regrant::types::FamilyPosition;

use super::act::{Answer, GRACE};
use super::holder::{Access, Holder, Token};
use super::machine::Machine;
use super::spaces::Space;
use super::violation::Violation;
use super::world::{Request, Who, World};

impl World {
    /// The honest client refreshes.
    pub(super) fn honest_refreshes(
        &mut self,
        machine: &Machine,
        space: &Space,
        rotate: bool,
        answer: Answer,
    ) -> Result<(), Violation> {
        let alone = self.thief.is_none();
        let token = self.honest.refresh;
        let decision = self.refreshes(machine, space, Who::Honest, rotate, answer)?;
        let first_answer = match decision {
            Decision::Rotate(child) | Decision::Replay(child) => child.issued_at.min(self.now),
            Decision::Renew => self.now,
            // Nobody is promised more than the lifetimes that the policy states.
            Decision::Expired => return Ok(()),
            refusal if alone => return Err(Violation::HonestRefused(refusal)),
            _ => return Ok(()),
        };
        self.requests.push(Request {
            token,
            rotate,
            until: first_answer.plus(self.behind).plus(GRACE),
        });
        Ok(())
    }

    /// One of its requests arrives once more.
    pub(super) fn duplicate(
        &mut self,
        machine: &Machine,
        space: &Space,
        which: usize,
    ) -> Result<(), Violation> {
        let request = self.requests[self.requests.len() - 1 - which].clone();
        let (decision, _) = self.present(machine, space, &request.token, request.rotate)?;
        match decision {
            Decision::Theft(theft) if self.thief.is_none() => {
                Err(Violation::DuplicateIsTheft(theft))
            }
            _ => Ok(()),
        }
    }

    /// A holder presents its refresh token and takes what it gets.
    pub(super) fn refreshes(
        &mut self,
        machine: &Machine,
        space: &Space,
        who: Who,
        rotate: bool,
        answer: Answer,
    ) -> Result<Decision, Violation> {
        let now = self.now;
        let token = self.holder(who).refresh;
        let overdue = self.holder(who).overtaken.is_some_and(|since| now > since.plus(GRACE));
        let (decision, pair) = self.present(machine, space, &token, rotate)?;
        if overdue && self.is_live() && decision != Decision::Expired {
            return Err(Violation::TwoHolders);
        }
        let Some((refresh, access)) = pair else { return Ok(decision) };

        let (holder, other) = self.holders(who);
        if let Some(other) = other {
            let after_grace = other.granted.is_some_and(|since| now > since.plus(GRACE));
            if other.overtaken.is_some() || rotate && after_grace {
                other.overtaken = Some(now);
            }
        }
        match answer {
            Answer::Arrives => {
                holder.earlier_access = Some(holder.access);
                (holder.refresh, holder.access) = (refresh, access);
                (holder.granted, holder.overtaken) = (Some(now), None);
            }
            Answer::Lost => {}
            Answer::Stolen => {
                self.thief = Some(Holder::new(refresh, access));
                self.honest.forget_count();
            }
        }
        if let Some(thief) = &mut self.thief
            && thief.refresh.secret == self.honest.refresh.secret
        {
            // They share one token again, and nothing tells two holders of one token apart.
            thief.forget_count();
            self.honest.forget_count();
        }
        Ok(decision)
    }

    /// A refresh token reaches the store, whoever sends it.
    fn present(
        &mut self,
        machine: &Machine,
        space: &Space,
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
        let step = (machine.step)(&self.record, &token.claims, self.now, &policy);
        self.abandoned.extend(step.discarded);
        if let Some(next) = step.record {
            let issued = matches!(step.decision, Decision::Rotate(_));
            let issued = issued.then(|| self.now.plus(space.idle_ttl).min(self.record.expires_at));
            if next.idle_deadline != self.idle_deadline_after(&next, issued) {
                return Err(Violation::IdleMoved);
            }
            self.write(next)?;
        }
        let expired = self.now >= token.claims.expires_at || self.is_over();
        if expired != (step.decision == Decision::Expired) {
            return Err(Violation::AfterExpiry);
        }
        if !was_live && !expired && !matches!(step.decision, Decision::Revoked(_)) {
            return Err(Violation::AfterRevocation);
        }
        if self.book.long_spent(&token.secret, self.now) && self.is_live() && !expired {
            return Err(Violation::SpentTolerated);
        }
        let pair = match step.decision {
            Decision::Rotate(minted) | Decision::Replay(minted) => {
                let secret = TokenSecret::from_bytes(token.secret);
                let secret =
                    (machine.child)(&secret, minted.family_position.branch, minted.issued_at);
                let claims = RefreshAttempt {
                    generation: minted.family_position.generation,
                    branch: minted.family_position.branch,
                    id: (machine.id)(&secret),
                    parent: Some(token.claims.id),
                    issued_at: minted.issued_at,
                    expires_at: minted.expires_at,
                };
                let child = Token { secret: *secret.expose(), claims };
                self.book.hand_out(&token.secret, &child, self.now)?;
                let came_with = Some((token.secret, minted.issued_at));
                Some((child, Access::issued(minted.family_position, self.app_now(), came_with)))
            }
            Decision::Renew => {
                let RefreshAttempt { generation, branch, .. } = token.claims;
                Some((
                    *token,
                    Access::issued(FamilyPosition { generation, branch }, self.app_now(), None),
                ))
            }
            _ => None,
        };
        if pair.is_some() {
            self.book.was_taken(&token.secret, self.now);
        }
        self.book.check_stored(&self.record)?;
        Ok((step.decision, pair))
    }
}

//! An access token is shown to a verifier, which reports it to the store.

use regrant::session::{AccessTokenUse, UseOutcome};

use super::act::GRACE;
use super::holder::Access;
use super::machine::Machine;
use super::violation::Violation;
use super::world::{Who, World};

impl World {
    /// A holder shows its access token to a verifier, which reports it unless that is lost.
    pub(super) fn uses(
        &mut self,
        machine: &Machine,
        who: Who,
        access: Access,
        delivered: bool,
    ) -> Result<(), Violation> {
        let now = self.now;
        let holder = *self.holder(who);
        let Access { family_position, issued_at, came_with_child_of } = access;
        let denied =
            self.abandoned.iter().any(|gone| (machine.covers)(gone, family_position, issued_at));
        if denied && self.thief.is_none() {
            return Err(Violation::HonestDenied);
        }
        if !delivered || self.is_over() {
            return Ok(());
        }
        let was_live = self.is_live();
        let token_use = AccessTokenUse { family_position, denied };
        let confirmed = (machine.confirm)(&self.record, &token_use, now);
        if let Some(next) = confirmed.record {
            if next.idle_deadline != self.idle_deadline_after(&next, None) {
                return Err(Violation::IdleMoved);
            }
            self.write(next)?;
        }
        let answer = confirmed.outcome;
        if !was_live && !matches!(answer, UseOutcome::Revoked(_) | UseOutcome::Expired) {
            return Err(Violation::AfterRevocation);
        }
        if answer == UseOutcome::Theft && self.thief.is_none() {
            return Err(Violation::HonestAccused);
        }
        // The store that rolled back may meet the other's newer tokens without knowing that they
        // overtook these; the refresh tells then.
        let overdue = holder.overtaken.is_some_and(|since| now > since.plus(GRACE));
        let tells = came_with_child_of.is_some() && !self.has_rolled_back;
        if overdue && tells && self.is_live() {
            return Err(Violation::TwoHolders);
        }
        if let Some((parent, minted)) = came_with_child_of {
            self.book.child_was_used(parent, minted);
        }
        Ok(())
    }
}

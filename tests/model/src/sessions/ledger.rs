//! A ledger of the issued tokens, by which the checker judges later steps.

use regrant::session::Record;
use regrant::types::Timestamp;

use super::client::{Secret, Token};
use super::step::{GRACE, UNUSED_GRACE};
use super::violation::Violation;

/// The ledger of one history.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    /// The first half of every secret that was ever issued.
    halves: Vec<[u8; 16]>,
    /// Parents and children since the last rollback, oldest first.
    issued_children: Vec<(Secret, Token)>,
    /// Tokens whose child has arrived, since the last rollback.
    spent: Vec<Spent>,
}

/// A token whose child has arrived.
#[derive(Clone, Copy, Debug)]
struct Spent {
    token: Secret,
    /// When the grace began.
    since: Timestamp,
    /// The child itself was used; else its access token was.
    by_refresh: bool,
}

impl Ledger {
    /// After a rollback the store cannot know what it lost.
    pub fn rolled_back(&mut self) {
        self.issued_children.clear();
        self.spent.clear();
    }

    pub fn issued(&mut self, secret: &Secret) {
        let (half, _) = secret.split_first_chunk::<16>().expect("32 bytes");
        if !self.halves.contains(half) {
            self.halves.push(*half);
        }
    }

    /// Whether a child was issued since the last rollback.
    pub const fn has_rotated(&self) -> bool {
        !self.issued_children.is_empty()
    }

    /// Invariant 2: within the grace of unused children one token has one child, bit for bit, and a position in the
    /// family belongs to one token.
    pub fn record_issue(
        &mut self,
        parent: &Secret,
        child: &Token,
        now: Timestamp,
    ) -> Result<(), Violation> {
        let earlier = self.issued_children.iter().rev().find(|(of, _)| of == parent);
        if let Some((_, sibling)) = earlier
            && now <= sibling.claims.issued_at.plus(UNUSED_GRACE)
            && sibling != child
        {
            return Err(Violation::TwoChildren);
        }
        let position = |token: &Token| (token.claims.generation, token.claims.branch);
        if self
            .issued_children
            .iter()
            .any(|(_, other)| position(other) == position(child) && other != child)
        {
            return Err(Violation::SharedPosition);
        }
        if earlier.is_none_or(|(_, sibling)| sibling != child) {
            self.issued_children.push((*parent, *child));
        }
        self.issued(&child.secret);
        Ok(())
    }

    /// The access token of a child was used: the child has arrived, so use of the parent is theft. The
    /// grace of the parent begins, and that of its own parent begins anew.
    pub fn child_was_used(&mut self, parent: Secret, now: Timestamp) {
        if self.spent.iter().any(|spent| spent.token == parent) {
            return;
        }
        let of_parent = self.issued_children.iter().find(|(_, token)| token.secret == parent);
        if let Some((grandparent, _)) = of_parent {
            for spent in self.spent.iter_mut().filter(|spent| spent.token == *grandparent) {
                spent.since = spent.since.max(now);
            }
        }
        self.spent.push(Spent { token: parent, since: now, by_refresh: false });
    }

    /// A token was used, so it has arrived and its parent is spent. Where the parent was spent by a
    /// reported use before, the grace begins anew.
    pub fn was_taken(&mut self, child: &Secret, now: Timestamp) {
        let of_child = self.issued_children.iter().find(|(_, token)| token.secret == *child);
        let Some((parent, _)) = of_child else { return };
        match self.spent.iter_mut().find(|spent| spent.token == *parent) {
            Some(spent) if spent.by_refresh => {}
            Some(spent) => (spent.since, spent.by_refresh) = (now, true),
            None => self.spent.push(Spent { token: *parent, since: now, by_refresh: true }),
        }
    }

    /// Whether this token has been spent for longer than the grace.
    pub fn long_spent(&self, secret: &Secret, now: Timestamp) -> bool {
        self.spent.iter().any(|spent| spent.token == *secret && now > spent.since.plus(GRACE))
    }

    /// Invariant 6: no token can be made from what is stored.
    pub fn check_stored(&self, record: &Record) -> Result<(), Violation> {
        let bytes = record.encode();
        if bytes.windows(16).any(|window| self.halves.iter().any(|half| half == window)) {
            return Err(Violation::SecretStored);
        }
        Ok(())
    }
}

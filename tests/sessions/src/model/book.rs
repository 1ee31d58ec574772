//! What the checker writes down about the tokens handed out, to judge what comes later.

use regrant::session::Record;
use regrant::types::Timestamp;

use super::act::GRACE;
use super::holder::{Secret, Token};
use super::violation::Violation;

/// The books of one history.
#[derive(Clone, Debug, Default)]
pub struct Book {
    /// The first half of every secret that was ever minted.
    halves: Vec<[u8; 16]>,
    /// Parent and child, since the store last rolled back, oldest first.
    handed_out: Vec<(Secret, Token)>,
    /// Tokens whose child has arrived, since the last rollback.
    spent: Vec<Spent>,
}

/// A token whose child has arrived.
#[derive(Clone, Copy, Debug)]
struct Spent {
    token: Secret,
    /// When the grace began.
    since: Timestamp,
    /// The child itself was taken; otherwise its access token was seen in use.
    by_refresh: bool,
}

impl Book {
    /// After a rollback the store cannot know what came after.
    pub fn rolled_back(&mut self) {
        self.handed_out.clear();
        self.spent.clear();
    }

    pub fn minted(&mut self, secret: &Secret) {
        let (half, _) = secret.split_first_chunk::<16>().expect("32 bytes");
        if !self.halves.contains(half) {
            self.halves.push(*half);
        }
    }

    /// Invariant 2: within the grace one token has one child, bit for bit, and a place in the
    /// chain belongs to one token.
    pub fn hand_out(
        &mut self,
        parent: &Secret,
        child: &Token,
        now: Timestamp,
    ) -> Result<(), Violation> {
        let earlier = self.handed_out.iter().rev().find(|(of, _)| of == parent);
        if let Some((_, sibling)) = earlier
            && now <= sibling.claims.issued_at.plus(GRACE)
            && sibling != child
        {
            return Err(Violation::TwoChildren);
        }
        let place = |token: &Token| (token.claims.generation, token.claims.branch);
        if self.handed_out.iter().any(|(_, other)| place(other) == place(child) && other != child) {
            return Err(Violation::SharedPlace);
        }
        if earlier.is_none_or(|(_, sibling)| sibling != child) {
            self.handed_out.push((*parent, *child));
        }
        self.minted(&child.secret);
        Ok(())
    }

    /// The access token of its child was seen in use: the child has arrived, so whoever comes back
    /// with the parent is another holder.
    pub fn child_was_used(&mut self, parent: Secret, issued_at: Timestamp) {
        if !self.spent.iter().any(|spent| spent.token == parent) {
            self.spent.push(Spent { token: parent, since: issued_at, by_refresh: false });
        }
    }

    /// This token was taken, so it has arrived. Its parent is spent from here on: also where its
    /// use was seen before, for the grace begins anew.
    pub fn was_taken(&mut self, child: &Secret, now: Timestamp) {
        let of_child = self.handed_out.iter().find(|(_, token)| token.secret == *child);
        let Some((parent, _)) = of_child else { return };
        match self.spent.iter_mut().find(|spent| spent.token == *parent) {
            Some(spent) if spent.by_refresh => {}
            Some(spent) => (spent.since, spent.by_refresh) = (now, true),
            None => self.spent.push(Spent { token: *parent, since: now, by_refresh: true }),
        }
    }

    /// Whether this token was spent for longer than the grace.
    pub fn long_spent(&self, secret: &Secret, now: Timestamp) -> bool {
        self.spent.iter().any(|spent| spent.token == *secret && now > spent.since.plus(GRACE))
    }

    /// Invariant 6: nothing that is stored lets one make a token.
    pub fn check_stored(&self, record: &Record) -> Result<(), Violation> {
        let bytes = record.encode();
        if bytes.windows(16).any(|window| self.halves.iter().any(|half| half == window)) {
            return Err(Violation::SecretStored);
        }
        Ok(())
    }
}

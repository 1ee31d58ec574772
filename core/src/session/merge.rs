//! The state of one session in two stores, while its app moves from one to the other.

use super::notes::SessionNotes;
use super::record::{Record, SessionState};

impl Record {
    /// Merges `other`, the same session in another store, into this record; `None` if that changes nothing.
    /// Merging again changes nothing either.
    ///
    /// - A session that is revoked in one of them is revoked.
    /// - The later confirmed token counts, and of one token the later child: an earlier one would make a
    ///   newer token look stolen. Where each store has issued a child of its own at the same position or at the
    ///   same time, this one's is kept, so that all clients get that.
    /// - The session idles out at the later deadline, and the child was given again at the later instant.
    /// - The claims that the app set later count, and the client of the later refresh.
    pub fn merged_with(&self, other: &Self) -> Option<Self> {
        let theirs_is_later = match other.generation.cmp(&self.generation) {
            // Different tokens of one generation: those of this record go on.
            std::cmp::Ordering::Equal if other.id != self.id => false,
            std::cmp::Ordering::Equal => match (self.child, other.child) {
                (ours, theirs) if ours == theirs => other.idle_deadline > self.idle_deadline,
                // A store that did not know the branch of the other one begins at a lower one.
                (Some(ours), Some(theirs))
                    if ours.branch != theirs.branch && !ours.used && !theirs.used =>
                {
                    theirs.issued_at > ours.issued_at
                }
                _ => other.progress() > self.progress(),
            },
            order => order.is_gt(),
        };
        let (later, earlier) = if theirs_is_later { (other, self) } else { (self, other) };
        let (state, idle_deadline) = match (self.state, other.state) {
            (SessionState::Live, SessionState::Live) => {
                (SessionState::Live, self.idle_deadline.max(other.idle_deadline))
            }
            (SessionState::Live, revoked) => (revoked, other.idle_deadline),
            (revoked, _) => (revoked, self.idle_deadline),
        };
        let is_same =
            (self.generation, self.id, self.child) == (other.generation, other.id, other.child);
        let merged = Self {
            state,
            idle_deadline,
            confirmed_at: match is_same {
                true => self.confirmed_at.max(other.confirmed_at),
                false => later.confirmed_at,
            },
            created_at: self.created_at,
            expires_at: self.expires_at,
            migrated: self.migrated || other.migrated,
            device: self.device.clone(),
            notes: SessionNotes {
                claims: self.notes.later_claims(&other.notes).cloned().map(Box::new),
                created_from: first_known(&self.notes.created_from, &other.notes.created_from),
                refreshed_from: first_known(
                    &later.notes.refreshed_from,
                    &earlier.notes.refreshed_from,
                ),
                unknown: first_known(&later.notes.unknown, &earlier.notes.unknown),
            },
            ..later.clone()
        };
        (merged != *self).then_some(merged)
    }

    /// Orders the states of one confirmed token. A child on a later branch was issued later, and is used
    /// later than it is issued. A refresh without rotation moves the deadline only.
    fn progress(&self) -> Option<(u32, bool)> {
        self.child.map(|child| (child.branch, child.used))
    }
}

fn first_known<T: Clone>(one: &Option<T>, other: &Option<T>) -> Option<T> {
    one.as_ref().or(other.as_ref()).cloned()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::session::{Child, ClientDetails, DeviceLabel, NewSession, TokenId};
    use crate::types::{RevocationReason, Timestamp};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_millis(second * 1000)
    }

    fn begun() -> Record {
        let new = NewSession {
            id: TokenId::from_bytes([1; 16]),
            idle_ttl: Duration::from_secs(60),
            absolute_ttl: Duration::from_secs(600),
            device: DeviceLabel::new("a phone").unwrap(),
            max_sessions: None,
            legacy_login: None,
            client: client("192.0.2.1"),
        };
        Record::begin(&new, at(0))
    }

    fn client(address: &str) -> Option<ClientDetails> {
        ClientDetails::default().address(address).known()
    }

    fn child(branch: u32, second: i64, used: bool) -> Option<Child> {
        Some(Child { branch, issued_at: at(second), used })
    }

    /// In either order, and again.
    fn assert_merges(one: &Record, other: &Record, merged: &Record) {
        for (ours, theirs) in [(one, other), (other, one)] {
            let result = ours.merged_with(theirs).unwrap_or_else(|| ours.clone());
            assert_eq!(result, *merged);
            assert_eq!(result.merged_with(theirs), None);
            assert_eq!(result.merged_with(ours), None);
        }
    }

    #[test]
    fn the_later_token_and_the_later_child_count() {
        let begun = begun();
        assert_eq!(begun.merged_with(&begun), None);
        let with_child = Record { child: child(0, 10, false), ..begun.clone() };
        let given_again = Record { confirmed_at: at(70), ..with_child.clone() };
        let used = Record { child: child(0, 10, true), confirmed_at: at(11), ..begun.clone() };
        let branched = Record { child: child(1, 80, false), ..begun.clone() };
        let second = Record {
            generation: 1,
            id: TokenId::from_bytes([2; 16]),
            child: child(0, 20, false),
            confirmed_at: at(20),
            ..begun.clone()
        };
        let in_order = [&begun, &with_child, &given_again, &used, &branched, &second];
        for (number, earlier) in in_order.iter().enumerate() {
            for later in &in_order[number..] {
                assert_merges(earlier, later, later);
            }
        }
    }

    #[test]
    fn a_revocation_in_one_store_counts_in_both() {
        let begun = begun();
        let revoked = begun.revoked(RevocationReason::Logout, at(30));
        let later = Record { generation: 5, idle_deadline: at(90), ..begun.clone() };
        assert_merges(&begun, &revoked, &revoked);
        assert_merges(&later, &revoked, &Record { generation: 5, ..revoked.clone() });
        // Revoked in both: the reason that was known first is kept.
        let other = begun.revoked(RevocationReason::Reused, at(20));
        assert_eq!(revoked.merged_with(&other), None);
    }

    #[test]
    fn the_idle_deadline_is_the_later_one() {
        let begun = begun();
        let renewed = Record { idle_deadline: at(90), ..begun.clone() };
        assert_merges(&begun, &renewed, &renewed);
    }

    #[test]
    fn the_client_of_the_later_refresh_and_the_later_claims_count() {
        let with = |record: &Record, address: &str, claims: Option<i64>| {
            let mut record = record.clone();
            record.notes.refreshed_from = client(address).map(Box::new);
            if let Some(second) = claims {
                record.notes.set_claims(&format!("{{\"at\":{second}}}"), at(second));
            }
            record
        };
        let begun = begun();
        let rotated = Record { child: child(0, 10, false), ..begun.clone() };
        let renewed = Record { idle_deadline: at(90), ..begun.clone() };
        for later in [&rotated, &renewed] {
            let here = with(&begun, "192.0.2.2", Some(40));
            let there = with(later, "192.0.2.3", Some(30));
            assert_merges(&here, &there, &with(later, "192.0.2.3", Some(40)));
            // Where the later one does not know, what is known is kept.
            assert_merges(&here, later, &with(later, "192.0.2.2", Some(40)));
        }
        // Stores of a version without notes.
        let mut unknown = begun.clone();
        unknown.notes.created_from = None;
        assert_merges(&begun, &unknown, &begun);
        assert_merges(&unknown, &with(&begun, "192.0.2.2", None), &with(&begun, "192.0.2.2", None));
    }

    #[test]
    fn of_two_children_on_one_branch_the_used_or_the_own_one_is_kept() {
        let with = |second, used| {
            let idle_deadline = at(60 + second);
            Record { child: child(0, second, used), idle_deadline, ..begun() }
        };
        let (ours, theirs) = (with(10, false), with(20, false));
        let merged = ours.merged_with(&theirs).expect("a later deadline");
        assert_eq!(merged, Record { idle_deadline: theirs.idle_deadline, ..ours.clone() });
        assert_eq!(merged.merged_with(&theirs), None);
        assert_eq!(theirs.merged_with(&ours), None);
        // Its client is known to have it.
        assert_eq!(ours.merged_with(&with(20, true)), Some(with(20, true)));
        assert_eq!(with(20, true).merged_with(&ours), None);
    }

    /// A store issued the first branch again, because it had not heard of the others. Its client has that one.
    #[test]
    fn of_two_unused_children_the_later_one_counts_on_whichever_branch() {
        let with = |branch, second| Record { child: child(branch, second, false), ..begun() };
        assert_merges(&with(1, 80), &with(0, 90), &with(0, 90));
        assert_merges(&with(1, 90), &with(0, 80), &with(1, 90));
        assert_eq!(with(0, 90).merged_with(&with(1, 90)), None);
        assert_eq!(with(1, 90).merged_with(&with(0, 90)), None);
    }

    #[test]
    fn of_two_tokens_of_one_generation_the_own_one_is_kept() {
        let begun = begun();
        let fork =
            Record { id: TokenId::from_bytes([9; 16]), child: child(0, 5, false), ..begun.clone() };
        assert_eq!(begun.merged_with(&fork), None);
    }
}

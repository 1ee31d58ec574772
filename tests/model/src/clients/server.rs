//! The server: a session, and its issued tokens.

use std::hash::{Hash, Hasher};
use std::time::Duration;

use regrant::client::machine::{Grant, RefreshAnswer};
use regrant::session::{
    AccessTokenUse, Decision, DeviceLabel, DiscardedChild, NewSession, Record, RefreshPolicy,
    TheftScope, TokenSecret, UseOutcome, decide_refresh, decide_use,
};
use regrant::types::{AccessToken, FamilyPosition, RefreshToken, Timestamp};

use super::violation::Violation;
use crate::sessions::{GRACE, UNUSED_GRACE};
use crate::token::Token;

/// How long access tokens live.
pub const LIFETIME: Duration = Duration::from_secs(900);
const LONG: Duration = Duration::from_secs(90 * 86_400);

/// Copies of requests carry one of the latest tokens, this many.
const DUPLICATED: usize = 2;

/// The server. Tokens are named by their index: `r0`, `a0`.
#[derive(Clone, Debug)]
pub struct Server {
    record: Record,
    discarded: Vec<DiscardedChild>,
    refresh: Vec<Issued>,
    access: Vec<(FamilyPosition, Timestamp)>,
    /// The refresh tokens that were sent, in the order of their first use.
    sent: Vec<usize>,
}

#[derive(Clone, Debug)]
struct Issued {
    token: Token,
    /// When its latest child was issued.
    child: Option<Timestamp>,
}

impl Server {
    pub fn new(now: Timestamp) -> Self {
        let secret = TokenSecret::from_bytes([0xA5; 32]);
        let new = NewSession {
            id: secret.id(),
            idle_ttl: LONG,
            absolute_ttl: LONG,
            device: DeviceLabel::default(),
            max_sessions: None,
            legacy_login: None,
            client: None,
        };
        let record = Record::begin(&new, now);
        let token = Token::of_login(secret, &record);
        Self {
            record,
            discarded: Vec::new(),
            refresh: vec![Issued { token, child: None }],
            access: vec![(FamilyPosition::default(), now)],
            sent: Vec::new(),
        }
    }

    /// The pair of the login.
    pub fn login() -> (AccessToken, RefreshToken) {
        (AccessToken::new("a0"), RefreshToken::new("r0"))
    }

    /// A refresh token arrives.
    pub fn refresh(
        &mut self,
        token: &RefreshToken,
        rotate: bool,
        now: Timestamp,
    ) -> Result<RefreshAnswer, Violation> {
        let which = place(token.expose());
        let presented = self.refresh[which].token.clone();
        if !self.sent.contains(&which) {
            self.sent.push(which);
        }
        let policy = RefreshPolicy {
            grace: GRACE,
            unused_grace: UNUSED_GRACE,
            idle_ttl: LONG,
            rotate,
            on_theft: TheftScope::Session,
        };
        let next = decide_refresh(&self.record, &presented.claims, now, &policy);
        self.discarded.extend(next.discarded);
        if let Some(record) = next.record {
            self.record = record;
        }
        let (family_position, refresh) = match next.decision {
            Decision::Rotate(issued) | Decision::Replay(issued) => {
                self.refresh[which].child = Some(issued.issued_at.min(now));
                let child = presented.child(&issued);
                let known = self.refresh.iter().position(|one| one.token.claims == child.claims);
                let place = known.unwrap_or_else(|| {
                    self.refresh.push(Issued { token: child, child: None });
                    self.refresh.len() - 1
                });
                (issued.family_position, Some(RefreshToken::new(format!("r{place}"))))
            }
            Decision::Renew { .. } => (presented.family_position(), None),
            Decision::Superseded => return Ok(RefreshAnswer::Superseded),
            decision => return Err(Violation::Refused(decision)),
        };
        // The wire has whole seconds.
        let issued = (family_position, Timestamp::from_seconds(now.as_seconds()));
        let known = self.access.iter().position(|access| *access == issued);
        let place = known.unwrap_or_else(|| {
            self.access.push(issued);
            self.access.len() - 1
        });
        Ok(RefreshAnswer::Granted(Grant {
            access: AccessToken::new(format!("a{place}")),
            refresh,
            lifetime: Some(LIFETIME),
            date: Some(now),
        }))
    }

    /// An access token is used, and the use is reported.
    pub fn sees(&mut self, token: &AccessToken, now: Timestamp) -> Result<(), Violation> {
        let (family_position, issued_at) = self.access[place(token.expose())];
        let denied =
            self.discarded.iter().any(|child| child.was_issued_with(family_position, issued_at));
        let seen = decide_use(&self.record, &AccessTokenUse { family_position, denied }, now);
        if let Some(record) = seen.record {
            self.record = record;
        }
        match seen.outcome {
            UseOutcome::ChildInUse | UseOutcome::Unchanged if !denied => Ok(()),
            _ => Err(Violation::Accused),
        }
    }

    /// Whether a request with this token may arrive late: see [`super`].
    pub fn may_arrive_late(&self, token: &RefreshToken, now: Timestamp) -> bool {
        let which = place(token.expose());
        let is_recent = match self.sent.iter().position(|sent| *sent == which) {
            Some(place) => self.sent.len() - place <= DUPLICATED,
            None => true,
        };
        let child = self.refresh[which].child;
        is_recent && child.is_none_or(|issued| now <= issued.plus(GRACE))
    }
}

impl Hash for Server {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.record.encode().hash(state);
        for child in &self.discarded {
            (child.family_position, child.issued_until.as_millis()).hash(state);
        }
        for issued in &self.refresh {
            issued.token.claims.id.hash(state);
            issued.child.hash(state);
        }
        (&self.access, &self.sent).hash(state);
    }
}

fn place(name: &str) -> usize {
    name[1..].parse().expect("a name of a token")
}

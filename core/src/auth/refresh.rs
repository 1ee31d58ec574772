//! The refresh: RFC 6749 §6 with the rotation and reuse detection of RFC 9700 §4.14.2.

use std::time::Instant;

use serde_json::{Map, Value};
use tracing::field::display;
use tracing::{Instrument, Span};

use super::event::AuditKind;
use super::limiter::Attempt;
use super::{Auth, Engine, Renewal, Renewed};
use crate::access::IssuedAccess;
use crate::dpop::VerifiedProof;
use crate::error::{Error, Result};
use crate::observe;
use crate::revocation::RevocationTarget;
use crate::session::{Decision, IssuedChild, RefreshClaims};
use crate::store::FailureKey;
use crate::types::{RevocationReason, Subject};

/// A refresh token and what is asked for it.
#[derive(Clone)]
#[must_use]
pub struct RefreshRequest<'a> {
    token: &'a str,
    expected: Option<Subject>,
    rotate: Option<bool>,
    claims: Map<String, Value>,
    proof: Option<VerifiedProof>,
    address: Option<FailureKey>,
}

impl<'a> RefreshRequest<'a> {
    /// A request with `token` as the client sent it, without a scheme in front.
    pub fn new(token: &'a str) -> Self {
        let claims = Map::new();
        Self { token, expected: None, rotate: None, claims, proof: None, address: None }
    }

    /// The user that the client says it is. It is compared, never believed.
    pub fn expect_subject(mut self, subject: Subject) -> Self {
        self.expected = Some(subject);
        self
    }

    /// Asks for a next refresh token, or for none, whatever the policy's rotation says.
    pub fn rotate(mut self, rotate: bool) -> Self {
        self.rotate = Some(rotate);
        self
    }

    /// The app's own claims for the access token.
    pub fn claims(mut self, claims: Map<String, Value>) -> Self {
        self.claims = claims;
        self
    }

    /// The proof that came with the request, for a session that is bound to a key.
    pub fn proof(mut self, proof: VerifiedProof) -> Self {
        self.proof = Some(proof);
        self
    }

    /// The address of the client, for which what is no token of this server counts as a failure:
    /// see [`FailureLimit`](crate::session::FailureLimit). Behind a proxy it is what that one says
    /// in `Forwarded` or `X-Forwarded-For`, if it is to be trusted.
    pub fn address(mut self, address: &str) -> Self {
        self.address = Some(FailureKey::address(address));
        self
    }
}

impl Auth {
    /// Whose refresh token this is: form, type and signature are checked. For apps that look up
    /// their own claims before [`Auth::refresh`]. Only of a token of the app that was here before
    /// the store is asked, because it alone knows.
    ///
    /// # Errors
    /// The `reject` errors; whether the token is still good only [`Auth::refresh`] tells. For an
    /// old token also [`Error::SessionUnknown`], [`Error::RefreshExpired`] and
    /// [`Error::StoreUnavailable`].
    pub async fn refresh_subject(&self, token: &str) -> Result<Subject> {
        Ok(self.0.engine.claimed(token).await?.claims.subject)
    }

    /// Exchanges a refresh token for a new access token and, with rotation, the next refresh
    /// token. Asking again within the grace gives the same refresh token again.
    ///
    /// # Errors
    /// - `sign_in`: [`Error::RefreshExpired`], [`Error::SessionUnknown`],
    ///   [`Error::SessionRevoked`], [`Error::RefreshReused`].
    /// - `retry`: [`Error::StoreUnavailable`], [`Error::RefreshSuperseded`],
    ///   [`Error::TooManyAttempts`]: keep the token.
    /// - `reject`: what is not a refresh token of this server; [`Error::SubjectMismatch`]; of a session
    ///   that is bound to a key [`Error::DpopProofMissing`], [`Error::DpopProofInvalid`] and
    ///   [`Error::DpopProofReplayed`], which change nothing.
    pub async fn refresh(&self, request: RefreshRequest<'_>) -> Result<Renewed> {
        let span = observe::operation_span!(INFO, "refresh");
        let start = Instant::now();
        let renewed = self.0.engine.renew_limited(request, &span).instrument(span.clone()).await;
        observe::refresh(&span, &renewed, start.elapsed());
        renewed
    }
}

impl Engine {
    async fn renew_limited(&self, request: RefreshRequest<'_>, span: &Span) -> Result<Renewed> {
        let _place = self.in_flight.enter(self.policy.max_in_flight.get())?;
        let mut attempt = Attempt::from(request.address);
        match self.renew(request, &mut attempt, span).await {
            Ok(renewed) => Ok(renewed),
            Err(error) => Err(self.after_failure(attempt, error).await),
        }
    }

    async fn renew(
        &self,
        request: RefreshRequest<'_>,
        attempt: &mut Attempt,
        span: &Span,
    ) -> Result<Renewed> {
        let claimed = self.claimed(request.token).await?;
        let presented = &claimed.claims;
        self.admit(attempt, presented)?;
        span.record("session", display(presented.session));
        self.check_bound(presented.key, request.proof.as_ref())?;
        if request.expected.is_some_and(|expected| expected != presented.subject) {
            return Err(Error::SubjectMismatch);
        }
        let mut grant = self.grant(
            presented.subject.clone(),
            presented.session,
            presented.family_position,
            presented.key,
            request.claims,
        )?;

        let claimed = self.settled(claimed).await?;
        let presented = &claimed.claims;
        let policy = self.policy.for_refresh(request.rotate);
        let answer = self
            .admin
            .store
            .refresh(&presented.subject, &presented.session, &presented.attempt(), &policy)
            .await?
            .ok_or_else(|| self.unknown(presented))?;
        if let Some(child) = answer.discarded {
            self.admin
                .deny_everywhere_best_effort([RevocationTarget::Child {
                    session: presented.session,
                    child,
                }])
                .await;
        }
        let grants =
            matches!(answer.decision, Decision::Rotate(_) | Decision::Replay(_) | Decision::Renew);
        if grants && self.admin.denied.is_revoked(&presented.session) {
            return Err(self.ended_again(presented).await);
        }
        match answer.decision {
            Decision::Rotate(minted) => {
                grant.family_position = Some(minted.family_position);
                let access = self.issue(&grant)?;
                self.rotated(presented, minted, access, Renewal::Issued)
            }
            Decision::Replay(minted) => {
                grant.family_position = Some(minted.family_position);
                let access = self.issue(&grant)?;
                self.rotated(presented, minted, access, Renewal::Reissued)
            }
            Decision::Renew => Ok(self.kept(presented, self.issue(&grant)?)),
            refusal => {
                self.refuse_old(&claimed, refusal).await;
                Err(self.refused(presented, refusal).await)
            }
        }
    }

    /// The store takes a session for live that is known to have been ended: it has lost the
    /// revocation, in a failover or a crash. So it is told again. The reason was lost as well.
    async fn ended_again(&self, presented: &RefreshClaims) -> Error {
        let RefreshClaims { subject, session, .. } = presented;
        let reason = RevocationReason::Administrative;
        tracing::warn!(target: "regrant::store", %session, "the store has lost a revocation: the session is ended again");
        match self.admin.store.revoke(subject, session, reason).await {
            Ok(_) => Error::SessionRevoked { reason },
            Err(error) => error,
        }
    }

    fn rotated(
        &self,
        presented: &RefreshClaims,
        minted: IssuedChild,
        access: IssuedAccess,
        renewal: Renewal,
    ) -> Result<Renewed> {
        let child = presented.child(&minted);
        let kind = match renewal {
            Renewal::Reissued => AuditKind::Reissued,
            Renewal::Issued | Renewal::Kept => AuditKind::Refreshed { rotated: true },
        };
        let refresh_token = child.sign(&self.refresh_keys())?;
        self.admin.auditor.emit(&presented.subject, presented.session, kind);
        Ok(Renewed {
            refresh_token: Some(refresh_token),
            refresh_expires_at: child.expires_at,
            ..renewed(presented, access, renewal)
        })
    }

    fn kept(&self, presented: &RefreshClaims, access: IssuedAccess) -> Renewed {
        self.admin.auditor.emit(
            &presented.subject,
            presented.session,
            AuditKind::Refreshed { rotated: false },
        );
        renewed(presented, access, Renewal::Kept)
    }

    /// Stores drop what has expired: a session that is gone with its token has expired.
    pub(super) fn unknown(&self, presented: &RefreshClaims) -> Error {
        if self.admin.clock.now() >= presented.expires_at {
            Error::RefreshExpired
        } else {
            Error::SessionUnknown
        }
    }

    async fn refused(&self, presented: &RefreshClaims, refusal: Decision) -> Error {
        let RefreshClaims { subject, session, .. } = presented;
        match refusal {
            Decision::Superseded => {
                self.admin.auditor.emit(subject, *session, AuditKind::Superseded)
            }
            Decision::Theft(how) => self.after_theft(subject, *session, how.as_str()).await,
            // Ended elsewhere, perhaps by another process: its access tokens end here too.
            Decision::Revoked(_) => {
                drop(self.admin.deny_locally(RevocationTarget::Session { session: *session }))
            }
            _ => {}
        }
        refusal_error(refusal)
    }
}

/// What a refused client is told.
pub(super) fn refusal_error(refusal: Decision) -> Error {
    match refusal {
        Decision::Superseded => Error::RefreshSuperseded,
        Decision::Theft(_) => Error::RefreshReused,
        Decision::Revoked(reason) => Error::SessionRevoked { reason },
        Decision::Expired => Error::RefreshExpired,
        Decision::Rotate(_) | Decision::Replay(_) | Decision::Renew => {
            Error::internal("a grant was taken for a refusal")
        }
    }
}

fn renewed(presented: &RefreshClaims, access: IssuedAccess, renewal: Renewal) -> Renewed {
    Renewed {
        access_token: access.token,
        access_expires_at: access.expires_at,
        refresh_token: None,
        refresh_expires_at: presented.expires_at,
        session: presented.session,
        subject: presented.subject.clone(),
        renewal,
    }
}

//! The check of an access token: in-process, synchronous, no I/O.

use super::Auth;
use crate::access::{VerifiedAccess, after_scheme, is_token68};
use crate::error::{Error, Result};
use crate::observe;
use crate::revocation::Denial;
use crate::session::AccessTokenUse;

impl Auth {
    /// Verifies an access token: form, algorithm, key, signature, type, claims, deny list.
    ///
    /// The first time that a session's token is seen in this process the store is told so in the
    /// background ([`record_use`](crate::session::record_use)).
    ///
    /// # Errors
    /// [`Error::TokenExpired`] (refresh and repeat), [`Error::AccessRevoked`] and the other
    /// `reject` errors.
    pub fn verify(&self, token: &str) -> Result<VerifiedAccess> {
        self.unless_revoked(self.0.verifying.now().verify(token)?)
    }

    /// Holds a verified token to the deny list, and reports a first sight of it.
    pub(super) fn unless_revoked(&self, access: VerifiedAccess) -> Result<VerifiedAccess> {
        let denial = self.0.engine.admin.denied.check(&access);
        if let (Some(session), Some(family_position)) = (access.session(), access.family_position())
        {
            match denial {
                None => self.0.use_reporter.report_use(&access, session, family_position),
                // Somebody uses the tokens of a child that was given up as lost: a second holder.
                Some(Denial::DiscardedChild) => {
                    let token_use = AccessTokenUse { family_position, denied: true };
                    self.0.use_reporter.report(access.subject(), session, token_use);
                }
                Some(_) => {}
            }
        }
        match denial {
            None => Ok(access),
            Some(by) => {
                observe::access_denied(by);
                Err(if by == Denial::Overflow { Error::TokenExpired } else { Error::AccessRevoked })
            }
        }
    }

    /// The public keys of access tokens as a JWK Set (RFC 7517 §5), for services that verify what
    /// this one issues. Secrets are not among them.
    pub fn jwks(&self) -> String {
        self.0.verifying.now().keyring().jwks()
    }

    /// How many places are numbered for verified access tokens that are kept; see
    /// [`VerifiedAccess::kept_as`](crate::access::VerifiedAccess::kept_as).
    pub fn kept_places(&self) -> usize {
        self.0.verifying.now().places()
    }

    /// Verifies the access token in the value of an `Authorization` header (RFC 6750 §2.1).
    ///
    /// # Errors
    /// [`Error::TokenMissing`] without a header, else as [`Auth::verify`].
    pub fn verify_bearer(&self, header: Option<&str>) -> Result<VerifiedAccess> {
        let token = after_scheme(header.ok_or(Error::TokenMissing)?)?;
        // What passes is a `token68`, so that is asked of what does not pass only.
        self.verify(token).map_err(|error| match is_token68(token) {
            true => error,
            false => Error::TokenMalformed,
        })
    }
}

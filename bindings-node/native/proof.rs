//! The proof of a key that comes with a request (DPoP, RFC 9449).

use napi_derive::napi;
use regrant::dpop::VerifiedProof;
use regrant::{Auth, Result};

/// A proof as it was presented, and the request that it must be for.
#[napi(object, object_to_js = false)]
pub struct PresentedProof {
    /// The value of the header `DPoP`.
    pub proof: String,
    /// The method of the request.
    pub method: String,
    /// Its path; a query may follow.
    pub path: String,
}

impl PresentedProof {
    /// The proof, checked and not used up.
    pub fn check(&self, auth: &Auth) -> Result<VerifiedProof> {
        auth.check_proof(&self.proof, &self.method, &self.path)
    }
}

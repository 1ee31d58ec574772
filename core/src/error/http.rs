//! How an error looks over HTTP: the status and the challenge of RFC 6750 §3.

use super::{Error, ErrorCode};

impl ErrorCode {
    /// The value of `WWW-Authenticate` for a 401 on a protected resource, `None` for other
    /// statuses.
    ///
    /// A request without a token gets the bare scheme (RFC 6750 §3.1: no error information);
    /// every other refusal of it is `invalid_token`; one of a proof has the scheme `DPoP`
    /// (RFC 9449 §7.1).
    pub fn www_authenticate(self) -> Option<String> {
        match self {
            Self::TokenMissing => Some("Bearer".to_owned()),
            // RFC 9449 §7.1 and §9.
            Self::DpopNonceRequired => Some(self.dpop_challenge("use_dpop_nonce")),
            Self::DpopProofMissing | Self::DpopProofInvalid | Self::DpopProofReplayed => {
                Some(self.dpop_challenge("invalid_dpop_proof"))
            }
            code if code.http_status() == 401 => Some(format!(
                "Bearer error=\"invalid_token\", error_description=\"{}\"",
                code.message(super::Language::En)
            )),
            _ => None,
        }
    }

    fn dpop_challenge(self, error: &str) -> String {
        let text = self.message(super::Language::En);
        format!("DPoP error=\"{error}\", error_description=\"{text}\"")
    }
}

impl Error {
    /// The HTTP status that a server answers with.
    pub fn http_status(&self) -> u16 {
        self.code().http_status()
    }

    /// See [`ErrorCode::www_authenticate`].
    pub fn www_authenticate(&self) -> Option<String> {
        self.code().www_authenticate()
    }
}

//! What a request to the app's server carries.

use regrant::client;
use regrant::client::Response;

use super::{HttpHeader, HttpResponse};

/// What one request to the app's server carries, so that it is let in.
#[derive(uniffi::Object)]
pub struct Authorization(pub(super) client::Authorization);

#[uniffi::export]
impl Authorization {
    /// The headers, with names in lower case: `authorization`, as `Bearer` or `DPoP`, and with the
    /// latter `dpop`. They are as secret as the token, and for this request alone.
    pub fn headers(&self) -> Vec<HttpHeader> {
        let headers = self.0.headers().into_iter();
        headers.map(|(name, value)| HttpHeader { name: name.to_owned(), value }).collect()
    }

    /// Whether an answer of this status is to be shown to `authorizationForRetry`: one that the
    /// request may be repeated for, or that may have a nonce for the next.
    pub fn heeds(&self, status: u16) -> bool {
        self.0.heeds(status)
    }

    /// The access token.
    pub fn access_token(&self) -> String {
        super::text(self.0.token())
    }
}

impl From<HttpResponse> for Response {
    fn from(response: HttpResponse) -> Self {
        let headers = response.headers.into_iter().map(|header| (header.name, header.value));
        Self { status: response.status, headers: headers.collect(), body: response.body }
    }
}

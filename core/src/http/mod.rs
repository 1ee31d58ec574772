//! The rules of HTTP on the server, without a framework and without I/O of their own.
//!
//! A framework's request becomes a [`RequestHead`] and a [`WebPolicy`] decides: which
//! access token of the request is accepted ([`WebPolicy::access_credentials`]), and how the endpoints
//! respond ([`Endpoints`]). The result is an [`EndpointResponse`], plain data that the framework
//! sends.

mod cookies;
mod credentials;
mod endpoints;
mod guard;
mod oauth;
mod origin;
mod policy;
mod presented;
mod request;
mod response;
mod stray_cookies;
#[cfg(feature = "axum")]
pub mod tower;

pub use cookies::{CookiePolicy, SameSite, SecureCookie};
pub use credentials::{AccessCredentials, choose_access_token};
pub use endpoints::{Endpoints, IssuedTokens, JwksCaching, RefreshInput, SessionSelector};
pub use guard::{Guard, Requirement};
pub use origin::Origin;
pub use policy::{DEFAULT_ACCESS_COOKIE, DEFAULT_REFRESH_COOKIE, WebPolicy};
pub use presented::{PresentedRefresh, RequestBody};
pub use request::RequestHead;
pub use response::{EndpointResponse, Rejection};

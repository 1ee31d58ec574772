//! The rules of HTTP, without a framework and without I/O of their own.
//!
//! On the server, a framework's request becomes a [`RequestHead`] and a [`WebPolicy`] decides: which
//! credentials of the request count ([`WebPolicy::access_credentials`]), and how the endpoints
//! respond ([`Endpoints`]). The result is an [`EndpointResponse`], plain data that the framework
//! sends.
//!
//! For clients and key sets, [`HttpRequest`] and [`HttpResponse`] are what a [`Transport`] sends and
//! receives.

#[cfg(feature = "server")]
mod cookies;
#[cfg(feature = "server")]
mod endpoints;
#[cfg(feature = "server")]
mod guard;
mod message;
#[cfg(feature = "server")]
mod origin;
#[cfg(feature = "server")]
mod policy;
#[cfg(feature = "server")]
mod request;
#[cfg(feature = "server")]
mod response;
#[cfg(feature = "axum")]
pub mod tower;

#[cfg(feature = "server")]
pub use cookies::{CookiePolicy, SameSite, SecureCookie};
#[cfg(feature = "server")]
pub use endpoints::{Endpoints, JwksCaching, PresentedRefresh, RefreshInput, SessionSelector};
#[cfg(feature = "server")]
pub use guard::{AccessCredentials, Guard, Permission};
#[cfg(feature = "client")]
pub use message::Transport;
pub use message::{HttpRequest, HttpResponse};
#[cfg(feature = "server")]
pub use origin::Origin;
#[cfg(feature = "server")]
pub use policy::WebPolicy;
#[cfg(feature = "server")]
pub use request::RequestHead;
#[cfg(feature = "server")]
pub use response::{EndpointResponse, Rejection};

//! The way to the server.

use std::fmt;

use async_trait::async_trait;

use crate::client::http::{Request, Response};
use crate::error::Cause;

/// Sends requests. It does nothing else: no redirects, no repetition, no cookies.
#[async_trait]
pub trait Transport: Send + Sync + fmt::Debug {
    /// Sends `request` and gives the whole answer, whatever its status. When this future is
    /// dropped, because it takes too long, the request should be given up.
    ///
    /// # Errors
    /// When no answer came. Its text is not shown to users and must hold no header and no body.
    async fn send(&self, request: Request) -> Result<Response, Cause>;
}

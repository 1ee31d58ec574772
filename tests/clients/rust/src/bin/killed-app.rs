//! `killed-app REFRESH_URL FILE MOMENT`: an app that kills itself during a refresh.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a part of a test")]

use std::sync::Arc;

use regrant::client::{RefreshEndpoint, ReqwestTransport, Session};
use regrant_clients::{FatalStorage, FatalTransport, Moment};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().expect("three arguments");
    let (url, path, moment) = (next(), next().into(), Moment::named(&next()).expect("a moment"));
    let inner = ReqwestTransport::new().unwrap();
    let session = Session::builder(RefreshEndpoint::json(url))
        .transport(Arc::new(FatalTransport { inner, moment }))
        .storage(Arc::new(FatalStorage { path, moment }))
        .start()
        .unwrap();
    let token = session.access_token().await.unwrap();
    // The access token is still valid, so force a refresh.
    session.renew(token).await.unwrap();
}

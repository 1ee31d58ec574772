//! `client::Session` against a real HTTP server, over loopback.

mod attempts;
mod bound;
mod calls;
mod ends;
mod requests;
mod server;
mod shapes;
mod storage;

use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use regrant::client::{FileStorage, ReqwestTransport, Session, SessionBuilder, SessionSettings};
use regrant::types::{Clock, ManualClock};

use server::Server;

/// The time-outs of the storage.
const PATIENCE: Duration = Duration::from_secs(60);

/// A session over the file `session` in `folder`, on a device with `clock`.
fn builder(server: &Server, folder: &Path, clock: &Arc<ManualClock>) -> SessionBuilder {
    let mut settings = SessionSettings::default();
    settings.initial_backoff = Duration::from_millis(10);
    // The tests control only wall clocks, so cooldowns must not delay errors.
    settings.renew_cooldown = Duration::ZERO;
    // A disk that is busy with other things takes seconds to write a small file durably.
    settings.persist_timeout = PATIENCE;
    Session::builder(server.endpoint())
        .transport(Arc::new(ReqwestTransport::new().unwrap()))
        .storage(Arc::new(FileStorage::new(folder.join("session"))))
        .clock(Arc::clone(clock) as Arc<dyn Clock>)
        .settings(settings)
        .storage_timeout(PATIENCE)
}

/// Signs in on a device whose clock is the server's.
async fn signed_in(server: &Server, folder: &Path) -> Session {
    let session = builder(server, folder, &server.clock).start().unwrap();
    session.sign_in(server.login().await).await.unwrap();
    session
}

/// The status of a request with the session's token.
async fn call(session: &Session, http: &reqwest::Client, url: &str) -> u16 {
    session.execute(http, http.get(url).build().unwrap()).await.unwrap().status().as_u16()
}

async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let started = Instant::now();
    while !holds().await {
        assert!(started.elapsed() < PATIENCE, "never: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

//! An app: a session over a file, and calls with its tokens.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use regrant::client::{
    CallError, FileStorage, ReqwestTransport, Session, SessionBuilder, SessionError,
    SessionSettings, SignOutReason,
};
use regrant::dpop::ProofKey;
use regrant::types::{AccessToken, Clock, SystemClock, Timestamp};

use crate::testbed::FaultProxy;

/// A process of an app. Clones share everything.
#[derive(Clone, Debug)]
pub struct App {
    /// The session under test.
    pub session: Session,
    http: reqwest::Client,
    me: String,
}

/// A clock that is wrong.
#[derive(Debug)]
struct Wrong {
    by: Duration,
    is_ahead: bool,
}

impl Clock for Wrong {
    fn now(&self) -> Timestamp {
        let now = SystemClock.now();
        if self.is_ahead { now.plus(self.by) } else { now.minus(self.by) }
    }
}

impl App {
    /// Starts the app with the file `session` in `folder`.
    #[must_use]
    pub fn start(proxy: &FaultProxy, folder: &Path) -> Self {
        Self::of(builder(proxy, folder), proxy)
    }

    /// The same on a device whose clock is wrong.
    #[must_use]
    pub fn start_at_wrong_time(
        proxy: &FaultProxy,
        folder: &Path,
        by: Duration,
        is_ahead: bool,
    ) -> Self {
        Self::of(builder(proxy, folder).clock(Arc::new(Wrong { by, is_ahead })), proxy)
    }

    /// The same with a key that the tokens are bound to.
    #[must_use]
    pub fn start_bound(
        proxy: &FaultProxy,
        folder: &Path,
        key: Arc<dyn ProofKey>,
        off: Option<(Duration, bool)>,
    ) -> Self {
        let mut builder = builder(proxy, folder).proof_key(key);
        if let Some((by, is_ahead)) = off {
            builder = builder.clock(Arc::new(Wrong { by, is_ahead }));
        }
        Self::of(builder, proxy)
    }

    fn of(builder: SessionBuilder, proxy: &FaultProxy) -> Self {
        let (http, me) = (reqwest::Client::new(), format!("{}/api/me", proxy.url));
        Self { session: builder.start().unwrap(), http, me }
    }

    /// A call as an app makes it: the status of the answer.
    ///
    /// # Errors
    /// As [`Session::access_token`].
    pub async fn call(&self) -> Result<u16, SessionError> {
        let request = self.http.get(&self.me).build().expect("a request");
        match self.session.execute(&self.http, request).await {
            Ok(answer) => Ok(answer.status().as_u16()),
            Err(CallError::Session(error)) => Err(error),
            Err(CallError::Http(error)) => panic!("no answer: {error}"),
        }
    }

    /// Makes this many concurrent calls, which must all succeed.
    pub async fn calls_at_once(&self, count: usize) {
        let calls: Vec<_> = (0..count)
            .map(|_| {
                let app = self.clone();
                tokio::spawn(async move { app.call().await })
            })
            .collect();
        for call in calls {
            assert_eq!(call.await.unwrap(), Ok(200));
        }
    }

    /// A call, repeated while the error's advice is to retry; returns the number of attempts.
    ///
    /// # Errors
    /// The reason why the user must sign in.
    pub async fn call_until_answered(&self) -> Result<(u16, u32), SignOutReason> {
        for again in 0.. {
            match self.call().await {
                Ok(status) => return Ok((status, again)),
                Err(SessionError::SignIn(reason)) => return Err(reason),
                Err(SessionError::Retry { retry_after, .. }) => {
                    tokio::time::sleep(retry_after.max(Duration::from_millis(10))).await;
                }
            }
        }
        unreachable!("the loop ends with an answer")
    }

    /// Gets a new access token, even if the current one is still valid.
    ///
    /// # Errors
    /// As [`Session::renew`].
    pub async fn renew(&self) -> Result<AccessToken, SessionError> {
        let token = self.session.access_token().await?;
        self.session.renew(token).await
    }
}

/// The session builder of the tested apps.
pub(crate) fn builder(proxy: &FaultProxy, folder: &Path) -> SessionBuilder {
    let mut settings = SessionSettings::default();
    // Tokens live for seconds here: renew them shortly before they expire, and limit the backoff
    // accordingly.
    settings.min_ttl = Duration::from_millis(100);
    settings.initial_backoff = Duration::from_millis(50);
    settings.max_backoff = Duration::from_secs(1);
    // A disk that is busy with other things takes seconds to write a small file durably.
    let patience = Duration::from_secs(60);
    settings.persist_timeout = patience;
    Session::builder(proxy.endpoint())
        .transport(Arc::new(ReqwestTransport::new().unwrap()))
        .storage(Arc::new(FileStorage::new(folder.join("session"))))
        .settings(settings)
        .storage_timeout(patience)
}

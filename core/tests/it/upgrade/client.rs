//! The data that an app has stored: its token pair and its DPoP key.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use regrant::client::{FileStorage, RefreshEndpoint, Session, SessionSettings};
use regrant::dpop::{PresentedProof, SoftwareKey};
use regrant::error::Cause;
use regrant::transport::{HttpRequest, HttpResponse, Transport};
use regrant::types::Clock;
use regrant::{Auth, RefreshRequest};
use serde_json::{Value, json};

use super::fixture;
use super::stores::Written;

/// A server without HTTP.
#[derive(Debug)]
struct Server {
    auth: Auth,
    refreshes: AtomicU32,
}

#[async_trait]
impl Transport for Server {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, Cause> {
        self.refreshes.fetch_add(1, Ordering::SeqCst);
        let body: Value = serde_json::from_slice(&request.body)?;
        let mut refresh = RefreshRequest::new(body["refreshToken"].as_str().unwrap());
        if let Some((_, proof)) = request.headers.iter().find(|(name, _)| name == "dpop") {
            refresh = refresh.proof(PresentedProof::new(proof, "POST", "/auth/refresh"));
        }
        let renewed = self.auth.refresh(refresh).await?;
        let body = json!({
            "accessToken": renewed.access_token,
            "refreshToken": renewed.refresh_token,
            "expiresIn": 900,
        });
        Ok(HttpResponse { status: 200, headers: Vec::new(), body: body.to_string().into_bytes() })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_app_stays_signed_in() {
    let written = Written::file();
    for name in ["login", "refreshed", "bound"] {
        let (copy, folder) = (written.copy(), tempfile::tempdir().unwrap());
        for file in [name, "bound-key"] {
            std::fs::copy(fixture("client").join(file), folder.path().join(file)).unwrap();
        }
        let auth = copy.auth("main");
        let server = Arc::new(Server { auth: auth.clone(), refreshes: AtomicU32::new(0) });
        let mut settings = SessionSettings::default();
        settings.seed = 1;
        // A disk that is busy with other things takes seconds to write a small file durably.
        settings.persist_timeout = Duration::from_secs(60);
        let mut builder =
            Session::builder(RefreshEndpoint::json("https://api.example/auth/refresh"))
                .transport(Arc::clone(&server) as Arc<dyn Transport>)
                .storage(Arc::new(FileStorage::new(folder.path().join(name))))
                .clock(Arc::clone(&copy.clock) as Arc<dyn Clock>)
                .settings(settings)
                .storage_timeout(Duration::from_secs(60));
        let bound = name == "bound";
        if bound {
            let keys = FileStorage::new(folder.path().join("bound-key"));
            builder =
                builder.proof_key(Arc::new(SoftwareKey::load_or_create(&keys).await.unwrap()));
        }
        let session = builder.start().unwrap();
        let stored: Value =
            serde_json::from_slice(&std::fs::read(folder.path().join(name)).unwrap()).unwrap();
        let first = session.access_token().await.unwrap();
        // Only the first app's access token has expired meanwhile.
        let expired = u32::from(name == "login");
        assert_eq!(server.refreshes.load(Ordering::SeqCst), expired, "{name}");
        let is_stored = stored["accessToken"] == first.expose();
        assert_eq!(is_stored, expired == 0, "{name}");
        for round in 1..=3 {
            copy.clock.advance(Duration::from_secs(16 * 60));
            let access = session.access_token().await.unwrap();
            assert_eq!(server.refreshes.load(Ordering::SeqCst), expired + round, "{name}");
            match auth.verify(access.expose()) {
                Ok(access) => {
                    assert!(!bound && access.subject().as_str() == format!("client-{name}"))
                }
                Err(error) => assert!(bound && error.code().as_str() == "ERR_DPOP_PROOF_MISSING"),
            }
        }
    }
}

//! The retry rule, `tests/vectors/client/attempts.json`: the headers of a request, and whether it is
//! sent again and with which. The npm package's client for web pages does the same in all rows.
//! `REGRANT_UPDATE_VECTORS=1` rewrites the file.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use regrant::client::{Attempt, MemoryStorage, RefreshEndpoint, Session};
use regrant::error::Cause;
use regrant::transport::{HttpRequest, HttpResponse, Transport};
use serde_json::{Value, json};

use super::shapes::signed_in;
use crate::support::check_rows;

const URL: &str = "https://api.example/notes?page=2";

/// A refresh endpoint that grants `a2` and `r2`, and counts.
#[derive(Debug, Default)]
struct Granting(AtomicU32);

#[async_trait]
impl Transport for Granting {
    async fn send(&self, _: HttpRequest) -> Result<HttpResponse, Cause> {
        self.0.fetch_add(1, Ordering::Relaxed);
        let body = br#"{"accessToken":"a2","refreshToken":"r2"}"#.to_vec();
        Ok(HttpResponse { status: 200, headers: Vec::new(), body })
    }
}

/// What happens to a request if every response has this status and comes from the URL `from`.
async fn row(shape: &str, method: &str, url: &str, status: u16, from: Option<&str>) -> Value {
    let endpoint = match shape {
        "bearer" => RefreshEndpoint::json("https://api.example/auth/refresh"),
        _ => RefreshEndpoint::rt_verify("https://api.example/api/users/rtVerify"),
    };
    let server = Arc::new(Granting::default());
    let transport = Arc::clone(&server) as Arc<dyn Transport>;
    let builder = Session::builder(endpoint).transport(transport);
    let session = signed_in(builder.storage(Arc::new(MemoryStorage::default()))).await;
    let response = HttpResponse { status, headers: Vec::new(), body: Vec::new() };
    let headers = |attempt: &Attempt| attempt.headers().into_iter().collect::<BTreeMap<_, _>>();
    let mut attempt = session.attempt(method, url).await.unwrap();
    let mut sent = vec![headers(&attempt)];
    while let Some(next) = session.next_attempt(&attempt, &response, from).await.unwrap() {
        sent.push(headers(&next));
        attempt = next;
    }
    let refreshes = server.0.load(Ordering::Relaxed);
    json!([shape, method, url, status, from, { "sent": sent, "refreshes": refreshes }])
}

#[tokio::test]
async fn requests_are_sent_and_retried_as_the_table_says() {
    let mut rows = Vec::new();
    for shape in ["bearer", "rtVerify"] {
        for status in [200, 204, 400, 401, 403, 404, 409, 419, 429, 500, 503] {
            for method in ["GET", "POST"] {
                rows.push(row(shape, method, URL, status, None).await);
            }
        }
        for (url, from) in [
            (URL, URL),
            (URL, "HTTPS://API.example/notes?page=2#top"),
            (URL, "https://api.example/notes?page=3"),
            (URL, "https://api.example/moved"),
            (URL, "https://api.example/"),
            (URL, "https://other.example/notes?page=2"),
            (URL, "https://api.example.other.example/notes?page=2"),
            (URL, "https://api.example:8443/notes?page=2"),
            (URL, "http://api.example/notes?page=2"),
            ("https://api.example/notes#top", "https://api.example/notes"),
            ("https://api.example", "https://api.example/"),
            ("https://api.example", "https://api.example/notes"),
        ] {
            for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] {
                rows.push(row(shape, method, url, 401, Some(from)).await);
            }
        }
    }
    check_rows("client/attempts.json", &rows);
}

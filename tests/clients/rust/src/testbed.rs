//! The control of the testbed.

use std::time::{Duration, Instant};

use regrant::client::{RefreshEndpoint, Session, TokenPair};
use regrant::transport::HttpResponse;
use reqwest::{Client, Method};
use serde_json::{Value, json};

/// The variable with the URL of the control.
const TESTBED: &str = "REGRANT_E2E";

/// A fault-injecting proxy to the example.
#[derive(Debug)]
pub struct FaultProxy {
    control: String,
    http: Client,
    /// The URL for the client.
    pub url: String,
    /// The lifetime of an access token.
    pub access_ttl: Duration,
    /// The grace period of the server.
    pub grace: Duration,
}

/// The counts of a proxy.
#[derive(Debug)]
pub struct Counts(Value);

impl Counts {
    /// One of the counts of refreshes: `arrived`, `presented`, `granted`, `lost`, `held`.
    #[must_use]
    pub fn refreshes(&self, what: &str) -> u64 {
        self.0["refreshes"][what].as_u64().unwrap_or_else(|| panic!("{what}: {self:?}"))
    }

    /// How many refreshes were rejected with this code.
    #[must_use]
    pub fn refused(&self, code: &str) -> u64 {
        self.0["refreshes"]["refused"][code].as_u64().unwrap_or_default()
    }

    /// How many refreshes were granted, or put off (`ERR_REFRESH_SUPERSEDED`): a child whose answer was lost may be on
    /// its way still.
    #[must_use]
    pub fn granted_or_put_off(&self) -> u64 {
        self.refreshes("granted") + self.refused("ERR_REFRESH_SUPERSEDED")
    }

    /// How many calls were answered with this status.
    #[must_use]
    pub fn calls(&self, status: u16) -> u64 {
        self.0["calls"][status.to_string()].as_u64().unwrap_or_default()
    }
}

impl FaultProxy {
    /// Opens a proxy.
    pub async fn open() -> Self {
        let testbed = std::env::var(TESTBED)
            .unwrap_or_else(|_| panic!("{TESTBED} must be the URL of the testbed"));
        let http = Client::new();
        let opened = ask(&http, Method::POST, &format!("{testbed}/proxies"), None).await;
        let seconds = |name: &str| Duration::from_secs_f64(opened[name].as_f64().unwrap());
        Self {
            control: format!("{testbed}/proxies/{}", opened["id"].as_str().unwrap()),
            http,
            url: opened["url"].as_str().unwrap().to_owned(),
            access_ttl: seconds("accessTtl"),
            grace: seconds("grace"),
        }
    }

    /// Replaces all faults.
    pub async fn faults(&self, faults: Value) {
        self.control(Method::PUT, "faults", Some(faults)).await;
    }

    /// The counts so far.
    pub async fn counts(&self) -> Counts {
        Counts(self.control(Method::GET, "counts", None).await)
    }

    /// Commits a theft: see the README of the testbed.
    pub async fn theft(&self, how: &str) {
        self.control(Method::POST, how, None).await;
    }

    /// Attempts a theft that must fail; returns the error.
    pub async fn failed_theft(&self, how: &str) -> String {
        let answer = self.http.post(format!("{}/{how}", self.control)).send().await.unwrap();
        assert_eq!(answer.status(), 400, "the theft succeeded");
        answer.text().await.unwrap()
    }

    /// Waits until `count` responses to refreshes are held.
    pub async fn until_held(&self, count: u64) {
        let asked = Instant::now();
        while self.counts().await.refreshes("held") != count {
            assert!(asked.elapsed() < Duration::from_secs(60), "no refresh arrived");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Signs up a new user through the proxy.
    pub async fn sign_up(&self, name: &str) -> TokenPair {
        let (url, body) = self.sign_up_request(name);
        let answer = ask(&self.http, Method::POST, &url, Some(body)).await;
        RefreshEndpoint::read_login(answer.to_string().as_bytes()).expect("tokens")
    }

    /// As above, with tokens bound to the key of `session`. Returns how many proofs were rejected.
    pub async fn sign_up_bound(&self, name: &str, session: &Session) -> usize {
        let (url, body) = self.sign_up_request(name);
        for refused in 0..2 {
            let proof = session.proof("POST", &url).await.unwrap().expect("a key");
            let request = self.http.post(&url).header("dpop", proof);
            let request = request.header("content-type", "application/json");
            let answer = request.body(body.to_string()).send().await.unwrap();
            let answer = answer_of(answer).await;
            if session.observe_response(&url, &answer) {
                continue;
            }
            let pair = RefreshEndpoint::read_login(&answer.body).expect("tokens");
            session.sign_in(pair).await.unwrap();
            return refused;
        }
        panic!("the second proof was rejected too");
    }

    fn sign_up_request(&self, name: &str) -> (String, Value) {
        let port = self.url.rsplit(':').next().unwrap();
        let email = format!("{name}-{port}@example.org");
        let body = json!({ "email": email, "password": "correct horse battery" });
        (format!("{}/mobile/signup", self.url), body)
    }

    /// The refresh endpoint.
    pub fn endpoint(&self) -> RefreshEndpoint {
        RefreshEndpoint::json(format!("{}/mobile/refresh", self.url))
    }

    /// Waits, in real time, until every current access token has expired.
    pub async fn until_expired(&self) {
        tokio::time::sleep(self.access_ttl).await;
    }

    async fn control(&self, method: Method, what: &str, body: Option<Value>) -> Value {
        ask(&self.http, method, &format!("{}/{what}", self.control), body).await
    }
}

/// Panics unless the status is a success.
async fn ask(http: &Client, method: Method, url: &str, body: Option<Value>) -> Value {
    let mut request = http.request(method, url).header("content-type", "application/json");
    if let Some(body) = body {
        request = request.body(body.to_string());
    }
    let answer = request.send().await.unwrap();
    let (status, text) = (answer.status(), answer.text().await.unwrap());
    assert!(status.is_success(), "{url}: {status} {text}");
    if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() }
}

/// Converts a response for a session.
async fn answer_of(answer: reqwest::Response) -> HttpResponse {
    let headers = answer.headers().iter();
    let headers = headers
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    let status = answer.status().as_u16();
    HttpResponse { status, headers, body: answer.bytes().await.unwrap().to_vec() }
}

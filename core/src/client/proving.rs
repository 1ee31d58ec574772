//! What is known of the servers that ask for proofs of the app's key (DPoP, RFC 9449), and what
//! their answers teach.

use super::http::Response;
use super::now::{Now, ServerClock};
use crate::types::Timestamp;

/// So many servers an app has at most; of more the longest known is forgotten.
const MOST_SERVERS: usize = 16;
/// The longest nonce that is repeated to a server.
const LONGEST_NONCE: usize = 1024;

/// The nonces that servers gave, and the time by their clocks: a proof needs both, and the device's
/// own clock may be wrong.
#[derive(Debug, Default)]
pub(super) struct Proving {
    /// As the tokens tell it.
    clock: Option<ServerClock>,
    /// The latest last.
    servers: Vec<Server>,
}

/// What is known of one server (RFC 9449 §8).
#[derive(Debug)]
struct Server {
    origin: String,
    nonce: Option<String>,
    /// As it told it when it refused a proof.
    clock: Option<ServerClock>,
}

impl Proving {
    /// The present by the clock of the server at `url`, as far as it is known.
    pub(super) fn server_time(&self, url: &str, now: Now) -> Timestamp {
        let own = self.server(url).and_then(|server| server.clock);
        own.or(self.clock).map_or(now.wall, |clock| clock.now(now))
    }

    /// The nonce for a proof to `url`.
    pub(super) fn nonce_for(&self, url: &str) -> Option<&str> {
        self.server(url)?.nonce.as_deref()
    }

    /// The clock of the server, as a token tells it that has just been granted.
    pub(super) fn set_clock(&mut self, clock: ServerClock) {
        self.clock = Some(clock);
        for server in &mut self.servers {
            server.clock = None;
        }
    }

    /// The same as an older token told it: better than nothing.
    pub(super) fn remember_clock(&mut self, clock: ServerClock) {
        self.clock.get_or_insert(clock);
    }

    /// Takes note of what an answer from `url` says. Whether it refused the proof that came with
    /// its request: another one, made with what was learnt, may do.
    pub(super) fn learn(&mut self, url: &str, answer: &Response, now: Now) -> bool {
        let nonce = answer.header("dpop-nonce").filter(|nonce| is_nonce(nonce));
        let is_refused = refuses_proof(answer);
        let date = answer.date().filter(|_| is_refused);
        if nonce.is_some() || date.is_some() {
            let server = self.server_mut(origin_of(url));
            server.nonce = nonce.map(str::to_owned).or(server.nonce.take());
            server.clock = date.map(|date| ServerClock::learnt(date, now)).or(server.clock);
        }
        is_refused
    }

    fn server(&self, url: &str) -> Option<&Server> {
        let origin = origin_of(url);
        self.servers.iter().find(|server| server.origin.eq_ignore_ascii_case(origin))
    }

    fn server_mut(&mut self, origin: &str) -> &mut Server {
        let place = self.servers.iter().position(|one| one.origin.eq_ignore_ascii_case(origin));
        let server = place.map_or_else(
            || Server { origin: origin.to_owned(), nonce: None, clock: None },
            |place| self.servers.remove(place),
        );
        if self.servers.len() >= MOST_SERVERS {
            self.servers.remove(0);
        }
        self.servers.push(server);
        let last = self.servers.len() - 1;
        &mut self.servers[last]
    }
}

/// Whether an answer refuses the proof of its request (RFC 9449 §7.1, §8 and §9): by its challenge,
/// or in the body of a token endpoint's answer.
fn refuses_proof(answer: &Response) -> bool {
    if !matches!(answer.status, 400 | 401) {
        return false;
    }
    let is_error = |text: &str| matches!(text, "use_dpop_nonce" | "invalid_dpop_proof");
    let challenges =
        answer.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("www-authenticate"));
    let mut quoted = challenges.flat_map(|(_, challenge)| challenge.split('"'));
    if quoted.any(is_error) {
        return true;
    }
    let body: Option<serde_json::Value> = serde_json::from_slice(&answer.body).ok();
    body.is_some_and(|body| {
        body.get("error").and_then(|error| error.as_str()).is_some_and(is_error)
    })
}

/// RFC 9449 §8.1.
fn is_nonce(nonce: &str) -> bool {
    let is_character = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    !nonce.is_empty() && nonce.len() <= LONGEST_NONCE && nonce.bytes().all(is_character)
}

/// Scheme, host and port of an address.
fn origin_of(url: &str) -> &str {
    let host = url.find("://").map_or(0, |at| at + 3);
    let end = url.get(host..).and_then(|rest| rest.find(['/', '?', '#']));
    end.and_then(|end| url.get(..host + end)).unwrap_or(url)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const URL: &str = "https://api.example/auth/refresh";
    const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

    fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Response {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Response { status, headers: headers.iter().map(owned).collect(), body: body.into() }
    }

    fn now() -> Now {
        Now { monotonic: Duration::ZERO, wall: Timestamp::from_seconds(50) }
    }

    #[test]
    fn repeats_the_nonce_to_whoever_gave_it() {
        let mut proving = Proving::default();
        let give = |nonce| answer(200, &[("DPoP-Nonce", nonce)], "");
        assert!(!proving.learn(URL, &give("a"), now()));
        assert!(!proving.learn("https://other.example", &give("b"), now()));
        assert_eq!(proving.nonce_for("HTTPS://API.example/me?x"), Some("a"));
        assert_eq!(proving.nonce_for("https://other.example/"), Some("b"));
        assert_eq!(proving.nonce_for("https://api.example:8443/me"), None);
        proving.learn(URL, &give("c"), now());
        assert_eq!(proving.nonce_for(URL), Some("c"));
        let long = "a".repeat(LONGEST_NONCE + 1);
        for bad in ["", "a b", "a\"b", "ä", &long] {
            proving.learn(URL, &give(bad), now());
            assert_eq!(proving.nonce_for(URL), Some("c"), "{bad}");
        }
        for server in 0..MOST_SERVERS {
            proving.learn(&format!("https://{server}.example/"), &give("n"), now());
        }
        assert_eq!((proving.nonce_for(URL), proving.servers.len()), (None, MOST_SERVERS));
    }

    #[test]
    fn knows_when_another_proof_may_do() {
        for (refused, status, headers, body) in [
            (true, 401, &[("WWW-Authenticate", r#"DPoP error="use_dpop_nonce""#)][..], ""),
            (
                true,
                401,
                &[("www-authenticate", r#"DPoP algs="ES256", error="invalid_dpop_proof", x="y""#)],
                "",
            ),
            (
                true,
                401,
                &[
                    ("www-authenticate", "Bearer"),
                    ("www-authenticate", r#"DPoP error="use_dpop_nonce""#),
                ],
                "",
            ),
            (true, 400, &[], r#"{"error":"use_dpop_nonce"}"#),
            (false, 401, &[("WWW-Authenticate", r#"DPoP error="invalid_token""#)], ""),
            (false, 403, &[("WWW-Authenticate", r#"DPoP error="use_dpop_nonce""#)], ""),
            (false, 400, &[], r#"{"error":{"code":"ERR_TOKEN_MISSING"}}"#),
            (false, 401, &[], "use_dpop_nonce"),
        ] {
            let answer = answer(status, headers, body);
            assert_eq!(
                Proving::default().learn(URL, &answer, now()),
                refused,
                "{headers:?} {body}"
            );
        }
    }

    #[test]
    fn learns_the_time_from_a_refusal_and_from_nothing_else() {
        let mut proving = Proving::default();
        assert_eq!(proving.server_time(URL, now()), now().wall);
        proving.learn(URL, &answer(200, &[("Date", DATE)], ""), now());
        assert_eq!(proving.server_time(URL, now()), now().wall);
        let refusal = [("Date", DATE), ("WWW-Authenticate", r#"DPoP error="invalid_dpop_proof""#)];
        proving.learn(URL, &answer(401, &refusal, ""), now());
        assert_eq!(proving.server_time(URL, now()), Timestamp::from_seconds(784_111_777));
        // Of this server alone.
        assert_eq!(proving.server_time("https://other.example/", now()), now().wall);
        let told = |seconds| ServerClock::learnt(Timestamp::from_seconds(seconds), now());
        proving.set_clock(told(100));
        assert_eq!(proving.server_time(URL, now()), Timestamp::from_seconds(100));
        proving.remember_clock(told(7));
        assert_eq!(proving.server_time(URL, now()), Timestamp::from_seconds(100));
    }
}

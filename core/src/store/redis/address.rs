//! Addresses of Redis: `redis://`, `redis+sentinel://`, `redis+cluster://`, each also with `rediss`.

use std::fmt;
use std::net::Ipv6Addr;
use std::sync::Arc;

use percent_encoding::percent_decode_str;

use crate::error::{Error, Result};
use crate::store::RedisCredentials;
use crate::types::SecretBytes;

const REDIS_PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26379;

/// The host and port of a server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Node(Arc<(String, u16)>);

impl Node {
    pub(super) fn new(host: impl Into<String>, port: u16) -> Self {
        Self(Arc::new((host.into(), port)))
    }

    /// A host name, or an IP address without brackets.
    pub(super) fn host(&self) -> &str {
        &self.0.0
    }

    pub(super) fn port(&self) -> u16 {
        self.0.1
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host().contains(':') {
            write!(f, "[{}]:{}", self.host(), self.port())
        } else {
            write!(f, "{}:{}", self.host(), self.port())
        }
    }
}

/// How the servers at an address are organised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// One server.
    Standalone,
    /// A primary with replicas, monitored by Sentinels under this name.
    Sentinel { name: String },
    /// Servers among which the keys are divided.
    Cluster,
}

/// A parsed address.
#[derive(Clone)]
pub(crate) struct Address {
    pub(crate) layout: Layout,
    pub(super) tls: bool,
    /// The server, the Sentinels, or some servers of the cluster. At least one.
    pub(super) nodes: Vec<Node>,
    pub(super) credentials: RedisCredentials,
    pub(super) db: i64,
}

impl Address {
    /// Parses the address in `field` of the configuration.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] for `field`. It never quotes the address, which may contain a
    /// password.
    pub(crate) fn parse(url: &str, field: &str) -> Result<Self> {
        parse(url).map_err(|problem| Error::config(field, problem))
    }
}

#[derive(Clone, Copy)]
enum Scheme {
    Standalone,
    Sentinel,
    Cluster,
}

/// The layout that a scheme stands for, and whether it uses TLS.
fn parse_scheme(scheme: &str) -> Option<(Scheme, bool)> {
    Some(match scheme {
        "redis" => (Scheme::Standalone, false),
        "rediss" => (Scheme::Standalone, true),
        "redis+sentinel" => (Scheme::Sentinel, false),
        "rediss+sentinel" => (Scheme::Sentinel, true),
        "redis+cluster" => (Scheme::Cluster, false),
        "rediss+cluster" => (Scheme::Cluster, true),
        _ => return None,
    })
}

impl Scheme {
    /// The expected form of such an address.
    const fn expected(self) -> &'static str {
        match self {
            Self::Standalone => "expected redis://USER:PASSWORD@HOST:PORT/DB",
            Self::Sentinel => {
                "expected redis+sentinel://USER:PASSWORD@HOST:PORT,HOST:PORT/MASTER/DB, with the \
                 hosts of the Sentinels"
            }
            Self::Cluster => "expected redis+cluster://USER:PASSWORD@HOST:PORT,HOST:PORT",
        }
    }
}

fn parse(url: &str) -> std::result::Result<Address, &'static str> {
    let (scheme, rest) = url.split_once("://").ok_or("expected redis://…")?;
    let (scheme, tls) = parse_scheme(scheme).ok_or("expected redis://…")?;
    if rest.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err("expected no space and no line break: remove it, or in a password \
                    percent-encode it (%20, %0A)");
    }
    if rest.contains(['?', '#']) {
        return Err("expected no ? and no #: options go into `redis`, and in a password \
                    percent-encode them (%3F, %23)");
    }
    // An @ after a / is the end of user and password, so the / is part of those.
    if rest.split_once('/').is_some_and(|(_, path)| path.contains('@')) {
        return Err("expected no / before the @: percent-encode it in user and password (%2F)");
    }
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (user, hosts) = match authority.rsplit_once('@') {
        Some((user, hosts)) => (Some(user), hosts),
        None => (None, authority),
    };
    let default_port = if matches!(scheme, Scheme::Sentinel) { SENTINEL_PORT } else { REDIS_PORT };
    let nodes: Option<Vec<Node>> = hosts.split(',').map(|host| node(host, default_port)).collect();
    let nodes = nodes.ok_or(scheme.expected())?;
    let (layout, db) = match scheme {
        Scheme::Standalone if nodes.len() > 1 => {
            return Err(
                "expected one host; several are for redis+sentinel:// and redis+cluster://",
            );
        }
        Scheme::Standalone => (Layout::Standalone, parse_db(path)?),
        Scheme::Sentinel => {
            let (name, db) = path.split_once('/').unwrap_or((path, ""));
            let name = decoded(name)?;
            if name.is_empty() {
                return Err("the name that the Sentinels have for the primary is missing: \
                            redis+sentinel://HOST:PORT/MASTER");
            }
            (Layout::Sentinel { name }, parse_db(db)?)
        }
        Scheme::Cluster if parse_db(path)? != 0 => return Err("a cluster has database 0 only"),
        Scheme::Cluster => (Layout::Cluster, 0),
    };
    let credentials = user.map(credentials).transpose()?.unwrap_or_default();
    Ok(Address { layout, tls, nodes, credentials, db })
}

/// `HOST`, `HOST:PORT`, `[IPV6]` or `[IPV6]:PORT`.
fn node(text: &str, default_port: u16) -> Option<Node> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']')?;
            host.parse::<Ipv6Addr>().ok()?;
            (host, port)
        }
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    if host.is_empty() || host.contains(|c: char| c.is_whitespace() || "[]@".contains(c)) {
        return None;
    }
    let port = match port.strip_prefix(':') {
        Some(digits) => digits.parse().ok().filter(|port| *port != 0)?,
        None if port.is_empty() => default_port,
        None => return None,
    };
    Some(Node::new(host, port))
}

fn parse_db(text: &str) -> std::result::Result<i64, &'static str> {
    if text.is_empty() {
        return Ok(0);
    }
    text.parse().ok().filter(|db| *db >= 0).ok_or("the database is a number, as in redis://HOST/1")
}

fn credentials(user: &str) -> std::result::Result<RedisCredentials, &'static str> {
    let (name, password) = user.split_once(':').unwrap_or((user, ""));
    let (name, password) = (decoded(name)?, decoded(password)?);
    let named = !name.is_empty();
    Ok(RedisCredentials {
        username: named.then_some(name),
        // A named user authenticates even with an empty password.
        password: (named || !password.is_empty()).then(|| SecretBytes::new(password.into_bytes())),
    })
}

fn decoded(text: &str) -> std::result::Result<String, &'static str> {
    let bytes = percent_decode_str(text).decode_utf8();
    bytes.map(Into::into).map_err(|_| "percent-encoded text must be UTF-8")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str) -> Address {
        Address::parse(url, "store").unwrap()
    }

    fn nodes(url: &str) -> Vec<String> {
        read(url).nodes.iter().map(ToString::to_string).collect()
    }

    fn user(url: &str) -> (Option<String>, Option<String>) {
        let credentials = read(url).credentials;
        let password = credentials
            .password
            .map(|password| String::from_utf8(password.expose().to_vec()).unwrap());
        (credentials.username, password)
    }

    #[test]
    fn every_scheme_is_parsed() {
        let one = read("redis://h/3");
        assert_eq!((one.layout, one.tls, one.db), (Layout::Standalone, false, 3));
        let primary = || Layout::Sentinel { name: "my master".to_owned() };
        let watched = read("rediss+sentinel://a,b:7/my%20master/2");
        assert_eq!((watched.layout, watched.tls, watched.db), (primary(), true, 2));
        assert_eq!(read("redis+sentinel://a/my%20master").layout, primary());
        let cluster = read("rediss+cluster://a,b:7000/0");
        assert_eq!((cluster.layout, cluster.tls, cluster.db), (Layout::Cluster, true, 0));
        assert_eq!(read("redis+cluster://a").layout, Layout::Cluster);
    }

    #[test]
    fn hosts_and_ports_are_parsed() {
        assert_eq!(nodes("redis://h"), ["h:6379"]);
        assert_eq!(nodes("redis://[::1]:7/"), ["[::1]:7"]);
        assert_eq!(nodes("redis+sentinel://a,[::1],c:7/m"), ["a:26379", "[::1]:26379", "c:7"]);
        assert_eq!(nodes("redis+cluster://u:p@10.0.0.1:1,b"), ["10.0.0.1:1", "b:6379"]);
    }

    #[test]
    fn users_and_passwords_are_parsed() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(user("redis://h"), (None, None));
        assert_eq!(user("redis://:p%40%2F%3A@h"), (None, some("p@/:")));
        assert_eq!(user("redis://ann:p:q@h"), (some("ann"), some("p:q")));
        assert_eq!(user("redis://ann@h"), (some("ann"), some("")));
        assert_eq!(user("redis://:a@b@h"), (None, some("a@b")));
        assert_eq!(user("redis://%ED%95%9C:x@h"), (some("한"), some("x")));
    }

    #[test]
    fn errors_do_not_quote_the_address() {
        let cases = [
            ("http://planted", "redis://"),
            ("redis:planted", "redis://"),
            ("redis://", "HOST"),
            ("redis://planted:0", "HOST"),
            ("redis://planted:x", "HOST"),
            ("redis://planted:70000", "HOST"),
            ("redis://[::planted]", "HOST"),
            ("redis://[::1]planted", "HOST"),
            ("redis://::1", "HOST"),
            ("redis://a,planted", "one host"),
            ("redis://a/planted", "number"),
            ("redis://a/-1", "number"),
            ("redis://:%ff%feplanted@a", "UTF-8"),
            ("redis://planted?x=1", "no ?"),
            ("redis://planted?family=0", "percent-encode"),
            ("redis://:planted#1@h", "percent-encode"),
            ("redis://:planted/1@h", "percent-encode"),
            ("redis://planted:x/y/z@h:1/0", "percent-encode"),
            ("redis+sentinel://:planted/1@a,b/m", "percent-encode"),
            ("redis://planted\n", "line break"),
            ("redis://planted/0\r\n", "line break"),
            ("redis://:planted @h", "percent-encode"),
            ("redis+sentinel://planted", "MASTER"),
            ("redis+sentinel://planted/", "MASTER"),
            ("redis+sentinel://a,,planted/m", "Sentinels"),
            ("redis+sentinel://a/m/planted", "number"),
            ("redis+cluster://planted/1", "database 0"),
        ];
        for (url, part) in cases {
            match Address::parse(url, "store") {
                Err(Error::ConfigInvalid { field, problem }) => {
                    assert_eq!(field, "store");
                    assert!(problem.contains(part), "{url}: {problem}");
                    assert!(!problem.contains("planted"), "{url}: {problem}");
                }
                other => panic!("{url} gave {:?}", other.map(|address| address.layout)),
            }
        }
    }
}

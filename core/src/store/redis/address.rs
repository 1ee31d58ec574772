//! Addresses of Redis: `redis://USER:PASSWORD@HOST:PORT/DB` and its relatives.

use std::fmt;
use std::net::Ipv6Addr;
use std::sync::Arc;

use percent_encoding::percent_decode_str;

use crate::error::{Error, Result};
use crate::store::RedisCredentials;
use crate::types::SecretBytes;

const REDIS_PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26379;

/// Where a server is reached.
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

/// How the servers at an address belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// One server.
    Standalone,
    /// Servers that are watched over by Sentinels, who know the master by this name.
    Sentinel { master: String },
    /// Servers that share the keys between them.
    Cluster,
}

/// An address, taken apart.
#[derive(Clone)]
pub(crate) struct Address {
    pub(crate) layout: Layout,
    pub(super) tls: bool,
    /// One server; or Sentinels; or any servers of a cluster. At least one.
    pub(super) nodes: Vec<Node>,
    pub(super) credentials: RedisCredentials,
    pub(super) db: i64,
}

impl Address {
    /// Reads an address that the configuration has in `field`.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] for `field`. It never quotes the address: that holds a password.
    pub(crate) fn parse(url: &str, field: &str) -> Result<Self> {
        parse(url).map_err(|problem| Error::config(field, problem))
    }
}

#[derive(Clone, Copy)]
enum Form {
    Standalone,
    Sentinel,
    Cluster,
}

/// The form and whether it is encrypted.
fn form_of(scheme: &str) -> Option<(Form, bool)> {
    Some(match scheme {
        "redis" => (Form::Standalone, false),
        "rediss" => (Form::Standalone, true),
        "redis+sentinel" => (Form::Sentinel, false),
        "rediss+sentinel" => (Form::Sentinel, true),
        "redis+cluster" => (Form::Cluster, false),
        "rediss+cluster" => (Form::Cluster, true),
        _ => return None,
    })
}

impl Form {
    /// What an address of this form looks like.
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
    let (form, tls) = form_of(scheme).ok_or("expected redis://…")?;
    if rest.contains(['?', '#']) {
        return Err("expected no ? and no #; what else there is to say goes into `redis`, and in \
                    a password they are written %3F and %23");
    }
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (user, hosts) = match authority.rsplit_once('@') {
        Some((user, hosts)) => (Some(user), hosts),
        None => (None, authority),
    };
    let default_port = if matches!(form, Form::Sentinel) { SENTINEL_PORT } else { REDIS_PORT };
    let nodes: Option<Vec<Node>> = hosts.split(',').map(|host| node(host, default_port)).collect();
    let nodes = nodes.ok_or(form.expected())?;
    let (layout, db) = match form {
        Form::Standalone if nodes.len() > 1 => {
            return Err(
                "expected one host; several are for redis+sentinel:// and redis+cluster://",
            );
        }
        Form::Standalone => (Layout::Standalone, number_of_db(path)?),
        Form::Sentinel => {
            let (master, db) = path.split_once('/').unwrap_or((path, ""));
            let master = decoded(master)?;
            if master.is_empty() {
                return Err("the name that the Sentinels have for the master is missing: \
                            redis+sentinel://HOST:PORT/MASTER");
            }
            (Layout::Sentinel { master }, number_of_db(db)?)
        }
        Form::Cluster if number_of_db(path)? != 0 => return Err("a cluster has database 0 only"),
        Form::Cluster => (Layout::Cluster, 0),
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

fn number_of_db(text: &str) -> std::result::Result<i64, &'static str> {
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
        // A user may be one without a password, and must be named to the server all the same.
        password: (named || !password.is_empty()).then(|| SecretBytes::new(password.into_bytes())),
    })
}

fn decoded(text: &str) -> std::result::Result<String, &'static str> {
    let bytes = percent_decode_str(text).decode_utf8();
    bytes.map(Into::into).map_err(|_| "what is percent-encoded must be UTF-8")
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
    fn each_form_is_read() {
        let one = read("redis://h/3");
        assert_eq!((one.layout, one.tls, one.db), (Layout::Standalone, false, 3));
        let master = || Layout::Sentinel { master: "my master".to_owned() };
        let watched = read("rediss+sentinel://a,b:7/my%20master/2");
        assert_eq!((watched.layout, watched.tls, watched.db), (master(), true, 2));
        assert_eq!(read("redis+sentinel://a/my%20master").layout, master());
        let cluster = read("rediss+cluster://a,b:7000/0");
        assert_eq!((cluster.layout, cluster.tls, cluster.db), (Layout::Cluster, true, 0));
        assert_eq!(read("redis+cluster://a").layout, Layout::Cluster);
    }

    #[test]
    fn hosts_and_ports_are_read() {
        assert_eq!(nodes("redis://h"), ["h:6379"]);
        assert_eq!(nodes("redis://[::1]:7/"), ["[::1]:7"]);
        assert_eq!(nodes("redis+sentinel://a,[::1],c:7/m"), ["a:26379", "[::1]:26379", "c:7"]);
        assert_eq!(nodes("redis+cluster://u:p@10.0.0.1:1,b"), ["10.0.0.1:1", "b:6379"]);
    }

    #[test]
    fn users_and_passwords_are_read() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(user("redis://h"), (None, None));
        assert_eq!(user("redis://:p%40%2F%3A@h"), (None, some("p@/:")));
        assert_eq!(user("redis://ann:p:q@h"), (some("ann"), some("p:q")));
        assert_eq!(user("redis://ann@h"), (some("ann"), some("")));
        assert_eq!(user("redis://:a@b@h"), (None, some("a@b")));
        assert_eq!(user("redis://%ED%95%9C:x@h"), (some("한"), some("x")));
    }

    #[test]
    fn what_is_wrong_is_said_without_the_address() {
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

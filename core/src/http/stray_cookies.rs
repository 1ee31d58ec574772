//! Other cookies of the same name: an earlier setting of `path` or `domain` left them behind, or a sibling domain
//! planted them. A request does not tell them apart, and a response can remove them.

use super::cookies::{CookiePolicy, is_domain};
use super::request::RequestHead;

/// How much of a response may remove other cookies, in bytes: proxies limit its headers.
const MAX_REMOVAL_BYTES: usize = 4096;

impl CookiePolicy {
    /// `Set-Cookie` headers that remove cookies of this name with other attributes: those that an
    /// earlier setting of `path` or `domain` left behind, or that a sibling domain planted.
    ///
    /// A request does not say which path and domain its cookies have, so each one is named that
    /// would have sent the cookie with this request.
    pub(super) fn remove_others(&self, request: &RequestHead<'_>) -> Vec<String> {
        let is_own = |path: &str, domain: Option<&str>| {
            let is_own_domain = match (domain, &self.domain) {
                (Some(domain), Some(own)) => domain.eq_ignore_ascii_case(own),
                (domain, own) => domain.is_none() && own.is_none(),
            };
            is_own_domain && path == self.path
        };
        let path = request.path();
        let authority = request.authority().unwrap_or_default();
        let mut removals = Vec::new();
        for domain in domains_of(&authority) {
            for path in paths_of(&path) {
                if !is_own(path, domain) {
                    removals.push(self.remove_at(path, domain, request));
                }
            }
        }
        removals
    }

    /// As [`remove_others`](Self::remove_others), and those that are `Partitioned`, which browsers
    /// keep apart. This server sets none, so only a sibling domain can have planted them.
    pub(super) fn remove_planted(&self, request: &RequestHead<'_>) -> Vec<String> {
        let mut removals = self.remove_others(request);
        let path = request.path();
        let authority = request.authority().unwrap_or_default();
        // The widest domain first, which most hosts can set a cookie for.
        for domain in domains_of(&authority).into_iter().rev().flatten() {
            for path in paths_of(&path) {
                let removal = self.remove_at(path, Some(domain), request);
                // Browsers accept the attribute with `Secure` only.
                if removal.contains("; Secure") {
                    removals.push(format!("{removal}; Partitioned"));
                }
            }
        }
        truncate_removals(&mut removals);
        removals
    }

    fn remove_at(&self, path: &str, domain: Option<&str>, request: &RequestHead<'_>) -> String {
        let other = Self {
            path: path.to_owned(),
            domain: domain.map(ToOwned::to_owned),
            // Short: proxies limit the headers of a response, often to 4 kB.
            http_only: self.is_http(),
            same_site: None,
            ..self.clone()
        };
        let removal = other.attributes("", request).max_age(cookie::time::Duration::ZERO);
        removal.build().encoded().to_string()
    }
}

/// Leaves out the last removals if they are too long for the headers of a response.
pub(super) fn truncate_removals(removals: &mut Vec<String>) {
    let mut length = 0;
    removals.retain(|removal| {
        length += removal.len();
        length <= MAX_REMOVAL_BYTES
    });
}

/// The paths whose cookies a browser sends to `path`: itself and those above, of which each may end
/// with a slash or not (RFC 6265 §5.1.4). The number is bounded.
fn paths_of(path: &str) -> Vec<&str> {
    let mut paths = vec!["/"];
    for (slash, _) in path.match_indices('/').filter(|(index, _)| *index > 0) {
        paths.extend([&path[..slash], &path[..=slash]]);
    }
    if path.starts_with('/') && !path.ends_with('/') {
        paths.push(path);
    }
    paths.truncate(9);
    paths
}

/// The domains whose cookies a browser sends to the host of `authority`: the host alone (`None`),
/// and those above with at least two labels. The number is bounded.
fn domains_of(authority: &str) -> Vec<Option<&str>> {
    let host = authority.rsplit_once(':').map_or(authority, |(host, port)| {
        if port.bytes().all(|byte| byte.is_ascii_digit()) { host } else { authority }
    });
    let mut domains = vec![None];
    let mut domain = host;
    while is_domain(domain) && domain.contains('.') && domains.len() < 5 {
        domains.push(Some(domain));
        domain = domain.split_once('.').map_or("", |(_, parent)| parent);
    }
    domains
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::SecureCookie;

    #[test]
    fn other_cookies_of_the_name_are_removed_wherever_they_may_be() {
        let policy = CookiePolicy::refresh("r");
        let request =
            RequestHead::new("POST", "/auth/refresh?x").header("host", "app.shop.example:8443");
        let mut places: Vec<_> = policy
            .remove_others(&request)
            .iter()
            .map(|text| {
                let value = |name: &str| {
                    let found = text.split("; ").find_map(|part| part.strip_prefix(name));
                    found.unwrap_or_default().to_owned()
                };
                assert!(text.starts_with("r=;"));
                (value("Domain="), value("Path="))
            })
            .collect();
        places.sort_unstable();
        let expected = [
            ("", "/"),
            ("", "/auth/"),
            ("", "/auth/refresh"),
            ("app.shop.example", "/"),
            ("app.shop.example", "/auth"),
            ("app.shop.example", "/auth/"),
            ("app.shop.example", "/auth/refresh"),
            ("shop.example", "/"),
            ("shop.example", "/auth"),
            ("shop.example", "/auth/"),
            ("shop.example", "/auth/refresh"),
        ];
        assert_eq!(places, expected.map(|(domain, path)| (domain.to_owned(), path.to_owned())));
        let deep =
            RequestHead::new("GET", "/a/b/c/d/e/f/g/h").header("host", "a.b.c.d.e.f.g.example");
        let removals = policy.remove_others(&deep);
        assert!(removals.iter().map(String::len).sum::<usize>() < 4096, "{}", removals.len());
        let address = RequestHead::new("GET", "/").header("host", "127.0.0.1:3000");
        assert_eq!(policy.remove_others(&address).len(), 1);
        let mut same_domain = CookiePolicy::refresh("r");
        same_domain.domain = Some("Shop.Example".to_owned());
        let removals = same_domain.remove_others(&request);
        assert_eq!(removals.len(), expected.len(), "all but its own");
    }

    #[test]
    fn planted_cookies_may_be_partitioned() {
        let request = RequestHead::new("POST", "/auth/refresh").header("host", "app.shop.example");
        let partitioned = |policy: &CookiePolicy, request: &RequestHead<'_>| {
            let removals = policy.remove_planted(request);
            assert!(removals.iter().map(String::len).sum::<usize>() <= MAX_REMOVAL_BYTES);
            removals.into_iter().filter(|text| text.ends_with("; Partitioned")).count()
        };
        let mut policy = CookiePolicy::refresh("r");
        assert_eq!(partitioned(&policy, &request), 8, "four paths of two domains");
        let deep =
            RequestHead::new("GET", "/a/b/c/d/e/f/g/h").header("host", "a.b.c.d.e.f.g.example");
        let _ = partitioned(&policy, &deep);
        policy.secure = SecureCookie::Never;
        assert_eq!(partitioned(&policy, &request), 0);
    }

    #[test]
    fn a_removal_has_the_attributes_that_the_name_needs() {
        let request = RequestHead::new("POST", "/auth/refresh").header("host", "app.shop.example");
        for text in CookiePolicy::refresh("__Http-r").remove_others(&request) {
            assert!(text.contains("; HttpOnly") && text.contains("; Secure"), "{text}");
        }
    }
}

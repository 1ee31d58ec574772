//! Realms: what keeps the sessions of several apps apart that share a secret and a store.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use super::ids::Subject;
use crate::error::{Error, Result};

/// The name of a realm. A refresh token, a session and a revocation of one realm mean nothing in
/// another one, even under the same secret and in the same store.
///
/// The default is the realm without a name: that of apps whose access tokens have neither issuer nor
/// audience, and of every session that began before realms existed.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Realm {
    name: Box<str>,
    /// Names the realm in the store. `None` for the realm without a name.
    tag: Option<Box<str>>,
}

impl Realm {
    /// The longest name that can be given, in bytes. It is only hashed, never stored.
    pub const MAX_BYTES: usize = 4096;

    /// The realm with this name; the realm without a name if it is empty.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] for `realm` when the name is too long.
    pub fn new(name: &str) -> Result<Self> {
        if name.len() > Self::MAX_BYTES {
            return Err(Error::config("realm", "expected at most 4096 bytes of text"));
        }
        Ok(Self::named(name))
    }

    /// The realm of the apps whose access tokens have this issuer and these audiences: its name is the
    /// issuer and then the audiences in alphabetical order, separated by spaces.
    ///
    /// No other issuer and audiences give the same name, because only the issuer is a URL and no part has
    /// a space. Where that is not so, the name is a space and then the issuer, or `null`, and the
    /// audiences as a JSON array.
    pub fn of_tokens(issuer: Option<&str>, audiences: &[String]) -> Self {
        let mut audiences: Vec<_> = audiences.iter().map(String::as_str).collect();
        audiences.sort_unstable();
        audiences.dedup();
        let is_url = |part: &str| part.contains("://");
        let is_plain = issuer.map_or_else(|| !audiences.iter().any(|it| is_url(it)), is_url);
        let parts = || issuer.into_iter().chain(audiences.iter().copied());
        if is_plain && parts().all(|part| !part.is_empty() && !part.contains(' ')) {
            return Self::named(&parts().collect::<Vec<_>>().join(" "));
        }
        Self::named(&format!(" {}", serde_json::json!([issuer, audiences])))
    }

    fn named(name: &str) -> Self {
        let tag = (!name.is_empty()).then(|| {
            let hash = Sha256::new().chain_update(TAG_LABEL).chain_update(name).finalize();
            URL_SAFE_NO_PAD.encode(&hash[..TAG_BYTES]).into_boxed_str()
        });
        Self { name: name.into(), tag }
    }

    /// The name; empty for the realm without one.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name of the realm in the store: a hash, short and of a few characters only. `None` for the
    /// realm without a name.
    pub(crate) fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The name of a user in the store. A user's id has no control characters, so no id of one realm is
    /// the name of a user of another realm.
    pub(crate) fn qualify(&self, subject: &Subject) -> Subject {
        match &self.tag {
            Some(tag) => Subject::qualified(tag, subject),
            None => subject.clone(),
        }
    }
}

const TAG_LABEL: &[u8] = b"regrant realm v1\0";

/// Two of a million realms have the same tag with a probability of 10^-8.
const TAG_BYTES: usize = 8;

impl fmt::Debug for Realm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Realm({:?})", self.name)
    }
}

/// The realm that new sessions belong to, and the realms whose sessions go on beside it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Realms {
    /// New sessions belong to it.
    pub current: Realm,
    /// Sessions that began in these realms go on, here and in every other app that lists them.
    pub previous: Vec<Realm>,
}

impl Realms {
    /// This realm, with the sessions of the realm without a name: those that began before the realm was
    /// named.
    pub fn new(current: Realm) -> Self {
        let previous = current.tag().map(|_| Realm::default()).into_iter().collect();
        Self { current, previous }
    }

    /// All realms, the current one first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Realm> {
        let is_new = |(at, realm): &(usize, &Realm)| {
            **realm != self.current && !self.previous[..*at].contains(realm)
        };
        let previous = self.previous.iter().enumerate().filter(is_new);
        std::iter::once(&self.current).chain(previous.map(|(_, realm)| realm))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_realm_is_named_by_issuer_and_audiences_in_any_order() {
        let of = |issuer, audiences: &[&str]| {
            let audiences: Vec<_> = audiences.iter().map(|&it| it.to_owned()).collect();
            Realm::of_tokens(issuer, &audiences)
        };
        assert_eq!(of(None, &[]), Realm::default());
        assert_eq!(of(Some("https://a"), &["b", "a", "b"]).name(), "https://a a b");
        assert_eq!(of(None, &["shop", "api"]), Realm::new("api shop").unwrap());
        assert_eq!(of(Some("auth"), &["b", "a"]).name(), r#" ["auth",["a","b"]]"#);
        assert_ne!(of(None, &["shop"]).tag(), of(None, &["admin"]).tag());
    }

    /// Apps with another issuer or other audiences must not share a realm by chance.
    #[test]
    fn different_issuers_and_audiences_have_different_realms() {
        let parts = ["a", "b", "a b", "", "https://a", "https://a b", "null"];
        let issuers = parts.map(Some).into_iter().chain([None]);
        let mut seen = std::collections::HashMap::new();
        for issuer in issuers {
            for chosen in 0..1_u32 << parts.len() {
                let is_chosen = |(at, _): &(usize, &&str)| chosen >> at & 1 == 1;
                let audiences = parts.iter().enumerate().filter(is_chosen);
                let audiences: Vec<_> = audiences.map(|(_, part)| (*part).to_owned()).collect();
                let realm = Realm::of_tokens(issuer, &audiences);
                let configuration = (issuer, audiences);
                if let Some(other) = seen.insert(realm.name().to_owned(), configuration.clone()) {
                    panic!("{other:?} and {configuration:?}: {:?}", realm.name());
                }
            }
        }
    }

    /// The tag is in the keys of stores: another one would sign every user out.
    #[test]
    fn the_tag_of_a_realm_is_stable() {
        assert_eq!(Realm::default().tag(), None);
        assert_eq!(Realm::new("shop").unwrap().tag(), Some("Aq6HSLKhkeQ"));
        let alice = Subject::new("alice").unwrap();
        assert_eq!(Realm::default().qualify(&alice), alice);
        let qualified = Realm::new("shop").unwrap().qualify(&alice);
        assert_eq!(qualified.as_str(), "Aq6HSLKhkeQ\u{1f}alice");
        assert!(Subject::new(qualified.as_str()).is_err());
    }
}

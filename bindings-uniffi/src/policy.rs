//! The rules for access tokens as data. What is left out is as the core has it.

use std::time::Duration;

use regrant::access;

use crate::RegrantError;

/// What an access token must say. Everything may be left out; wrong values are refused when the
/// verifier is made.
#[derive(Clone, Debug, Default, PartialEq, Eq, uniffi::Record)]
pub struct AccessPolicy {
    /// The accepted values of `iss` (RFC 7519 §4.1.1). Empty: not checked.
    #[uniffi(default)]
    pub issuers: Vec<String>,
    /// The names of this service, one of which `aud` must hold (RFC 7519 §4.1.3). Empty: a token
    /// must have no `aud`.
    #[uniffi(default)]
    pub audiences: Vec<String>,
    /// How far the clocks of issuer and verifier may differ: at most 5 minutes, none by default.
    #[uniffi(default = None)]
    pub leeway: Option<Duration>,
    /// Refuses tokens this long after their `iat`, which they then must have.
    #[uniffi(default = None)]
    pub max_age: Option<Duration>,
    /// The claims that a token must have with a value that is not null.
    #[uniffi(default)]
    pub required_claims: Vec<String>,
    /// The app's own name for the user's id, such as `userId`. `sub` by default, and where a
    /// token lacks the other.
    #[uniffi(default = None)]
    pub subject_claim: Option<String>,
    /// The longest token in bytes: 256 to 65536, 8192 by default.
    #[uniffi(default = None)]
    pub max_token_bytes: Option<u32>,
    /// Accepts tokens of an app from before. Not by default.
    #[uniffi(default = None)]
    pub legacy: Option<LegacyTokens>,
}

/// Which tokens of an app from before are accepted: those without `typ`, or with `JWT`.
#[derive(Clone, Debug, Default, PartialEq, Eq, uniffi::Record)]
pub struct LegacyTokens {
    /// The longest that such a token may live: 24 hours by default. Such an app signed its
    /// long-lived refresh tokens with the same key, and only this bound tells them apart.
    #[uniffi(default = None)]
    pub max_lifetime: Option<Duration>,
}

impl AccessPolicy {
    /// The policy for the core, checked.
    pub(crate) fn into_core(self) -> Result<access::AccessPolicy, RegrantError> {
        let mut policy = access::AccessPolicy::builder();
        for issuer in self.issuers {
            policy = policy.issuer(issuer);
        }
        for audience in self.audiences {
            policy = policy.audience(audience);
        }
        for claim in self.required_claims {
            policy = policy.required_claim(claim);
        }
        if let Some(leeway) = self.leeway {
            policy = policy.leeway(leeway);
        }
        if let Some(max_age) = self.max_age {
            policy = policy.max_age(max_age);
        }
        if let Some(name) = self.subject_claim {
            policy = policy.subject_claim(name);
        }
        if let Some(bytes) = self.max_token_bytes {
            // Too large for the platform is too large for the core, which says so.
            policy = policy.max_token_bytes(bytes.try_into().unwrap_or(usize::MAX));
        }
        if let Some(legacy) = self.legacy {
            let default = access::LegacyTokens::default();
            let max_lifetime = legacy.max_lifetime.unwrap_or(default.max_lifetime);
            policy = policy.accept_legacy(access::LegacyTokens { max_lifetime });
        }
        Ok(policy.build()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_as_the_core_has_it() {
        assert_eq!(AccessPolicy::default().into_core().unwrap(), access::AccessPolicy::default());
        let legacy = AccessPolicy { legacy: Some(LegacyTokens::default()), ..Default::default() };
        assert_eq!(legacy.into_core().unwrap().legacy(), Some(access::LegacyTokens::default()));
    }

    #[test]
    fn everything_reaches_the_core() {
        let seconds = Duration::from_secs;
        let policy = AccessPolicy {
            issuers: vec!["i1".to_owned(), "i2".to_owned()],
            audiences: vec!["a1".to_owned(), "a2".to_owned()],
            leeway: Some(seconds(1)),
            max_age: Some(seconds(2)),
            required_claims: vec!["role".to_owned()],
            subject_claim: Some("userId".to_owned()),
            max_token_bytes: Some(300),
            legacy: Some(LegacyTokens { max_lifetime: Some(seconds(3)) }),
        };
        let policy = policy.into_core().unwrap();
        let expected = access::AccessPolicy::builder()
            .issuer("i1")
            .issuer("i2")
            .audience("a1")
            .audience("a2")
            .leeway(seconds(1))
            .max_age(seconds(2))
            .required_claim("role")
            .subject_claim("userId")
            .max_token_bytes(300)
            .accept_legacy(access::LegacyTokens { max_lifetime: seconds(3) })
            .build();
        assert_eq!(policy, expected.unwrap());
    }

    #[test]
    fn a_wrong_value_is_refused_with_its_field() {
        let policy = AccessPolicy { leeway: Some(Duration::from_secs(301)), ..Default::default() };
        let RegrantError::Failed { code, field, .. } = policy.into_core().unwrap_err();
        assert_eq!(
            (code.as_str(), field.as_deref()),
            ("ERR_CONFIG_INVALID", Some("access.leeway"))
        );
    }
}

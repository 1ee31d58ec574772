//! The token vectors in `tests/vectors/tokens`: attacks by class, and tokens that must verify.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::support::access::*;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use regrant::Result;
use regrant::access::{AccessPolicy, AccessVerifier, LegacyTokens, VerifiedAccess};
use regrant::keys::{Algorithm, Key, KeyId, Keyring, ShortSecret};
use regrant::types::{ManualClock, SecretBytes, Timestamp};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Index {
    cases: usize,
    files: HashMap<String, usize>,
}

#[derive(Deserialize)]
struct File {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    why: String,
    verifier: String,
    now: f64,
    token: String,
    expect: Expect,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Expect {
    Accept { subject: String, payload: String },
    Refuse { code: String },
}

#[derive(Deserialize)]
struct Configuration {
    keys: Vec<KeyOf>,
    policy: Policy,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct KeyOf {
    alg: Algorithm,
    kid: Option<KeyId>,
    secret: Option<String>,
    public_key: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Policy {
    issuers: Vec<String>,
    audiences: Vec<String>,
    subject_claim: Option<String>,
    #[serde(default)]
    required_claims: Vec<String>,
    leeway: Option<u64>,
    max_age: Option<u64>,
    max_token_bytes: Option<usize>,
    legacy_max_lifetime: Option<u64>,
}

impl KeyOf {
    fn key(&self) -> Key {
        let key = match (&self.secret, &self.public_key) {
            (Some(secret), None) => {
                let secret = SecretBytes::new(URL_SAFE_NO_PAD.decode(secret).unwrap());
                Key::hmac(self.alg, &secret, ShortSecret::Refuse).unwrap()
            }
            (None, Some(pem)) => Key::public_pem(self.alg, pem).unwrap(),
            _ => panic!("a key is a secret or public"),
        };
        match &self.kid {
            Some(kid) => key.with_id(kid.clone()),
            None => key,
        }
    }
}

impl Policy {
    fn policy(&self, cache: usize) -> AccessPolicy {
        let seconds = Duration::from_secs;
        let mut policy = AccessPolicy::builder().cache(cache);
        for issuer in &self.issuers {
            policy = policy.issuer(issuer);
        }
        for audience in &self.audiences {
            policy = policy.audience(audience);
        }
        for claim in &self.required_claims {
            policy = policy.required_claim(claim);
        }
        if let Some(name) = &self.subject_claim {
            policy = policy.subject_claim(name);
        }
        if let Some(leeway) = self.leeway {
            policy = policy.leeway(seconds(leeway));
        }
        if let Some(age) = self.max_age {
            policy = policy.max_age(seconds(age));
        }
        if let Some(bytes) = self.max_token_bytes {
            policy = policy.max_token_bytes(bytes);
        }
        if let Some(lifetime) = self.legacy_max_lifetime {
            policy = policy.accept_legacy(LegacyTokens { max_lifetime: seconds(lifetime) });
        }
        policy.build().unwrap()
    }
}

/// A verifier with a cache and one without, on the same clock.
struct Verifiers {
    clock: Arc<ManualClock>,
    plain: AccessVerifier,
    caching: AccessVerifier,
}

impl Verifiers {
    fn of(configuration: &Configuration) -> Self {
        let clock = clock();
        let of = |cache| {
            let mut ring = Keyring::builder();
            for key in &configuration.keys {
                ring = ring.verifying(key.key());
            }
            let policy = configuration.policy.policy(cache);
            AccessVerifier::new(ring.build().unwrap(), policy, clock.clone()).unwrap()
        };
        Self { plain: of(0), caching: of(64), clock: clock.clone() }
    }

    /// The differences from the expected result of `case`.
    fn problems(&self, case: &Case) -> Vec<String> {
        #[allow(clippy::cast_possible_truncation, reason = "a date of our own")]
        self.clock.set(Timestamp::from_millis((case.now * 1000.0).round() as i64));
        let answers = [
            self.plain.verify(&case.token),
            self.caching.verify(&case.token),
            self.caching.verify(&case.token),
        ];
        answers.into_iter().filter_map(|answer| problem(&case.expect, answer)).collect()
    }
}

fn problem(expect: &Expect, answer: Result<VerifiedAccess>) -> Option<String> {
    match (expect, answer) {
        (Expect::Accept { subject, payload }, Ok(access)) => {
            let same = access.payload() == payload && access.subject().as_str() == subject;
            (!same).then(|| format!("other claims: {}", access.payload()))
        }
        (Expect::Accept { .. }, Err(error)) => Some(format!("rejected with {}", error.code())),
        (Expect::Refuse { .. }, Ok(_)) => Some("accepted".to_owned()),
        (Expect::Refuse { code }, Err(error)) => {
            (error.code().as_str() != code).then(|| format!("{} and not {code}", error.code()))
        }
    }
}

fn read<T: serde::de::DeserializeOwned>(name: &str) -> T {
    vector_json(&format!("tokens/{name}.json"))
}

#[test]
fn every_token_vector_has_the_expected_result() {
    let index: Index = read("index");
    let configurations: HashMap<String, Configuration> = read("verifiers");
    // Shared, as in a program: state from one token must not affect another.
    let verifiers: HashMap<_, _> =
        configurations.iter().map(|(name, one)| (name.as_str(), Verifiers::of(one))).collect();
    let mut names: Vec<_> = index.files.keys().collect();
    names.sort_unstable();
    let (mut run, mut problems) = (0, Vec::new());
    for file in names {
        let File { cases } = read(file);
        assert_eq!(cases.len(), index.files[file], "{file}");
        for case in cases {
            for problem in verifiers[case.verifier.as_str()].problems(&case) {
                problems.push(format!("{file}: {} ({}): {problem}", case.name, case.why));
            }
            run += 1;
        }
    }
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
    assert_eq!(run, index.cases);
    println!("{run} token vectors");
}

/// A file that the index does not name would never run.
#[test]
fn the_index_names_every_file() {
    let index: Index = read("index");
    let found =
        std::fs::read_dir(vector_path("tokens")).unwrap().map(|entry| entry.unwrap().path());
    let json = found.filter(|path| path.extension().is_some_and(|end| end == "json"));
    let mut others = vec!["index", "verifiers"];
    for path in json {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        others.retain(|other| *other != name);
        let known = index.files.contains_key(&name) || ["index", "verifiers"].contains(&&*name);
        assert!(known, "{name}");
    }
    assert!(others.is_empty(), "{others:?}");
    assert_eq!(index.files.values().sum::<usize>(), index.cases);
    let _: Value = read("verifiers");
}

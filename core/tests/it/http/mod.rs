//! The vectors of the rules of HTTP (`tests/vectors/http`), which every surface runs.

#[cfg(feature = "axum")]
mod axum;
mod endpoints;
mod oauth;
mod world;

use std::collections::BTreeSet;
use std::path::Path;

use regrant::config::AuthConfig;
use regrant::http::WebPolicy;
use regrant::{Error, Result};
use serde_json::{Value, json};

use world::{Reply, World};

const FILES: &[&str] = &["credentials", "origins", "refresh", "logout", "sessions"];

fn cases(file: &str) -> Vec<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors/http");
    let text = std::fs::read_to_string(folder.join(format!("{file}.json"))).unwrap();
    let file: Value = serde_json::from_str(&text).unwrap();
    file["cases"].as_array().unwrap().clone()
}

/// The policy of a case.
fn web_of(web: &Value) -> Result<WebPolicy> {
    let web = if web.is_null() { json!({}) } else { web.clone() };
    let config = json!({ "secret": "an access secret of at least 32 bytes", "web": web });
    AuthConfig::from_json(&config.to_string())?.web_policy()
}

/// A `Set-Cookie` header: name, value and attributes.
struct SetCookie {
    name: String,
    value: String,
    attributes: Vec<(String, String)>,
}

impl SetCookie {
    fn parse(text: &str) -> Self {
        let mut parts = text.split("; ");
        let (name, value) = parts.next().unwrap().split_once('=').unwrap();
        let pair = |part: &str| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            (name.to_owned(), value.to_owned())
        };
        let attributes = parts.map(pair).collect();
        Self { name: name.to_owned(), value: value.to_owned(), attributes }
    }

    fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn is_removal(&self) -> bool {
        let (age, expires) = (self.attribute("Max-Age"), self.attribute("Expires"));
        assert_eq!(age == Some("0"), self.value.is_empty());
        age == Some("0") && expires.is_none_or(|at| at == "Thu, 01 Jan 1970 00:00:00 GMT")
    }
}

/// The differences between what a case expects and what a surface did.
async fn differences(world: &World, web: &WebPolicy, case: &Value, reply: &Reply) -> Vec<String> {
    let expected = &case["expect"];
    let mut differences = Vec::new();
    let mut compare = |what: &str, expected: Value, actual: Value| {
        if expected != actual {
            differences.push(format!("{what}: expected {expected}, got {actual}"));
        }
    };
    compare("status", expected["status"].clone(), json!(reply.status));
    let error = &reply.body["error"];
    for field in ["code", "advice"] {
        if !expected[field].is_null() {
            compare(field, expected[field].clone(), error[field].clone());
        }
    }
    if let Some(subject) = expected.get("subject") {
        let actual = match case["route"].as_str() {
            Some("refresh") => {
                let token = reply.body["accessToken"].as_str().unwrap_or_default();
                let access = world.auth.verify(token);
                access.map(|access| json!(access.subject().as_str())).unwrap_or_default()
            }
            _ => reply.body["subject"].clone(),
        };
        compare("subject", subject.clone(), actual);
    }
    if !expected["challenge"].is_null() {
        let actual = reply.header("www-authenticate");
        compare("challenge", expected["challenge"].clone(), json!(actual));
    }
    for part in expected["challengeHas"].as_array().into_iter().flatten() {
        let challenge = reply.header("www-authenticate").unwrap_or_default();
        compare("challenge", json!(true), json!(challenge.contains(part.as_str().unwrap())));
    }
    for (name, value) in expected["headers"].as_object().into_iter().flatten() {
        compare(name, value.clone(), json!(reply.header(name)));
    }
    if !expected["ended"].is_null() {
        compare("ended", expected["ended"].clone(), reply.body["ended"].clone());
    }
    let in_body = reply.body["refreshToken"].is_string();
    compare("refreshInBody", json!(expected["refreshInBody"] == true), json!(in_body));

    let cookies: Vec<_> = reply.cookies.iter().map(|text| SetCookie::parse(text)).collect();
    let names: BTreeSet<_> = cookies.iter().map(|cookie| cookie.name.as_str()).collect();
    let last = |name: &str| cookies.iter().rfind(|cookie| cookie.name == name).unwrap();
    let list = |keep: &dyn Fn(&str) -> bool| {
        json!(names.iter().filter(|name| keep(name)).collect::<Vec<_>>())
    };
    let or_none = |value: &Value| if value.is_null() { json!([]) } else { value.clone() };
    compare("set", or_none(&expected["set"]), list(&|name| !last(name).is_removal()));
    compare("removed", or_none(&expected["removed"]), list(&|name| last(name).is_removal()));
    if !expected["removedOthers"].is_null() {
        let several = |name: &str| cookies.iter().filter(|cookie| cookie.name == name).count() > 1;
        compare("removedOthers", expected["removedOthers"].clone(), list(&several));
    }
    for name in expected["kept"].as_array().into_iter().flatten() {
        let policies = [&web.refresh_cookie, &web.access_cookie];
        let own = policies.into_iter().flatten().find(|policy| *name == policy.name).unwrap();
        let touched = cookies.iter().any(|cookie| {
            cookie.name == own.name
                && cookie.attribute("Path") == Some(&own.path)
                && cookie.attribute("Domain") == own.domain.as_deref()
        });
        compare("kept", json!(true), json!(!touched));
    }
    for (name, attributes) in expected["attributes"].as_object().into_iter().flatten() {
        for (attribute, value) in attributes.as_object().unwrap() {
            let actual = cookies.iter().rfind(|cookie| cookie.name == *name);
            let actual = actual.and_then(|cookie| cookie.attribute(attribute));
            let actual = if value.is_boolean() { json!(actual.is_some()) } else { json!(actual) };
            compare(&format!("{name} {attribute}"), value.clone(), actual);
        }
    }
    let over = world.sessions_over().await;
    compare("sessionsOver", or_none(&expected["sessionsOver"]), json!(over));
    differences
}

/// Runs all cases with `run`, which gives `None` for a request that the surface cannot send.
async fn run_all(run: impl AsyncFn(&World, &WebPolicy, &Value) -> Option<Reply>) -> usize {
    let (mut failures, mut passed) = (Vec::new(), 0);
    for file in FILES {
        for case in cases(file) {
            let world = World::new(case["dpop"] != false, case["rotation"] != false).await;
            let web = web_of(&case["web"]).unwrap();
            let case = world.fill(&case);
            if case["store"] == "unavailable" {
                world.cut_off(true);
            }
            let Some(reply) = run(&world, &web, &case).await else { continue };
            world.cut_off(false);
            passed += 1;
            for difference in differences(&world, &web, &case, &reply).await {
                failures.push(format!("{file}: {}: {difference}", case["name"]));
            }
        }
    }
    assert!(failures.is_empty(), "{} differences\n{}", failures.len(), failures.join("\n"));
    passed
}

#[test]
fn policies_that_browsers_would_break_are_refused() {
    for case in cases("policies") {
        match web_of(&case["web"]) {
            Err(Error::ConfigInvalid { field, .. }) => {
                let expected = format!("web.{}", case["field"].as_str().unwrap());
                assert_eq!(field, expected, "{}", case["name"]);
            }
            other => panic!("{}: {other:?}", case["name"]),
        }
    }
}

//! The outcomes that a run has covered, so that a run with little coverage fails.

use std::collections::BTreeMap;

use regrant::session::{Decision, UseOutcome};

/// How often each outcome occurred.
#[derive(Clone, Debug, Default)]
pub struct Coverage(BTreeMap<String, usize>);

impl Coverage {
    /// Every outcome of a refresh and of a use of an access token.
    pub const ANSWERS: &'static [&'static str] = &[
        "refresh: rotate",
        "refresh: rotate, one discarded",
        "refresh: replay",
        "refresh: renew",
        "refresh: superseded",
        "refresh: theft: fork",
        "refresh: theft: parent_returned",
        "refresh: theft: abandoned_branch",
        "refresh: theft: older_token",
        "refresh: revoked: logout",
        "refresh: revoked: logout_everywhere",
        "refresh: revoked: reused",
        "refresh: revoked: administrative",
        "refresh: revoked: displaced",
        "refresh: expired",
        "refresh: unknown",
        "use: confirmed",
        "use: unchanged",
        "use: theft",
        "use: revoked",
        "use: unknown",
    ];

    /// Every outcome of a login, and what concerns the notes of a session.
    pub const LOGINS: &'static [&'static str] = &[
        "create: begun",
        "create: begun, some evicted",
        "create: known",
        "create: known, some evicted",
        "create: some deleted",
        "set claims",
        "set claims: not live",
        "refresh: with claims",
    ];

    /// Counts the outcome of a refresh.
    pub fn refresh(&mut self, answer: Option<Decision>, discarded: bool) {
        self.count(match answer {
            None => "refresh: unknown".to_owned(),
            Some(Decision::Rotate(_)) if discarded => "refresh: rotate, one discarded".to_owned(),
            Some(Decision::Rotate(_)) => "refresh: rotate".to_owned(),
            Some(Decision::Replay(_)) => "refresh: replay".to_owned(),
            Some(Decision::Renew { .. }) => "refresh: renew".to_owned(),
            Some(Decision::Superseded) => "refresh: superseded".to_owned(),
            Some(Decision::Reuse(theft)) => format!("refresh: theft: {}", theft.as_str()),
            Some(Decision::Revoked(reason)) => format!("refresh: revoked: {reason}"),
            Some(Decision::Expired) => "refresh: expired".to_owned(),
        });
    }

    /// Counts the outcome of a use of an access token.
    pub fn record_use(&mut self, answer: Option<UseOutcome>) {
        let name = match answer {
            None => "unknown",
            Some(UseOutcome::ChildInUse) => "confirmed",
            Some(UseOutcome::Unchanged) => "unchanged",
            Some(UseOutcome::Reuse) => "theft",
            Some(UseOutcome::Revoked(_)) => "revoked",
            Some(UseOutcome::Expired) => "expired",
        };
        self.count(format!("use: {name}"));
    }

    /// Counts a login: whether it was repeated, and whether it evicted sessions.
    pub fn create(&mut self, again: bool, displaced: bool) {
        let what = if again { "create: known" } else { "create: begun" };
        self.count(format!("{what}{}", if displaced { ", some evicted" } else { "" }));
    }

    /// Counts another operation.
    pub fn count(&mut self, what: impl Into<String>) {
        *self.0.entry(what.into()).or_default() += 1;
    }

    /// Whether a run goes on after this many operations: it has at least `least`, and more, up to ten times
    /// as many, while one of the wanted outcomes has not occurred.
    pub fn needs_more(&self, wanted: &[&[&str]], done: usize, least: usize) -> bool {
        done < least || (done < 10 * least && !self.missing(wanted).is_empty())
    }

    /// Prints the coverage and fails unless each of these occurred.
    pub fn require(&self, wanted: &[&[&str]]) {
        for (what, times) in &self.0 {
            println!("{times:>7} {what}");
        }
        let missing = self.missing(wanted);
        assert!(missing.is_empty(), "did not occur: {missing:?}");
    }

    fn missing<'a>(&self, wanted: &[&[&'a str]]) -> Vec<&'a str> {
        let all = wanted.iter().copied().flatten().copied();
        all.filter(|outcome| !self.0.contains_key(*outcome)).collect()
    }
}

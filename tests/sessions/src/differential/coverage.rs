//! The outcomes that a run has covered, so that a run with little coverage fails.

use std::collections::BTreeMap;

use regrant::session::{Decision, UseOutcome};

/// How often each outcome occurred.
#[derive(Clone, Debug, Default)]
pub struct Coverage(BTreeMap<String, usize>);

impl Coverage {
    /// Every outcome of a refresh and of a use of an access token.
    pub const ANSWERS: [&'static str; 21] = [
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

    /// Every outcome of a login.
    pub const LOGINS: [&'static str; 5] = [
        "create: begun",
        "create: begun, some evicted",
        "create: known",
        "create: known, some evicted",
        "create: some deleted",
    ];

    /// The outcomes that concern the notes of a session.
    pub const NOTES: [&'static str; 3] =
        ["set claims", "set claims: not live", "refresh: with claims"];

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

    /// Prints the coverage and fails unless each of these occurred at least `least` times.
    pub fn require(&self, what: &[&str], least: usize) {
        for (what, times) in &self.0 {
            println!("{times:>7} {what}");
        }
        let rare: Vec<_> = what
            .iter()
            .filter(|answer| self.0.get(**answer).is_none_or(|times| *times < least))
            .collect();
        assert!(rare.is_empty(), "less than {least} times: {rare:?}");
    }
}

//! What a run has met, so that none passes that met little.

use std::collections::BTreeMap;

use regrant::session::{UseOutcome, Decision};

/// How often each answer was given.
#[derive(Clone, Debug, Default)]
pub struct Census(BTreeMap<String, usize>);

impl Census {
    /// Every answer to a refresh and to a sighting that a store can give.
    pub const ANSWERS: [&'static str; 21] = [
        "refresh: issue",
        "refresh: issue, one abandoned",
        "refresh: reissue",
        "refresh: keep",
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
        "confirm: confirmed",
        "confirm: unchanged",
        "confirm: theft",
        "confirm: revoked",
        "confirm: unknown",
    ];

    /// What a login can do.
    pub const LOGINS: [&'static str; 5] = [
        "create: begun",
        "create: begun, some displaced",
        "create: known",
        "create: known, some displaced",
        "create: some forgotten",
    ];

    /// Counts an answer to a refresh.
    pub fn refresh(&mut self, answer: Option<Decision>, abandoned: bool) {
        self.count(match answer {
            None => "refresh: unknown".to_owned(),
            Some(Decision::Rotate(_)) if abandoned => "refresh: issue, one abandoned".to_owned(),
            Some(Decision::Rotate(_)) => "refresh: issue".to_owned(),
            Some(Decision::Replay(_)) => "refresh: reissue".to_owned(),
            Some(Decision::Renew) => "refresh: keep".to_owned(),
            Some(Decision::Superseded) => "refresh: superseded".to_owned(),
            Some(Decision::Theft(theft)) => format!("refresh: theft: {}", theft.as_str()),
            Some(Decision::Revoked(reason)) => format!("refresh: revoked: {reason}"),
            Some(Decision::Expired) => "refresh: expired".to_owned(),
        });
    }

    /// Counts an answer to a sighting.
    pub fn confirm(&mut self, answer: Option<UseOutcome>) {
        let name = match answer {
            None => "unknown",
            Some(UseOutcome::Confirmed) => "confirmed",
            Some(UseOutcome::Unchanged) => "unchanged",
            Some(UseOutcome::Theft) => "theft",
            Some(UseOutcome::Revoked(_)) => "revoked",
            Some(UseOutcome::Expired) => "expired",
        };
        self.count(format!("confirm: {name}"));
    }

    /// Counts a login: whether it was one that had been before, and whether any session gave way
    /// to it.
    pub fn create(&mut self, again: bool, displaced: bool) {
        let what = if again { "create: known" } else { "create: begun" };
        self.count(format!("{what}{}", if displaced { ", some displaced" } else { "" }));
    }

    /// Counts another operation.
    pub fn count(&mut self, what: impl Into<String>) {
        *self.0.entry(what.into()).or_default() += 1;
    }

    /// Prints what was met and insists on `least` of each of these.
    pub fn demand(&self, what: &[&str], least: usize) {
        for (what, times) in &self.0 {
            println!("{times:>7} {what}");
        }
        let rare: Vec<_> = what
            .iter()
            .filter(|answer| self.0.get(**answer).is_none_or(|times| *times < least))
            .collect();
        assert!(rare.is_empty(), "met less than {least} times: {rare:?}");
    }
}

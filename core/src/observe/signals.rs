//! What the engine has to say, as metrics and as fields of its spans.

use std::time::Duration;

use tracing::Span;

use super::metric as metrics;
use super::outcome::note;
use super::record::{count, seconds, set};
use crate::auth::{AuditKind, Renewal, Renewed, TokenPair};
use crate::error::Result;
use crate::revocation::Denial;
use crate::types::RevocationReason;

/// A span of an operation of the facade; see the table in the documentation of this module.
macro_rules! operation_span {
    ($level:ident, $name:literal) => {
        tracing::span!(
            target: "regrant",
            tracing::Level::$level,
            $name,
            session = tracing::field::Empty,
            outcome = tracing::field::Empty,
            error = tracing::field::Empty,
        )
    };
}
pub(crate) use operation_span;

pub(crate) fn login(span: &Span, result: &Result<TokenPair>) {
    let outcome = note(span, result, |_| "issued");
    count(&metrics::LOGINS, &[("outcome", outcome)]);
}

pub(crate) fn refresh(span: &Span, result: &Result<Renewed>, took: Duration) {
    let outcome = note(span, result, |renewed| match renewed.renewal {
        Renewal::Issued => "issued",
        Renewal::Reissued => "reissued",
        Renewal::Kept => "kept",
    });
    count(&metrics::REFRESHES, &[("outcome", outcome)]);
    seconds(&metrics::REFRESH_SECONDS, &[], took);
}

/// Counts what the audit log is told and no operation has counted.
pub(crate) fn audited(kind: &AuditKind) {
    match kind {
        AuditKind::Adopted => count(&metrics::ADOPTIONS, &[]),
        AuditKind::Theft { how } => {
            count(&metrics::THEFTS, &[("how", how)]);
            revoked(RevocationReason::Reused);
        }
        AuditKind::Revoked { reason, .. } => revoked(*reason),
        AuditKind::Login { .. }
        | AuditKind::Refreshed { .. }
        | AuditKind::Reissued
        | AuditKind::Superseded => {}
    }
}

fn revoked(reason: RevocationReason) {
    count(&metrics::SESSIONS_REVOKED, &[("reason", reason.as_str())]);
}

pub(crate) fn access_denied(by: Denial) {
    let by = match by {
        Denial::Session => "session",
        Denial::DiscardedChild => "child",
        Denial::Subject => "subject",
        Denial::Overflow => "overflow",
    };
    count(&metrics::ACCESS_DENIED, &[("by", by)]);
}

pub(crate) fn sighting_dropped() {
    count(&metrics::SIGHTINGS_DROPPED, &[]);
}

pub(crate) fn deny_list(entries: usize) {
    set(&metrics::DENY_LIST_ENTRIES, entries as f64);
}

pub(crate) fn feed_lag(lag: Duration) {
    set(&metrics::FEED_LAG_SECONDS, lag.as_secs_f64());
}

pub(crate) fn delivered(took: Duration) {
    seconds(&metrics::DELIVERY_SECONDS, &[], took);
}

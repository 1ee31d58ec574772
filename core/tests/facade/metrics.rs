//! What the recorder of metrics is told: each metric once, by what causes it.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use regrant::identity::{SessionId, Subject};
use regrant::observe::{METRICS, Metric, MetricKind};
use regrant::revocation::RevocationReason;
use regrant::{Login, RefreshRequest};
use serde_json::json;

use super::faults::flaky_world;
use super::feed::processes;
use super::{World, alice, assert_code, next, settle};

/// Everything that was recorded: by name and labels, as in `name{label="value"}`.
#[derive(Debug)]
struct Recorded(BTreeMap<String, DebugValue>);

impl Recorded {
    /// What was recorded since the last look.
    fn take(snapshotter: &Snapshotter) -> Self {
        let entries = snapshotter.snapshot().into_vec().into_iter();
        Self(entries.map(|(key, _, _, value)| (shown(key.key()), value)).collect())
    }

    /// The counters that are not zero.
    fn counters(&self) -> Vec<(&str, u64)> {
        let mut counters = Vec::new();
        for (name, value) in &self.0 {
            match value {
                DebugValue::Counter(count) if *count > 0 => counters.push((name.as_str(), *count)),
                _ => {}
            }
        }
        counters
    }

    fn gauge(&self, name: &str) -> f64 {
        match self.0.get(name) {
            Some(DebugValue::Gauge(value)) => value.into_inner(),
            other => panic!("{name}: {other:?}"),
        }
    }

    fn samples(&self, name: &str) -> Vec<f64> {
        match self.0.get(name) {
            Some(DebugValue::Histogram(values)) => values.iter().map(|v| v.into_inner()).collect(),
            None => Vec::new(),
            other => panic!("{name}: {other:?}"),
        }
    }
}

fn shown(key: &metrics::Key) -> String {
    let labels: Vec<_> =
        key.labels().map(|label| format!("{}={:?}", label.key(), label.value())).collect();
    match labels.is_empty() {
        true => key.name().to_owned(),
        false => format!("{}{{{}}}", key.name(), labels.join(",")),
    }
}

/// Runs a scenario, background tasks included, with a recorder of its own.
fn record(scenario: impl AsyncFnOnce(Snapshotter)) {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    metrics::with_local_recorder(&recorder, || runtime.block_on(scenario(snapshotter)));
}

#[test]
fn every_outcome_of_a_refresh_is_counted() {
    record(async |seen| {
        let world = World::new(json!({}));
        let pair = world.login().await;
        let token = pair.refresh_token.expose();
        let child = world.refresh(token).await.unwrap();
        world.refresh(token).await.unwrap();
        let latest = world.refresh(next(&child)).await.unwrap();
        assert_code(world.refresh(token).await, "ERR_REFRESH_SUPERSEDED");
        assert_code(world.refresh("forged").await, "ERR_TOKEN_MALFORMED");
        let wrong = RefreshRequest::new(next(&latest)).expect_subject(Subject::new("bob").unwrap());
        assert_code(world.auth.refresh(wrong).await, "ERR_SUBJECT_MISMATCH");
        world.auth.refresh(RefreshRequest::new(next(&latest)).rotate(false)).await.unwrap();
        let lost = World::new(json!({})).login().await;
        assert_code(world.refresh(lost.refresh_token.expose()).await, "ERR_SESSION_UNKNOWN");
        world.advance(11);
        assert_code(world.refresh(token).await, "ERR_REFRESH_REUSED");
        assert_code(world.refresh(next(&latest)).await, "ERR_SESSION_REVOKED");
        let idle = world.login().await;
        world.advance(15 * 86_400);
        assert_code(world.refresh(idle.refresh_token.expose()).await, "ERR_REFRESH_EXPIRED");

        let recorded = Recorded::take(&seen);
        assert_eq!(
            recorded.counters(),
            [
                ("regrant_logins_total{outcome=\"issued\"}", 3),
                ("regrant_refreshes_total{outcome=\"expired\"}", 1),
                ("regrant_refreshes_total{outcome=\"issued\"}", 2),
                ("regrant_refreshes_total{outcome=\"kept\"}", 1),
                ("regrant_refreshes_total{outcome=\"reissued\"}", 1),
                ("regrant_refreshes_total{outcome=\"rejected\"}", 2),
                ("regrant_refreshes_total{outcome=\"reused\"}", 1),
                ("regrant_refreshes_total{outcome=\"revoked\"}", 1),
                ("regrant_refreshes_total{outcome=\"superseded\"}", 1),
                ("regrant_refreshes_total{outcome=\"unknown\"}", 1),
                ("regrant_sessions_revoked_total{reason=\"reused\"}", 1),
                ("regrant_thefts_total{how=\"older_token\"}", 1),
            ]
        );
        assert_eq!(recorded.samples("regrant_refresh_seconds").len(), 11);
        let asked = "regrant_store_operation_seconds{operation=\"refresh\",outcome=\"ok\"}";
        assert_eq!(recorded.samples(asked).len(), 9);
    });
}

#[test]
fn ended_sessions_and_what_is_refused_for_them_are_counted() {
    record(async |seen| {
        let world = World::new(json!({}));
        let pairs = [world.login().await, world.login().await, world.login().await];
        world.auth.logout(pairs[0].refresh_token.expose()).await.unwrap();
        let reason = RevocationReason::Administrative;
        assert!(world.auth.revoke_session(&alice(), &pairs[1].session, reason).await.unwrap());
        // Once more changes nothing, and so counts for nothing.
        assert!(!world.auth.revoke_session(&alice(), &pairs[1].session, reason).await.unwrap());
        world.auth.logout_everywhere(&alice()).await.unwrap();
        for pair in &pairs {
            assert_code(world.auth.verify(pair.access_token.expose()), "ERR_ACCESS_REVOKED");
        }
        let recorded = Recorded::take(&seen);
        assert_eq!(
            recorded.counters(),
            [
                ("regrant_access_denied_total{by=\"session\"}", 3),
                ("regrant_logins_total{outcome=\"issued\"}", 3),
                ("regrant_sessions_revoked_total{reason=\"administrative\"}", 1),
                ("regrant_sessions_revoked_total{reason=\"logout\"}", 1),
                ("regrant_sessions_revoked_total{reason=\"logout_everywhere\"}", 1),
            ]
        );
        // The three sessions, and the user's tokens without one.
        assert_eq!(recorded.gauge("regrant_deny_list_entries"), 4.0);
    });
}

#[test]
fn the_access_token_of_a_lost_child_counts_as_a_theft() {
    record(async |seen| {
        let world = World::new(json!({}));
        let pair = world.login().await;
        let thief = world.refresh(pair.refresh_token.expose()).await.unwrap();
        world.advance(11);
        world.refresh(pair.refresh_token.expose()).await.unwrap();
        assert_code(world.auth.verify(thief.access_token.expose()), "ERR_ACCESS_REVOKED");
        settle().await;
        let recorded = Recorded::take(&seen);
        let counters = recorded.counters();
        assert!(counters.contains(&("regrant_access_denied_total{by=\"child\"}", 1)));
        assert!(counters.contains(&("regrant_thefts_total{how=\"denied_access\"}", 1)));
        let told = "regrant_store_operation_seconds{operation=\"confirm\",outcome=\"ok\"}";
        assert_eq!(recorded.samples(told).len(), 1);
    });
}

#[test]
fn a_store_that_fails_is_counted_by_operation() {
    record(async |seen| {
        let (world, store) = flaky_world();
        let pair = world.login().await;
        world.refresh(pair.refresh_token.expose()).await.unwrap();
        Recorded::take(&seen);
        store.down.store(true, Ordering::SeqCst);
        let failures = [
            world.auth.login(Login::new(alice())).await.map(drop),
            world.refresh(pair.refresh_token.expose()).await.map(drop),
            world.auth.logout(pair.refresh_token.expose()).await.map(drop),
            world.auth.logout_everywhere(&alice()).await.map(drop),
            world.auth.sessions(&alice(), None).await.map(drop),
        ];
        failures
            .into_iter()
            .for_each(|outcome| drop(assert_code(outcome, "ERR_STORE_UNAVAILABLE")));
        world.auth.verify(pair.access_token.expose()).unwrap();
        settle().await;
        let recorded = Recorded::take(&seen);
        assert_eq!(
            recorded.counters(),
            [
                ("regrant_logins_total{outcome=\"store_error\"}", 1),
                ("regrant_refreshes_total{outcome=\"store_error\"}", 1),
                ("regrant_sightings_dropped_total", 1),
                ("regrant_store_errors_total{operation=\"confirm\"}", 1),
                ("regrant_store_errors_total{operation=\"create\"}", 1),
                ("regrant_store_errors_total{operation=\"list\"}", 1),
                ("regrant_store_errors_total{operation=\"refresh\"}", 1),
                ("regrant_store_errors_total{operation=\"revoke\"}", 1),
                ("regrant_store_errors_total{operation=\"revoke_all\"}", 1),
            ]
        );
        let failed = "regrant_store_operation_seconds{operation=\"refresh\",outcome=\"error\"}";
        assert_eq!(recorded.samples(failed).len(), 1);
    });
}

#[test]
fn the_gauges_tell_the_lag_and_the_deny_list() {
    record(async |seen| {
        let (here, there, common) = processes();
        // Not read yet: the lag counts from the start.
        here.advance(7);
        there.auth.update_gauges();
        assert_eq!(Recorded::take(&seen).gauge("regrant_revocation_feed_lag_seconds"), 7.0);
        settle().await;
        there.auth.update_gauges();
        assert_eq!(Recorded::take(&seen).gauge("regrant_revocation_feed_lag_seconds"), 0.0);
        common.hold(true);
        here.advance(11);
        there.auth.update_gauges();
        let recorded = Recorded::take(&seen);
        assert_eq!(recorded.gauge("regrant_revocation_feed_lag_seconds"), 11.0);
        assert_eq!(recorded.gauge("regrant_deny_list_entries"), 0.0);
    });
}

#[test]
fn the_delivery_of_news_is_measured_by_the_clock_of_the_store() {
    record(async |seen| {
        let (here, _there, common) = processes();
        let pair = here.login().await;
        settle().await;
        common.hold(true);
        here.auth.logout(pair.refresh_token.expose()).await.unwrap();
        here.advance(3);
        common.hold(false);
        settle().await;
        // Both facades read it, the one that told it too.
        let recorded = Recorded::take(&seen);
        assert_eq!(recorded.samples("regrant_revocation_delivery_seconds"), [3.0, 3.0]);
        // What was told before a process started is no news to it.
        let _later = World::with(json!({}), |builder| builder.store(common.process()));
        settle().await;
        let recorded = Recorded::take(&seen);
        assert_eq!(recorded.samples("regrant_revocation_delivery_seconds"), [0.0; 0]);
        assert_eq!(recorded.gauge("regrant_deny_list_entries"), 1.0);
    });
}

#[test]
fn a_feed_that_cannot_be_read_is_counted() {
    record(async |seen| {
        let (_here, _there, common) = processes();
        settle().await;
        common.cut(true);
        settle().await;
        let recorded = Recorded::take(&seen);
        assert_eq!(
            recorded.counters(),
            [("regrant_store_errors_total{operation=\"read_feed\"}", 2)]
        );
    });
}

#[test]
fn every_metric_is_described_and_documented_and_counters_begin_at_zero() {
    let page = include_str!("../../src/observe/mod.rs");
    record(async |seen| {
        let _world = World::new(json!({}));
        let recorded = Recorded::take(&seen);
        for Metric { name, kind, labels, .. } in METRICS {
            assert!(page.contains(&format!("`{name}`")), "{name} is not documented");
            assert_eq!(name.ends_with("_total"), *kind == MetricKind::Counter, "{name}");
            for value in labels.iter().flat_map(|(_, values)| *values) {
                let named = ["how", "reason"].contains(&labels[0].0);
                assert!(named || page.contains(&format!("`{value}`")), "{name}: {value}");
            }
            if *kind == MetricKind::Counter {
                let zeros = recorded.0.keys().filter(|key| key.split('{').next() == Some(name));
                let values = labels.first().map_or(1, |(_, values)| values.len());
                assert_eq!(zeros.count(), values, "{name}");
            }
        }
    });
}

#[test]
fn nothing_is_recorded_that_is_not_in_the_table() {
    record(async |seen| {
        let (here, _there, _common) = processes();
        let pair = here.login().await;
        here.auth.verify(pair.access_token.expose()).unwrap();
        here.refresh(pair.refresh_token.expose()).await.unwrap();
        here.auth.logout_everywhere(&alice()).await.unwrap();
        let unknown = SessionId::from_bytes([7; 16]);
        here.auth.revoke_session(&alice(), &unknown, RevocationReason::Logout).await.unwrap();
        settle().await;
        here.auth.update_gauges();
        let snapshot = seen.snapshot().into_vec();
        assert!(snapshot.len() > 20);
        for (key, unit, description, _) in snapshot {
            let key = key.key();
            let metric = METRICS.iter().find(|metric| metric.name == key.name());
            let metric = metric.unwrap_or_else(|| panic!("{key} is not in the table"));
            assert!(unit.is_some() && description.is_some(), "{key} is not described");
            assert_eq!(key.labels().len(), metric.labels.len(), "{key}");
            for (label, (name, values)) in key.labels().zip(metric.labels) {
                assert_eq!(label.key(), *name, "{key}");
                assert!(values.contains(&label.value()), "{key} has a value that is not listed");
            }
        }
    });
}

#[test]
fn verify_records_nothing() {
    record(async |seen| {
        let world = World::new(json!({}));
        let pair = world.login().await;
        world.auth.verify(pair.access_token.expose()).unwrap();
        settle().await;
        Recorded::take(&seen);
        world.auth.verify(pair.access_token.expose()).unwrap();
        assert_code(world.auth.verify("forged"), "ERR_TOKEN_MALFORMED");
        world.clock.advance(Duration::from_secs(3600));
        assert_code(world.auth.verify(pair.access_token.expose()), "ERR_TOKEN_EXPIRED");
        settle().await;
        assert_eq!(Recorded::take(&seen).counters(), []);
    });
}

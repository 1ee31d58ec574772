//! The table of metrics, its documentation and what is recorded agree.

use regrant::auth::metrics::{METRICS, Metric, MetricKind};
use regrant::types::{RevocationReason, SessionId};
use serde_json::json;

use super::super::feed::processes;
use super::super::{World, alice, settle};
use super::{Recorded, record};

#[test]
fn every_metric_is_described_and_documented_and_counters_start_at_zero() {
    let page = include_str!("../../../../src/auth/metrics.rs");
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
fn every_recorded_metric_is_in_the_table() {
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

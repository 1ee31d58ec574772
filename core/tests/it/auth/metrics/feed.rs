//! The metrics of the revocation feed.

use serde_json::json;

use super::super::feed::processes;
use super::super::{World, settle};
use super::{Recorded, record};

#[test]
fn gauges_report_the_lag_and_the_deny_list_size() {
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
fn delivery_time_is_measured_by_the_server_clock() {
    record(async |seen| {
        let (here, _there, common) = processes();
        let pair = here.login().await;
        settle().await;
        common.hold(true);
        here.auth.logout(pair.refresh_token.expose()).await.unwrap();
        here.advance(3);
        common.hold(false);
        settle().await;
        // Both `Auth` instances read the revocation, including the one that published it.
        let recorded = Recorded::take(&seen);
        assert_eq!(recorded.samples("regrant_revocation_delivery_seconds"), [3.0, 3.0]);
        // Revocations published before a process started are not counted as received.
        let _later = World::with(json!({}), |builder| builder.store(common.process()));
        settle().await;
        let recorded = Recorded::take(&seen);
        assert_eq!(recorded.samples("regrant_revocation_delivery_seconds"), [0.0; 0]);
        assert_eq!(recorded.gauge("regrant_deny_list_entries"), 1.0);
    });
}

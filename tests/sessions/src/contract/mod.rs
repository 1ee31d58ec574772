//! The contract of session stores: one suite of cases against the trait. [`crate::contract!`] runs
//! all of them over one backend.
#![allow(missing_docs, reason = "the name of a case says what it checks")]

pub mod access_token_use;
pub mod failure_counter;
pub mod feed;
mod fixture;
pub mod import;
pub mod list;
pub mod names;
pub mod notes;
pub mod realm;
pub mod refresh;
pub mod revoke;
pub mod session_limit;
pub mod theft;

pub use fixture::{Fixture, GRACE, HOUR, MINUTE, UNUSED_GRACE};

/// Passes all cases to the macro `$with`, after the arguments for it.
#[doc(hidden)]
#[macro_export]
macro_rules! contract_cases {
    ($with:ident! $($arguments:tt)*) => {
        $with! { $($arguments)*
            refresh: repeating_a_login_changes_nothing,
            refresh: a_login_replaces_an_expired_session_of_the_same_id,
            refresh: each_refresh_issues_the_next_child,
            refresh: within_the_grace_the_same_child_is_issued,
            refresh: an_unused_child_is_issued_again_for_longer,
            refresh: a_child_that_was_just_given_again_is_not_discarded,
            refresh: a_child_that_was_given_again_is_discarded_after_the_grace,
            refresh: the_grace_of_a_used_child_begins_with_its_use,
            refresh: an_unused_child_is_discarded_for_the_next_branch,
            refresh: after_a_lost_write_a_late_child_is_accepted,
            refresh: fifty_concurrent_refreshes_get_one_child,
            refresh: without_rotation_the_refresh_token_is_kept,
            refresh: a_session_that_has_rotated_always_rotates,
            refresh: a_renewal_moves_the_idle_deadline,
            refresh: a_clock_that_was_behind_signs_nobody_out,
            refresh: a_clock_that_is_ahead_deletes_nothing,
            refresh: a_token_newer_than_the_record_is_accepted,
            refresh: a_superseded_token_gets_nothing_and_revokes_nothing,
            refresh: an_unknown_session_stays_unknown,
            refresh: another_user_s_session_is_unknown,
            refresh: an_expired_token_is_refused,
            theft: each_kind_of_theft_is_detected,
            theft: theft_revokes_its_session_only,
            theft: theft_revokes_all_sessions_of_the_user,
            theft: a_denied_use_revokes_all_sessions_of_the_user,
            access_token_use: a_use_is_recorded_once,
            access_token_use: use_of_a_discarded_child_is_theft,
            access_token_use: a_use_in_a_revoked_or_unknown_session_changes_nothing,
            revoke: a_revoked_session_keeps_its_first_reason,
            revoke: an_idle_session_is_revoked_and_not_counted_as_live,
            revoke: every_reason_is_kept_until_the_session_would_have_expired,
            revoke: revoke_all_revokes_every_session_of_the_user,
            revoke: revoke_all_spares_the_excepted_session,
            revoke: revoke_all_created_before_spares_later_sessions,
            session_limit: the_least_recently_refreshed_session_is_evicted,
            session_limit: on_a_tie_the_older_session_is_evicted,
            session_limit: only_live_sessions_count,
            session_limit: a_lower_limit_evicts_several_at_once,
            session_limit: a_repeated_login_evicts_nobody_else,
            session_limit: the_most_recently_ended_sessions_are_kept,
            session_limit: without_a_limit_nothing_is_deleted,
            session_limit: a_migrated_session_is_not_deleted,
            list: sessions_are_listed_with_their_records,
            list: expired_sessions_are_left_out,
            failure_counter: failures_are_counted_until_their_window_ends,
            failure_counter: each_address_and_each_subject_has_its_own_failures,
            failure_counter: fifty_concurrent_failures_are_counted_fifty_times,
            feed: entries_live_as_long_as_each_says,
            feed: too_many_entries_are_replaced_by_a_cutoff,
            feed: too_many_bytes_are_replaced_by_a_cutoff,
            import: sessions_of_another_store_go_on,
            import: what_both_stores_know_is_merged,
            import: the_notes_of_both_stores_are_merged,
            import: an_import_undoes_no_concurrent_change,
            import: what_the_other_store_has_deleted_is_deleted_once_it_is_over,
            import: all_users_are_listed,
            realm: nothing_of_one_realm_means_anything_in_another,
            realm: a_store_keeps_realms_apart,
            realm: sessions_of_previous_realms_go_on,
            realm: theft_of_a_session_of_a_previous_realm_is_detected,
            names: labels_and_users_of_any_script,
            names: users_do_not_share_anything,
            notes: the_clients_of_login_and_latest_refresh_are_stored,
            notes: a_refused_refresh_is_not_the_latest,
            notes: a_refresh_tells_the_claims_that_were_set_last,
            notes: only_live_sessions_get_claims,
            notes: a_new_session_of_an_expired_id_has_none_of_its_notes,
        }
    };
}

/// Runs the contract over one backend: `contract!(memory, open())`, where `open()` is a future
/// of a [`Fixture`] with an empty store.
#[macro_export]
macro_rules! contract {
    ($backend:ident, $open:expr) => {
        mod $backend {
            #[allow(unused_imports, reason = "not every expression needs them")]
            use super::*;
            use $crate::contract;

            $crate::contract_cases! { contract! @cases $open; }
        }
    };
    (@cases $open:expr; $($module:ident: $case:ident,)+) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let fixture: $crate::contract::Fixture = $open.await;
                $crate::contract::$module::$case(&fixture).await;
            }
        )+
    };
}

macro_rules! run_each {
    (($open:expr, $skipped:expr) $($module:ident: $case:ident,)+) => {
        $(
            if $skipped != Some(stringify!($module)) {
                eprintln!("{}: {}", stringify!($module), stringify!($case));
                Box::pin($module::$case(&$open())).await;
            }
        )+
    };
}

/// Runs all cases but those of the module `skipped` in one test, each over a store that `open` returns: for variants of
/// a backend, of which there are many. The output names the case that failed.
pub async fn run_all(open: &(dyn Fn() -> Fixture + Sync), skipped: Option<&str>) {
    crate::contract_cases! { run_each! (open, skipped) }
}

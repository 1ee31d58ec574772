//! What every home of sessions owes, written once against the trait. [`crate::contract!`] runs all of
//! it over one home.
#![allow(missing_docs, reason = "the name of a case says what it is about")]

pub mod confirming;
pub mod ending;
pub mod failing;
mod fixture;
pub mod listing;
pub mod names;
pub mod refreshing;
pub mod room;
pub mod stealing;

pub use fixture::{Fixture, GRACE, HOUR, MINUTE};

/// Runs the whole contract over one home: `contract!(memory, open())`, where `open()` is a future
/// of a [`Fixture`] with an empty store.
#[macro_export]
macro_rules! contract {
    ($home:ident, $open:expr) => {
        mod $home {
            #[allow(unused_imports, reason = "what the expression needs is up to it")]
            use super::*;

            $crate::contract! { @cases $open;
                refreshing: a_login_is_repeated_without_harm,
                refreshing: an_expired_session_makes_room,
                refreshing: each_refresh_hands_out_the_next_child,
                refreshing: within_the_grace_the_same_child_is_handed_out,
                refreshing: a_lost_child_gives_way_to_the_next_branch,
                refreshing: fifty_at_once_get_one_child,
                refreshing: without_rotation_the_token_stays,
                refreshing: a_token_from_after_lost_writes_is_taken,
                refreshing: a_superseded_token_gets_nothing_and_ends_nothing,
                refreshing: an_unknown_session_stays_unknown,
                refreshing: another_user_s_session_is_unknown,
                refreshing: past_its_end_a_token_is_refused,
                stealing: each_kind_of_theft_is_told,
                stealing: a_theft_ends_its_session_only,
                stealing: a_theft_ends_all_sessions_of_its_user,
                stealing: a_denied_use_ends_all_sessions_of_its_user,
                confirming: a_use_is_noted_once,
                confirming: an_abandoned_child_in_use_is_a_theft,
                confirming: a_use_in_an_ended_or_unknown_session,
                ending: an_ended_session_stays_ended_for_the_first_reason,
                ending: every_reason_is_kept_until_the_session_would_have_expired,
                ending: all_sessions_of_a_user_end_at_once,
                ending: all_but_one_end,
                ending: those_from_before_an_instant_end,
                room: the_least_recently_refreshed_gives_way,
                room: where_none_was_refreshed_earlier_the_older_gives_way,
                room: only_live_sessions_take_room,
                room: a_lower_cap_displaces_several_at_once,
                room: a_repeated_login_displaces_nobody_else,
                room: of_those_that_are_over_the_last_ended_are_kept,
                room: without_a_cap_nothing_is_forgotten,
                room: an_adopted_session_is_not_forgotten,
                listing: sessions_are_listed_with_their_records,
                listing: expired_sessions_are_left_out,
                failing: failures_are_counted_until_their_window_ends,
                failing: each_address_and_each_subject_has_its_own_failures,
                failing: fifty_at_once_are_counted_fifty_times,
                names: labels_and_users_of_any_script,
                names: users_do_not_share_anything,
            }
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

//! Stores against the Rust functions, Redis (Lua) and PostgreSQL on real servers. `REGRANT_SEED` repeats a run.

use regrant_session_tests::differential::{Random, Tested, any_record, histories, seed};
use regrant_test_support::{PostgresServer, RedisServer};

/// Random histories agree with the memory store.
async fn agrees_over_histories(tested: Tested, operations: usize) {
    histories(tested, &mut Random::new(seed()), operations).await;
}

/// Any record and any token agree with the state machine.
async fn agrees_over_any_record(tested: Tested, rounds: usize) {
    any_record(tested, &mut Random::new(seed()), rounds).await;
}

#[tokio::test]
async fn random_histories_in_redis_agree_with_the_memory_store() {
    let server = RedisServer::start().unwrap();
    agrees_over_histories(Tested::redis(&server, "histories:").await, 4_000).await;
}

#[tokio::test]
async fn any_record_in_redis_agrees_with_the_state_machine() {
    let server = RedisServer::start().unwrap();
    agrees_over_any_record(Tested::redis(&server, "any record:").await, 5_000).await;
}

// In PostgreSQL each operation is a commit, so there are fewer; the decisions are those of the Rust
// functions themselves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_histories_in_postgres_agree_with_the_memory_store() {
    let server = PostgresServer::start().unwrap();
    agrees_over_histories(Tested::postgres(&server).await, 4_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_record_in_postgres_agrees_with_the_state_machine() {
    let server = PostgresServer::start().unwrap();
    agrees_over_any_record(Tested::postgres(&server).await, 2_000).await;
}

#[tokio::test]
async fn random_histories_in_a_custom_store_agree_with_the_memory_store() {
    agrees_over_histories(Tested::custom(), 4_000).await;
}

#[tokio::test]
async fn any_record_in_a_custom_store_agrees_with_the_state_machine() {
    agrees_over_any_record(Tested::custom(), 5_000).await;
}

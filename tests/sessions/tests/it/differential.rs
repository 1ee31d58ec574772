//! Stores against the Rust functions: Redis (Lua) and PostgreSQL on real servers, custom stores in Node.js over real
//! databases. `REGRANT_SEED` repeats a run.

use regrant_session_tests::backends;
use regrant_session_tests::contract::failure_counter;
use regrant_session_tests::differential::{Random, Tested, any_record, histories, seed};
use regrant_session_tests::node_database::{NodeDatabase, NodeKeys};
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

async fn agrees_over_histories_in_node(keys: NodeKeys) {
    agrees_over_histories(Tested::custom_node(keys), 200).await;
}

async fn agrees_over_any_record_in_node(keys: NodeKeys) {
    agrees_over_any_record(Tested::custom_node(keys), 200).await;
}

#[tokio::test]
async fn random_histories_in_mariadb_agree_with_the_memory_store() {
    agrees_over_histories_in_node(NodeDatabase::mariadb().keys()).await;
}

#[tokio::test]
async fn any_record_in_mariadb_agrees_with_the_state_machine() {
    agrees_over_any_record_in_node(NodeDatabase::mariadb().keys()).await;
}

#[tokio::test]
async fn random_histories_in_sqlite_agree_with_the_memory_store() {
    agrees_over_histories_in_node(NodeDatabase::sqlite().keys()).await;
}

#[tokio::test]
async fn any_record_in_sqlite_agrees_with_the_state_machine() {
    agrees_over_any_record_in_node(NodeDatabase::sqlite().keys()).await;
}

#[tokio::test]
#[should_panic(expected = "left == right")]
async fn an_adapter_that_loses_updates_fails_the_contract() {
    let keys = NodeDatabase::sqlite().keys().defective("ignores the version");
    let fixture = backends::custom_over(keys.database());
    failure_counter::fifty_concurrent_failures_are_counted_fifty_times(&fixture).await;
}

#[tokio::test]
#[should_panic(expected = "left == right")]
async fn an_adapter_with_stale_reads_does_not_agree() {
    let keys = NodeDatabase::sqlite().keys().defective("reads from a cache");
    agrees_over_any_record_in_node(keys).await;
}

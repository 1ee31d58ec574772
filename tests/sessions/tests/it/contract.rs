//! Runs the contract of stores over every backend. A new backend is one more line.

use regrant_session_tests::backends;
use regrant_session_tests::contract;
use regrant_session_tests::contract::run_all;
use regrant_session_tests::node_database::NodeDatabase;

contract!(memory, backends::memory());
contract!(file, backends::file());
contract!(redis, backends::redis());
contract!(sentinels, backends::sentinels());
contract!(cluster, backends::cluster());
contract!(postgres, backends::postgres());
contract!(custom, backends::custom());
contract!(moving, backends::moving());

/// How a custom store bounds its feed does not depend on the database, and takes long through Node.js.
const FEED: Option<&str> = Some("feed");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn custom_over_mariadb_in_node() {
    run_all(&|| backends::custom_over(NodeDatabase::mariadb().keys().database()), FEED).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn custom_over_sqlite_in_node() {
    run_all(&|| backends::custom_over(NodeDatabase::sqlite().keys().database()), FEED).await;
}

//! PostgreSQL beyond the contract: servers that die, restart and switch, several processes, permissions, and
//! addresses.

use std::sync::Arc;
use std::time::{Duration, Instant};

use regrant::auth::AuthBuilder;
use regrant::revocation::{FeedCursor, Revocation, RevocationTarget};
use regrant::store::postgres::{PostgresOptions, PostgresStore};
use regrant::store::{SessionStore, StoreAddress};
use regrant::types::{Clock as _, SessionId, Subject, SystemClock};
use regrant::{Auth, Error, ErrorCode, Login, RefreshRequest};
use regrant_session_tests::backends;
use regrant_session_tests::contract::Fixture;
use regrant_test_support::{Certificates, PostgresServer, TcpProxy};
use tokio_postgres::NoTls;

/// An operation fails within its timeout of 10 s; a busy machine may be late.
const QUICKLY: Duration = Duration::from_secs(60);

/// An auth object over the database at `url`, as in a process of its own.
fn auth(url: &str) -> Auth {
    let address = StoreAddress::new(url).timeout(Duration::from_secs(10));
    builder().store_at(address).build().expect("a configuration")
}

fn builder() -> AuthBuilder {
    let config = r#"{ "secret": "a secret of 32 bytes or more, for tests", "store": "memory:" }"#;
    Auth::from_json(config).expect("a configuration")
}

async fn until_ok<T>(mut call: impl AsyncFnMut() -> Result<T, Error>) -> T {
    let since = Instant::now();
    loop {
        match call().await {
            Ok(value) => return value,
            Err(error) => {
                assert_eq!(error.code(), ErrorCode::StoreUnavailable, "{error:?}");
                assert!(since.elapsed() < QUICKLY, "{error:?}");
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn login(user: &str) -> Login {
    Login::new(Subject::new(user).expect("a user"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_signs_nobody_out_and_forgets_no_revocation() {
    let mut server = PostgresServer::start().expect("a PostgreSQL server");
    let auth = auth(&server.url());
    let stays = auth.login(login("stays")).await.expect("a login");
    let leaves = auth.login(login("leaves")).await.expect("a login");
    assert!(auth.logout(leaves.refresh_token.expose()).await.expect("a logout"));
    server.kill().expect("killed");
    let since = Instant::now();
    // Its processes notice one after the other that it is gone.
    while auth.refresh(RefreshRequest::new(stays.refresh_token.expose())).await.is_ok() {
        assert!(since.elapsed() < QUICKLY, "the server still answers");
    }
    let since = Instant::now();
    let error = auth.refresh(RefreshRequest::new(stays.refresh_token.expose())).await;
    assert_eq!(error.expect_err("the server is down").code(), ErrorCode::StoreUnavailable);
    assert!(since.elapsed() < QUICKLY);
    assert!(!auth.health().await.ready);
    server.restart().expect("restarted");
    until_ok(async || auth.refresh(RefreshRequest::new(stays.refresh_token.expose())).await).await;
    let error = auth.refresh(RefreshRequest::new(leaves.refresh_token.expose())).await;
    assert_eq!(error.expect_err("logged out").code(), ErrorCode::SessionRevoked);
    // A report is reused for a second.
    let since = Instant::now();
    while !auth.health().await.ready {
        assert!(since.elapsed() < QUICKLY, "the store is not ready again");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_refreshes_by_two_processes_get_one_child() {
    let server = PostgresServer::start().expect("a PostgreSQL server");
    let auths = [auth(&server.url()), auth(&server.url())];
    let pair = auths[0].login(login("alice")).await.expect("a login");
    let calls = (0..50).map(|at| {
        let (auth, token) = (auths[at % 2].clone(), pair.refresh_token.expose().to_owned());
        tokio::spawn(async move {
            let pair = auth.refresh(RefreshRequest::new(&token)).await.expect("a refresh");
            pair.refresh_token.expect("rotation").expose().to_owned()
        })
    });
    let mut children = Vec::new();
    for call in calls.collect::<Vec<_>>() {
        children.push(call.await.expect("no panic"));
    }
    children.sort();
    children.dedup();
    assert_eq!(children.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_server_is_unavailable_and_signs_nobody_out() {
    let server = PostgresServer::start().expect("a PostgreSQL server");
    let auth = auth(&server.url());
    let mut token = auth.login(login("alice")).await.expect("a login").refresh_token;
    server.sql("ALTER SYSTEM SET default_transaction_read_only = on").expect("a setting");
    server.sql("SELECT pg_reload_conf()").expect("a reload");
    let since = Instant::now();
    loop {
        // Always the newest token: a second refresh of a spent one would write nothing.
        match auth.refresh(RefreshRequest::new(token.expose())).await {
            Ok(next) => {
                token = next.refresh_token.expect("rotation");
                assert!(since.elapsed() < QUICKLY, "the setting has no effect");
            }
            Err(error) => break assert_eq!(error.code(), ErrorCode::StoreUnavailable, "{error:?}"),
        }
    }
    assert!(!auth.health().await.ready);
    server.sql("ALTER SYSTEM RESET default_transaction_read_only").expect("a setting");
    server.sql("SELECT pg_reload_conf()").expect("a reload");
    until_ok(async || auth.refresh(RefreshRequest::new(token.expose())).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_without_create_uses_tables_that_exist() {
    let server = PostgresServer::start().expect("a PostgreSQL server");
    let prepare = format!(
        "{} CREATE ROLE app LOGIN; REVOKE CREATE ON SCHEMA public FROM PUBLIC;
         GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO app",
        PostgresStore::SCHEMA
    );
    server.sql(&prepare).expect("tables");
    let url = server.url().replace("regrant@", "app@");
    let auth = auth(&url);
    let pair = auth.login(login("alice")).await.expect("a login");
    auth.refresh(RefreshRequest::new(pair.refresh_token.expose())).await.expect("a refresh");
    assert!(auth.logout(pair.refresh_token.expose()).await.expect("a logout"));
}

/// On a slow disk that takes longer than an operation may, and every process of an app waits for the one that does it.
#[tokio::test(flavor = "multi_thread")]
async fn the_first_operation_waits_for_tables_that_another_process_creates() {
    const TIMEOUT: Duration = Duration::from_secs(2);
    let server = PostgresServer::start().expect("a PostgreSQL server");
    let (other, connection) =
        tokio_postgres::connect(&server.url(), NoTls).await.expect("a connection");
    tokio::spawn(connection);
    let creating = "BEGIN; SELECT pg_advisory_xact_lock(7234017283807667300)";
    other.batch_execute(creating).await.expect("a lock");
    let address = StoreAddress::new(server.url()).timeout(TIMEOUT);
    let auth = builder().store_at(address).build().expect("a configuration");
    let first = ["alice", "bob"].map(|user| {
        let auth = auth.clone();
        tokio::spawn(async move { auth.login(login(user)).await })
    });
    let waiting = "SELECT count(*) FROM pg_stat_activity
        WHERE wait_event = 'advisory' AND clock_timestamp() - query_start > interval '3 seconds'";
    let since = Instant::now();
    while server.sql(waiting).expect("a count") == "0" {
        assert!(since.elapsed() < QUICKLY, "nobody waits for the tables longer than the timeout");
        assert!(first.iter().all(|login| !login.is_finished()), "a login does not wait");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    other.batch_execute("COMMIT").await.expect("released");
    for login in first {
        login.await.expect("a task").expect("a login");
    }
}

/// What has expired is deleted with a write, and another process may hold the row of the feed meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_write_does_not_wait_for_the_deletion_of_what_has_expired() {
    let server = PostgresServer::start().expect("a PostgreSQL server");
    auth(&server.url()).login(login("alice")).await.expect("the tables");
    let (other, connection) =
        tokio_postgres::connect(&server.url(), NoTls).await.expect("a connection");
    tokio::spawn(connection);
    let holding = "BEGIN; SELECT * FROM regrant_feed_state FOR UPDATE";
    other.batch_execute(holding).await.expect("a lock");
    // Another process, which has not deleted anything yet.
    auth(&server.url()).login(login("bob")).await.expect("a login");
    other.batch_execute("COMMIT").await.expect("released");
}

/// One after the other, fifty requests would take fifty times the timeout.
#[tokio::test(flavor = "multi_thread")]
async fn the_first_operations_fail_together_when_the_server_is_silent() {
    const TIMEOUT: Duration = Duration::from_millis(500);
    let server = PostgresServer::start().expect("a PostgreSQL server");
    let proxy = TcpProxy::to(server.port()).expect("a proxy");
    proxy.hold();
    let address = StoreAddress::new(server.url_through(&proxy)).timeout(TIMEOUT);
    let auth = builder().store_at(address).build().expect("a configuration");
    let since = Instant::now();
    let logins = (0..50).map(|_| auth.login(login("alice")));
    for outcome in futures_util::future::join_all(logins).await {
        let error = outcome.expect_err("nobody answers");
        assert_eq!(error.code(), ErrorCode::StoreUnavailable, "{error}");
    }
    assert!(since.elapsed() < TIMEOUT * 25, "{:?}", since.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_permission_is_named() {
    let server = PostgresServer::start().expect("a PostgreSQL server");
    server
        .sql("CREATE ROLE app LOGIN; REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        .expect("a role");
    let store =
        PostgresStore::new(&server.url().replace("regrant@", "app@"), PostgresOptions::default());
    let health = store.expect("an address").health().await;
    assert!(!health.ready);
    let warning = &health.warnings[0].text;
    assert!(warning.contains("permission denied for schema public"), "{warning}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_of_another_database_is_read_from_its_beginning() {
    let server = PostgresServer::start().expect("a PostgreSQL server");
    server.sql("CREATE SCHEMA one; CREATE SCHEMA two").expect("schemas");
    let at = |schema: &str| {
        let url = format!("{}?options=-csearch_path%3D{schema}", server.url());
        PostgresStore::new(&url, PostgresOptions::default()).expect("an address")
    };
    let (one, two) = (at("one"), at("two"));
    let revocation = |byte| {
        Revocation::new(
            RevocationTarget::Session { session: SessionId::from_bytes([byte; 16]) },
            SystemClock.now().plus(Duration::from_secs(900)),
        )
    };
    let feed = one.feed().expect("a feed");
    feed.publish(&[revocation(1), revocation(2)]).await.expect("published");
    let page = feed.read(&FeedCursor::default(), Duration::ZERO).await.expect("a page");
    assert_eq!(page.revocations.len(), 2);
    let other = two.feed().expect("a feed");
    other.publish(&[revocation(3)]).await.expect("published");
    let page = other.read(&page.next, Duration::ZERO).await.expect("a page");
    assert_eq!(page.revocations.len(), 1);
}

/// As `openssl req -x509` makes it, which is what most people do first.
#[tokio::test(flavor = "multi_thread")]
async fn a_self_signed_certificate_is_pinned() {
    let ours = Certificates::self_signed().expect("a certificate");
    let other = Certificates::self_signed().expect("a certificate");
    let mut server = PostgresServer::start().expect("a PostgreSQL server");
    server.use_tls(&ours).expect("TLS");
    let health = async |trusted: &Certificates| {
        let file = trusted.ca_file();
        let url = format!("{}?sslmode=verify-full&sslrootcert={}", server.url(), file.display());
        let store = PostgresStore::new(&url, PostgresOptions::default()).expect("an address");
        store.health().await
    };
    let pinned = health(&ours).await;
    assert!(pinned.ready, "{pinned:?}");
    let refused = health(&other).await;
    let text = &refused.warnings[0].text;
    assert!(!refused.ready && text.contains("set sslrootcert to"), "{text}");
}

/// Idle connections that a firewall has dropped, which nobody tells.
#[tokio::test(flavor = "multi_thread")]
async fn silently_dropped_connections_cost_a_part_of_the_timeout() {
    const TIMEOUT: Duration = Duration::from_secs(20);
    let server = PostgresServer::start().expect("a PostgreSQL server");
    let proxy = TcpProxy::to(server.port()).expect("a proxy");
    let address = StoreAddress::new(server.url_through(&proxy)).timeout(TIMEOUT);
    let auth = builder().store_at(address).build().expect("a configuration");
    let pair = auth.login(login("alice")).await.expect("a login");
    for _ in 0..2 {
        // Several connections, all of which are idle in the end.
        let lists = (0..4).map(|_| auth.sessions(&pair.subject, None));
        for listed in futures_util::future::join_all(lists).await {
            assert_eq!(listed.expect("a list").len(), 1);
        }
        proxy.drop_silently();
        let since = Instant::now();
        let request = RefreshRequest::new(pair.refresh_token.expose());
        auth.refresh(request).await.expect("a refresh");
        assert!(since.elapsed() < TIMEOUT * 3 / 4, "{:?}", since.elapsed());
        auth.login(login("bob")).await.expect("a login");
    }
}

/// A failover to a standby that lacked the last entries, or a backup: their places are given to others.
#[tokio::test(flavor = "multi_thread")]
async fn a_feed_that_was_set_back_is_read_from_its_beginning() {
    let server = PostgresServer::start().expect("a PostgreSQL server");
    let store = PostgresStore::new(&server.url(), PostgresOptions::default()).expect("an address");
    let feed = store.feed().expect("a feed");
    let revocation = |byte| {
        let target = RevocationTarget::Session { session: SessionId::from_bytes([byte; 16]) };
        Revocation::new(target, SystemClock.now().plus(Duration::from_secs(900)))
    };
    feed.publish(&[revocation(1)]).await.expect("published");
    server
        .sql("CREATE TABLE backup AS SELECT * FROM regrant_feed; CREATE TABLE state AS SELECT * FROM regrant_feed_state")
        .expect("a backup");
    feed.publish(&[revocation(2), revocation(3)]).await.expect("published");
    let page = feed.read(&FeedCursor::default(), Duration::ZERO).await.expect("a page");
    assert_eq!(page.revocations.len(), 3);
    server
        .sql(
            "DELETE FROM regrant_feed; INSERT INTO regrant_feed SELECT * FROM backup;
             DELETE FROM regrant_feed_state; INSERT INTO regrant_feed_state SELECT * FROM state",
        )
        .expect("the backup");
    // Further than what was read.
    let later = [revocation(4), revocation(5), revocation(6)];
    feed.publish(&later).await.expect("published");
    let page = feed.read(&page.next, Duration::ZERO).await.expect("a page");
    assert_eq!(page.revocations[1..], later);
    let page = feed.read(&page.next, Duration::ZERO).await.expect("a page");
    assert_eq!(page.revocations, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn expired_rows_are_deleted_late() {
    let server = PostgresServer::start().expect("a PostgreSQL server");
    let clock = Arc::new(regrant::types::ManualClock::new(SystemClock.now()));
    let open = || {
        let mut options = PostgresOptions::default();
        options.clock = Some(Arc::clone(&clock) as Arc<dyn regrant::types::Clock>);
        let store = PostgresStore::new(&server.url(), options).expect("an address");
        builder()
            .clock(Arc::clone(&clock) as Arc<dyn regrant::types::Clock>)
            .store(store)
            .build()
            .expect("a configuration")
    };
    let day = Duration::from_secs(24 * 3600);
    open().login(login("alice")).await.expect("a login");
    let users = || server.sql("SELECT count(*) FROM regrant_users").expect("a count");
    clock.advance(day * 91);
    open().login(login("bob")).await.expect("a login");
    assert_eq!(users(), "2", "a clock may be ahead");
    clock.advance(day * 300);
    // Each store prunes with its first write.
    open().login(login("carol")).await.expect("a login");
    assert_eq!(users(), "1");
    // Very many are deleted in small batches, one with each write, and no table is read as a whole.
    let many =
        "INSERT INTO regrant_users SELECT 'old-' || n, '', 1, n FROM generate_series(1, 1200) n";
    server.sql(many).expect("rows");
    let auth = open();
    for left in ["702", "203", "4", "5"] {
        auth.login(login(&format!("user-{left}"))).await.expect("a login");
        assert_eq!(users(), left);
    }
}

/// The number of transactions so far. A connection reports its own at the latest when it ends.
fn transactions(server: &PostgresServer) -> i64 {
    let since = Instant::now();
    let connected = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'regrant'";
    while server.sql(connected).expect("a count") != "0" {
        assert!(since.elapsed() < QUICKLY, "a connection is left");
        std::thread::sleep(Duration::from_millis(20));
    }
    let sql = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = 'postgres'";
    server.sql(sql).expect("a count").parse().expect("a number")
}

/// A statement is a round trip and a transaction.
#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_is_one_round_trip_where_this_process_wrote_last() {
    const REFRESHES: i64 = 200;
    let server = PostgresServer::start().expect("a PostgreSQL server");
    let open = || {
        let store = PostgresStore::new(&server.url(), PostgresOptions::default()).expect("valid");
        Fixture::new(Arc::new(store), backends::clock(), ())
    };
    let (one, other) = (open(), open());
    let mut session = one.login("alice").await;
    other.refresh(&mut session).await;
    one.refresh(&mut session).await;
    drop((one, other));
    let before = transactions(&server);
    let one = open();
    for _ in 0..REFRESHES {
        one.refresh(&mut session).await;
    }
    drop(one);
    let between = transactions(&server);
    let alone = between - before;
    assert!(alone < REFRESHES * 5 / 4, "{alone} for {REFRESHES}");
    // What another process has written costs one more, and never two.
    let both = [open(), open()];
    for number in 0..REFRESHES {
        both[usize::from(number % 2 == 0)].refresh(&mut session).await;
    }
    drop(both);
    let shared = transactions(&server) - between;
    assert!(shared < REFRESHES * 9 / 4, "{shared} for {REFRESHES}");
}

#[test]
fn addresses_are_checked_and_never_printed() {
    for (url, says) in [
        ("postgres://user:pa/ss@host/db", "percent-encoded"),
        ("postgres:///db", "host"),
        ("postgres://host/db?sslmode=require", "verify-full"),
        ("postgres://host/db?sslrootcert=/ca.pem", "sslmode=verify-full"),
        ("postgres://host/db?sslmode=verify-full&sslrootcert=/none.pem", "sslrootcert"),
        ("postgres://host/db?hotel=1", "hotel"),
    ] {
        let error = PostgresStore::new(url, PostgresOptions::default()).expect_err(url);
        assert_eq!(error.code(), ErrorCode::ConfigInvalid);
        let text = error.to_string();
        assert!(text.contains(says), "{url}: {text}");
        assert!(!text.contains("ss@") && !text.contains("user:"), "{text}");
    }
}

//! PostgreSQL as it is deployed: with notifications, behind PgBouncer, with a standby, over TLS.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use regrant::revocation::{FeedCursor, FeedPage, Revocation, RevocationTarget};
use regrant::store::postgres::{PostgresOptions, PostgresStore};
use regrant::store::{FailureKey, SessionStore, StoreAddress};
use regrant::types::{Clock as _, SessionId, Subject, SystemClock};
use regrant::{Auth, Error, ErrorCode, Login, RefreshRequest};
use regrant_test_support::{Certificates, PgBouncer, PostgresServer, TcpProxy};

/// A server may take this long, on a busy machine.
const QUICKLY: Duration = Duration::from_secs(60);

/// Longer than any read of a feed takes that something ends.
const LONG: Duration = Duration::from_secs(300);

/// A reader that was not notified looks after 5 s.
const NOTIFIED: Duration = Duration::from_secs(4);

fn store(url: &str) -> Arc<PostgresStore> {
    let mut options = PostgresOptions::default();
    options.timeout = Duration::from_secs(10);
    Arc::new(PostgresStore::new(url, options).expect("an address"))
}

fn auth(url: &str) -> Auth {
    let config = r#"{ "secret": "a secret of 32 bytes or more, for tests", "store": "memory:",
        "refresh": { "grace": 0, "unusedGrace": 0 } }"#;
    let store = StoreAddress::new(url).timeout(Duration::from_secs(5));
    Auth::from_json(config).expect("a configuration").store_at(store).build().expect("valid")
}

fn revocation(byte: u8) -> Revocation {
    let target = RevocationTarget::Session { session: SessionId::from_bytes([byte; 16]) };
    Revocation::new(target, SystemClock.now().plus(Duration::from_secs(900)))
}

/// A reader of the feed that waits for what comes after `page`.
fn wait_after(
    store: &Arc<PostgresStore>,
    page: &FeedPage,
) -> tokio::task::JoinHandle<(FeedPage, Instant)> {
    let (store, cursor) = (Arc::clone(store), page.next.clone());
    tokio::spawn(async move {
        let page = store.feed().expect("a feed").read(&cursor, LONG).await.expect("a page");
        (page, Instant::now())
    })
}

async fn read_all(store: &PostgresStore) -> FeedPage {
    store.feed().expect("a feed").read(&FeedCursor::default(), Duration::ZERO).await.expect("read")
}

async fn publish(store: &PostgresStore, byte: u8) -> Instant {
    let at = Instant::now();
    store.feed().expect("a feed").publish(&[revocation(byte)]).await.expect("published");
    at
}

/// How often the feed has been read so far.
fn reads(server: &PostgresServer) -> u64 {
    let sql = "SELECT seq_scan + coalesce(idx_scan, 0) FROM pg_stat_user_tables
        WHERE relname = 'regrant_feed_state'";
    server.sql(sql).expect("a count").parse().expect("a number")
}

/// Reads per second while nothing is published.
async fn reads_per_second(server: &PostgresServer) -> f64 {
    let (before, since) = (reads(server), Instant::now());
    tokio::time::sleep(Duration::from_secs(6)).await;
    let reads = u32::try_from(reads(server) - before).expect("few");
    f64::from(reads) / since.elapsed().as_secs_f64()
}

/// Until a connection listens, which has been tried.
async fn until_listening(server: &PostgresServer) {
    let since = Instant::now();
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND state = 'idle'";
    while server.sql(sql).expect("a count") == "0" {
        assert!(since.elapsed() < QUICKLY, "nobody listens");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_are_notified_and_need_not_poll() {
    let server = PostgresServer::start().expect("a PostgreSQL server");
    let (one, other) = (store(&server.url()), store(&server.url()));
    publish(&one, 1).await;
    let page = read_all(&other).await;
    let reader = wait_after(&other, &page);
    until_listening(&server).await;
    let rate = reads_per_second(&server).await;
    assert!(rate < 1.0, "{rate} reads per second");
    let at = publish(&one, 2).await;
    let (page, read_at) = reader.await.expect("no panic");
    assert_eq!(page.revocations.len(), 1);
    assert!(read_at - at < NOTIFIED, "{:?}", read_at - at);
    // The connection that listens is lost, and what is published meanwhile is read all the same.
    let reader = wait_after(&other, &page);
    server
        .sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'")
        .expect("terminated");
    let at = publish(&one, 3).await;
    let (page, read_at) = reader.await.expect("no panic");
    assert_eq!(page.revocations.len(), 1);
    assert!(read_at - at < NOTIFIED, "{:?}", read_at - at);
    let reader = wait_after(&other, &page);
    until_listening(&server).await;
    let rate = reads_per_second(&server).await;
    assert!(rate < 1.0, "{rate} reads per second");
    publish(&one, 4).await;
    reader.await.expect("no panic");
    // The connection ends with the store.
    drop((one, other));
    let since = Instant::now();
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'";
    while server.sql(sql).expect("a count") != "0" {
        assert!(since.elapsed() < QUICKLY, "a connection is left");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A dead connection that nobody closes: a firewall has dropped it.
#[tokio::test(flavor = "multi_thread")]
async fn a_silently_dropped_listener_loses_nothing() {
    let server = PostgresServer::start().expect("a PostgreSQL server");
    let proxy = TcpProxy::to(server.port()).expect("a proxy");
    let (one, other) = (store(&server.url()), store(&server.url_through(&proxy)));
    publish(&one, 1).await;
    let page = read_all(&other).await;
    let reader = wait_after(&other, &page);
    until_listening(&server).await;
    proxy.drop_silently();
    let at = publish(&one, 2).await;
    let (page, read_at) = reader.await.expect("no panic");
    assert_eq!(page.revocations.len(), 1);
    assert!(read_at - at < QUICKLY, "{:?}", read_at - at);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn behind_a_pooler_in_transaction_mode_the_feed_is_polled() {
    let server = PostgresServer::start().expect("a PostgreSQL server");
    let pooler = PgBouncer::start(&server).expect("a PgBouncer");
    let (one, other) = (store(&pooler.url()), store(&pooler.url()));
    publish(&one, 1).await;
    let page = read_all(&other).await;
    let reader = wait_after(&other, &page);
    // Longer than it takes to find out that no notification arrives.
    tokio::time::sleep(Duration::from_secs(11)).await;
    let rate = reads_per_second(&server).await;
    // Five where the machine is not busy; one in five seconds where the feed is not polled.
    assert!(rate > 0.5, "{rate} reads per second");
    let at = publish(&one, 2).await;
    let (page, read_at) = reader.await.expect("no panic");
    assert_eq!(page.revocations.len(), 1);
    assert!(read_at - at < NOTIFIED, "{:?}", read_at - at);
}

/// Two connections to the server for all.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn everything_works_behind_a_pooler_in_transaction_mode() {
    let server = PostgresServer::start().expect("a PostgreSQL server");
    let pooler = PgBouncer::start(&server).expect("a PgBouncer");
    let auths = [auth(&pooler.url()), auth(&pooler.url())];
    let logins = (0..50).map(|number| {
        let auth = auths[number % 2].clone();
        tokio::spawn(async move {
            let user = Subject::new(format!("user {number}")).expect("a user");
            let pair = auth.login(Login::new(user)).await.expect("a login");
            let mut newest = pair.refresh_token;
            for _ in 0..4 {
                let pair = auth.refresh(RefreshRequest::new(newest.expose())).await;
                newest = pair.expect("a refresh").refresh_token.expect("rotation");
            }
            newest
        })
    });
    for (number, login) in logins.collect::<Vec<_>>().into_iter().enumerate() {
        let newest = login.await.expect("no panic");
        let other = &auths[(number + 1) % 2];
        assert!(other.logout(newest.expose()).await.expect("a logout"));
        let refused = auths[number % 2].refresh(RefreshRequest::new(newest.expose())).await;
        assert_eq!(refused.expect_err("logged out").code(), ErrorCode::SessionRevoked);
    }
    let store = store(&pooler.url());
    let failures = store.failures().expect("a counter");
    let key = FailureKey::address("192.0.2.1");
    for expected in 1..=3 {
        let counted = failures.count(&key, LONG).await.expect("a count");
        assert_eq!(counted.count, expected);
    }
    assert!(store.health().await.ready);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_is_never_asked() {
    let primary = PostgresServer::start().expect("a PostgreSQL server");
    let at_primary = auth(&primary.url());
    let alice = || Login::new(Subject::new("alice").expect("a user"));
    let pair = at_primary.login(alice()).await.expect("a login");
    let standby = primary.start_standby().expect("a standby");
    let at_standby = auth(&standby.url());
    let refused = at_standby.refresh(RefreshRequest::new(pair.refresh_token.expose())).await;
    assert_eq!(refused.expect_err("a standby").code(), ErrorCode::StoreUnavailable);
    assert!(!at_standby.health().await.ready);
    // Of several hosts the primary is used, in whatever order they are.
    let hosts = format!("127.0.0.1:{},127.0.0.1:{}", standby.port(), primary.port());
    let at_both = auth(&format!("postgres://regrant@{hosts}/postgres"));
    at_both.refresh(RefreshRequest::new(pair.refresh_token.expose())).await.expect("a refresh");
}

/// A user who refreshes, and a thief who has copied one of the tokens.
struct User {
    newest: String,
    copied: String,
}

/// Refreshes, also while the server is away.
async fn refresh(auth: &Auth, token: &str) -> Result<String, Error> {
    let since = Instant::now();
    loop {
        match auth.refresh(RefreshRequest::new(token)).await {
            Err(error) if error.code() == ErrorCode::StoreUnavailable => {
                assert!(since.elapsed() < QUICKLY, "{error:?}");
            }
            Err(error) => return Err(error),
            Ok(pair) => return Ok(pair.refresh_token.expect("rotation").expose().to_owned()),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

impl User {
    async fn login(auth: &Auth, name: String) -> Self {
        let pair = auth.login(Login::new(Subject::new(name).expect("a user"))).await;
        let newest = pair.expect("a login").refresh_token.expose().to_owned();
        Self { copied: newest.clone(), newest }
    }

    async fn refresh(&mut self, auth: &Auth) {
        self.newest = refresh(auth, &self.newest).await.expect("an honest user");
    }

    /// The thief comes long after the user.
    async fn assert_theft_is_caught(&self, auth: &Auth) {
        let error = refresh(auth, &self.copied).await.expect_err("an old token");
        assert_eq!(error.code(), ErrorCode::RefreshReused, "{error:?}");
    }
}

/// Fails over to a standby behind one address while users refresh. Returns the users, who have all
/// refreshed afterwards, those who had logged out before, and what leads to the new primary.
async fn fail_over(with_lost_commits: bool) -> (Vec<User>, Vec<User>, [Auth; 2], impl Sized) {
    let mut primary = PostgresServer::start().expect("a PostgreSQL server");
    let proxy = TcpProxy::to(primary.port()).expect("a proxy");
    let auths = [auth(&primary.url_through(&proxy)), auth(&primary.url_through(&proxy))];
    let mut users = Vec::new();
    for number in 0..12 {
        users.push(User::login(&auths[number % 2], format!("user {number}")).await);
    }
    let mut leaving = Vec::new();
    for number in 0..4 {
        leaving.push(User::login(&auths[number % 2], format!("leaving {number}")).await);
    }
    let standby = primary.start_standby().expect("a standby");
    if with_lost_commits {
        standby.stop_receiving().expect("stopped");
    } else {
        primary.wait_for_standbys().expect("synchronous replication");
    }
    // Three rotations that a standby without replication does not have.
    for _ in 0..3 {
        for (number, user) in users.iter_mut().enumerate() {
            user.refresh(&auths[number % 2]).await;
        }
    }
    for (number, user) in leaving.iter().enumerate() {
        assert!(auths[number % 2].logout(&user.newest).await.expect("a logout"));
    }
    let over = Arc::new(AtomicBool::new(false));
    let load: Vec<_> = users
        .into_iter()
        .enumerate()
        .map(|(number, mut user)| {
            let (auth, over) = (auths[number % 2].clone(), Arc::clone(&over));
            tokio::spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    user.refresh(&auth).await;
                }
                user.refresh(&auth).await;
                user
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(500)).await;
    primary.kill().expect("killed");
    standby.promote().expect("promoted");
    if !with_lost_commits {
        // Nobody waits for another standby.
        standby.sql("ALTER SYSTEM RESET synchronous_standby_names").expect("a setting");
        standby.sql("SELECT pg_reload_conf()").expect("a reload");
    }
    proxy.set_server(standby.port());
    proxy.close_all();
    tokio::time::sleep(Duration::from_millis(500)).await;
    over.store(true, Ordering::Relaxed);
    let mut users = Vec::new();
    for user in load {
        users.push(user.await.expect("honest users go on"));
    }
    (users, leaving, auths, (primary, standby, proxy))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_failover_to_a_synchronous_standby_loses_nothing() {
    let (users, leaving, auths, _servers) = fail_over(false).await;
    for user in &leaving {
        let refused = auths[0].refresh(RefreshRequest::new(&user.newest)).await;
        assert_eq!(refused.expect_err("logged out").code(), ErrorCode::SessionRevoked);
    }
    for user in &users {
        user.assert_theft_is_caught(&auths[1]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_failover_that_loses_commits_signs_nobody_out_and_hides_no_theft() {
    let (users, _, auths, _servers) = fail_over(true).await;
    for user in &users {
        user.assert_theft_is_caught(&auths[1]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_covers_every_connection_and_is_never_left_out() {
    let (ours, other) = (Certificates::new().expect("some"), Certificates::new().expect("some"));
    let mut server = PostgresServer::start().expect("a PostgreSQL server");
    let url = |trusted: &Certificates| {
        let file = trusted.ca_file();
        format!("{}?sslmode=verify-full&sslrootcert={}", server.url(), file.display())
    };
    let (ours_url, other_url) = (url(&ours), url(&other));
    // A server without TLS.
    let health = store(&ours_url).health().await;
    assert!(!health.ready, "{health:?}");
    server.use_tls(&ours).expect("TLS");
    let health = store(&other_url).health().await;
    assert!(!health.ready, "{health:?}");
    let (one, reader) = (store(&ours_url), store(&ours_url));
    publish(&one, 1).await;
    let page = read_all(&reader).await;
    let waiting = wait_after(&reader, &page);
    until_listening(&server).await;
    let plain = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
        WHERE application_name = 'regrant' AND NOT ssl";
    assert_eq!(server.sql(plain).expect("a count"), "0");
    let at = publish(&one, 2).await;
    let (_, read_at) = waiting.await.expect("no panic");
    assert!(read_at - at < NOTIFIED, "{:?}", read_at - at);
}

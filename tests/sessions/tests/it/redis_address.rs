//! One address whose server changes, behind a proxy as behind a load balancer, a Kubernetes service
//! or a DNS name; and connections that are dropped silently.

use std::time::{Duration, Instant};

use regrant::Error;
use regrant::revocation::{FeedCursor, Revocation, RevocationTarget};
use regrant::session::{AccessTokenUse, Decision, SessionPolicy, TheftScope};
use regrant::store::{Eviction, Refreshed, RevocationOutcome, SessionFilter};
use regrant::types::{Clock, RevocationReason, SessionId, SystemClock};
use regrant_session_tests::device::{Device, Store, redis_at, until, user};
use regrant_test_support::{RedisOptions, RedisServer, TcpProxy};

/// The timeout where a connection that is silent for a quarter of it is replaced. Longer than the default of 2 s, for
/// a busy machine.
const TIMEOUT: Duration = Duration::from_secs(6);
/// Well below the timeout.
const IN_TIME: Duration = Duration::from_secs(5);
/// Longer than the grace period never passes in these tests.
const MOMENT: Duration = Duration::from_millis(20);

/// A primary and a replica, with a proxy between the two, and the proxy at the address that the
/// store knows.
struct Pair {
    primary: RedisServer,
    replica: RedisServer,
    link: TcpProxy,
    address: TcpProxy,
}

impl Pair {
    fn start(options: impl Fn() -> RedisOptions) -> Self {
        let primary = options().start().unwrap();
        let link = TcpProxy::to(primary.port()).unwrap();
        let address = TcpProxy::to(primary.port()).unwrap();
        let follows = ("replicaof", format!("127.0.0.1 {}", link.port()));
        let fast = options().setting("repl-diskless-sync-delay", "0");
        let replica = fast.setting(follows.0, follows.1).start().unwrap();
        Self { primary, replica, link, address }
    }

    /// The store at the address.
    fn store(&self) -> Store {
        redis_at(&self.primary.url_through(&self.address), |_| ())
    }

    /// Waits until the replica has this user, or has replaced it.
    async fn wait_for(&self, device: &Device) {
        let (key, session) = (format!("regrant:u:{}", device.subject), device.session);
        let primary = redis_at(&self.primary.url(), |_| ());
        until("the replica has the session", || async {
            let dump = |server: &RedisServer| server.command::<Option<Vec<u8>>>(&["DUMP", &key]);
            let listed = primary.list(&device.subject).await.unwrap();
            listed.iter().any(|stored| stored.id == session)
                && dump(&self.replica).is_ok_and(|it| Some(it) == dump(&self.primary).ok())
        })
        .await;
    }

    /// The address leads to the replica from now on.
    fn switch_to_replica(&self) {
        self.address.set_server(self.replica.port());
        self.address.close_all();
    }

    fn switch_to_primary(&self) {
        self.address.set_server(self.primary.port());
        self.address.close_all();
    }
}

async fn present(store: &Store, device: &Device) -> Result<Option<Refreshed>, Error> {
    let policy = SessionPolicy::default().for_refresh(Some(true));
    store.refresh(&device.subject, &device.session, &device.token.claims, &policy, None).await
}

fn is_unavailable<T: std::fmt::Debug>(answer: Result<T, Error>) {
    assert!(matches!(answer, Err(Error::StoreUnavailable { .. })), "{answer:?}");
}

/// No operation may believe this server.
async fn nothing_is_answered(store: &Store, device: &Device) {
    is_unavailable(present(store, device).await);
    let reason = RevocationReason::Logout;
    is_unavailable(store.revoke(&device.subject, &device.session, reason).await);
    is_unavailable(store.revoke_all(&device.subject, &SessionFilter::ALL, reason).await);
    is_unavailable(store.list(&device.subject).await);
    let token_use =
        AccessTokenUse { family_position: device.token.family_position(), denied: false };
    let used = store.record_use(&device.subject, &device.session, &token_use, TheftScope::Session);
    is_unavailable(used.await);
    is_unavailable(Device::login(store, device.subject.clone()).await);
    let feed = store.feed().unwrap();
    is_unavailable(feed.read(&FeedCursor::default(), MOMENT).await.map(|page| page.complete));
    let health = store.health().await;
    assert!(!health.ready, "{health:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lagging_replica_signs_nobody_out() {
    let pair = Pair::start(RedisOptions::new);
    let store = pair.store();
    let early = Device::login(&store, user(0)).await.unwrap();
    pair.wait_for(&early).await;
    pair.link.hold();
    let mut late = Device::login(&store, user(1)).await.unwrap();
    pair.switch_to_replica();
    nothing_is_answered(&store, &late).await;
    pair.switch_to_primary();
    late.refresh_at_last(&store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_whose_link_is_down_signs_nobody_out() {
    let pair = Pair::start(RedisOptions::new);
    let store = pair.store();
    pair.link.cut();
    let mut device = Device::login(&store, user(0)).await.unwrap();
    pair.switch_to_replica();
    nothing_is_answered(&store, &device).await;
    pair.switch_to_primary();
    device.refresh_at_last(&store).await;

    // The same where the replica refuses to serve old data.
    pair.replica.command::<()>(&["CONFIG", "SET", "replica-serve-stale-data", "no"]).unwrap();
    pair.switch_to_replica();
    nothing_is_answered(&store, &device).await;
    pair.switch_to_primary();
    device.refresh_at_last(&store).await;
}

/// Without `INFO` and `ROLE` only the scripts themselves can notice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_does_not_tell_its_role_signs_nobody_out() {
    let pair = Pair::start(|| RedisOptions::new().without("INFO").without("ROLE"));
    let store = pair.store();
    let early = Device::login(&store, user(0)).await.unwrap();
    pair.wait_for(&early).await;
    pair.link.cut();
    let mut late = Device::login(&store, user(1)).await.unwrap();
    pair.switch_to_replica();
    nothing_is_answered(&store, &late).await;
    pair.switch_to_primary();
    late.refresh_at_last(&store).await;
}

/// A replica that lacks a logout would replay the child of the session.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lagging_replica_does_not_restore_a_revoked_session() {
    for hidden in [false, true] {
        let pair = Pair::start(|| match hidden {
            false => RedisOptions::new(),
            true => RedisOptions::new().without("INFO").without("ROLE"),
        });
        let store = pair.store();
        let device = Device::login(&store, user(0)).await.unwrap();
        assert!(matches!(
            present(&store, &device).await.unwrap().unwrap().decision,
            Decision::Rotate(_)
        ));
        pair.wait_for(&device).await;
        pair.link.hold();
        let reason = RevocationReason::Logout;
        let revoked = store.revoke(&device.subject, &device.session, reason).await.unwrap();
        assert_eq!(revoked.outcome, RevocationOutcome::Revoked);
        pair.switch_to_replica();
        is_unavailable(present(&store, &device).await);
        pair.switch_to_primary();
        until("the store answers", || async { present(&store, &device).await.is_ok() }).await;
        let decision = present(&store, &device).await.unwrap().unwrap().decision;
        assert_eq!(decision, Decision::Revoked(reason));
    }
}

/// The switch of a proxy that keeps open connections: the old primary is demoted under them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn open_connections_to_a_demoted_primary_are_left() {
    let pair = Pair::start(RedisOptions::new);
    let store = redis_at(&pair.primary.url_through(&pair.address), |options| {
        options.replicas = Some(1);
        options.eviction = Eviction::Warn;
        options.timeout = TIMEOUT;
    });
    let mut device = Device::login(&store, user(0)).await.unwrap();
    let other = Device::login(&store, user(1)).await.unwrap();
    let feed = store.feed().unwrap();
    let cursor = feed.read(&FeedCursor::default(), MOMENT).await.unwrap().next;
    device.refresh(&store).await.unwrap();
    pair.wait_for(&device).await;

    let ports = [pair.primary.port().to_string(), pair.replica.port().to_string()];
    pair.replica.command::<()>(&["REPLICAOF", "NO", "ONE"]).unwrap();
    pair.primary.command::<()>(&["REPLICAOF", "127.0.0.1", &ports[1]]).unwrap();
    pair.address.set_server(pair.replica.port());
    // Each of the three connections notices for itself, at its first use.
    let since = Instant::now();
    device.refresh(&store).await.unwrap();
    let reason = RevocationReason::Logout;
    let revoked = store.revoke(&other.subject, &other.session, reason).await.unwrap();
    assert_eq!(revoked.outcome, RevocationOutcome::Revoked);
    let revocation = Revocation::new(
        RevocationTarget::Session { session: other.session },
        SystemClock.now().plus(Duration::from_secs(900)),
    );
    feed.publish(std::slice::from_ref(&revocation)).await.unwrap();
    let page = feed.read(&cursor, MOMENT).await.unwrap();
    assert_eq!(page.revocations, [revocation]);
    assert!(since.elapsed() < IN_TIME * 3, "{:?}", since.elapsed());
    assert!(store.health().await.ready);
}

/// As above, with a switch that takes a while: requests wait for it within their timeout.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_waits_for_the_switch() {
    let pair = Pair::start(RedisOptions::new);
    let url = pair.primary.url_through(&pair.address);
    let store = redis_at(&url, |options| options.timeout = Duration::from_secs(30));
    let mut device = Device::login(&store, user(0)).await.unwrap();
    pair.wait_for(&device).await;
    pair.primary
        .command::<()>(&["REPLICAOF", "127.0.0.1", &pair.replica.port().to_string()])
        .unwrap();
    let switched = async {
        tokio::time::sleep(Duration::from_millis(900)).await;
        pair.replica.command::<()>(&["REPLICAOF", "NO", "ONE"]).unwrap();
        pair.address.set_server(pair.replica.port());
    };
    let (answer, ()) = tokio::join!(device.refresh(&store), switched);
    answer.unwrap();
}

/// The first use of each connection that was dropped while it was idle succeeds within the timeout.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silently_dropped_connection_costs_a_part_of_the_timeout() {
    let server = RedisServer::start().unwrap();
    let proxy = TcpProxy::to(server.port()).unwrap();
    let store = redis_at(&server.url_through(&proxy), |options| {
        options.replicas = Some(1);
        options.timeout = TIMEOUT;
    });
    let feed = store.feed().unwrap();
    let mut device = Device::login(&store, user(0)).await.unwrap();
    let mut cursor = feed.read(&FeedCursor::default(), MOMENT).await.unwrap().next;
    for _ in 0..3 {
        proxy.drop_silently();
        let since = Instant::now();
        device.refresh(&store).await.unwrap();
        assert!(since.elapsed() < IN_TIME, "a refresh took {:?}", since.elapsed());
        // All that arrive at once.
        proxy.drop_silently();
        let since = Instant::now();
        let refreshes = (0..20).map(|_| present(&store, &device));
        for answer in futures_util::future::join_all(refreshes).await {
            let decision = answer.unwrap().unwrap().decision;
            assert!(matches!(decision, Decision::Rotate(_) | Decision::Replay(_)), "{decision:?}");
        }
        assert!(since.elapsed() < IN_TIME, "20 refreshes took {:?}", since.elapsed());
        proxy.drop_silently();
        let since = Instant::now();
        let other = Device::login(&store, user(1)).await.unwrap();
        assert!(since.elapsed() < IN_TIME, "a login took {:?}", since.elapsed());
        proxy.drop_silently();
        let since = Instant::now();
        cursor = feed.read(&cursor, MOMENT).await.unwrap().next;
        assert!(since.elapsed() < IN_TIME, "a read took {:?}", since.elapsed());
        let reason = RevocationReason::Logout;
        store.revoke(&other.subject, &other.session, reason).await.unwrap();
    }
}

/// A server that pauses for longer than the silence that replaces a connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_short_pause_of_the_server_fails_nothing() {
    let server = RedisServer::start().unwrap();
    let store = redis_at(&server.url(), |options| options.timeout = TIMEOUT);
    let mut device = Device::login(&store, user(0)).await.unwrap();
    for pause in [1_700, 2_500] {
        server.pause().unwrap();
        let resumed = async {
            tokio::time::sleep(Duration::from_millis(pause)).await;
            server.resume().unwrap();
        };
        let (answer, ()) = tokio::join!(device.refresh(&store), resumed);
        answer.unwrap();
    }
}

/// An empty server takes over whose clock is behind: new entries have lower ids than those that
/// were read before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_replacement_with_a_slow_clock_is_heard() {
    let server = RedisServer::start().unwrap();
    let replacement = RedisServer::start().unwrap();
    let address = TcpProxy::to(server.port()).unwrap();
    let store = redis_at(&server.url_through(&address), |_| ());
    let feed = store.feed().unwrap();
    let entry = |number: u8| {
        Revocation::new(
            RevocationTarget::Session { session: SessionId::from_bytes([number; 16]) },
            SystemClock.now().plus(Duration::from_secs(900)),
        )
    };
    // The first server's clock is an hour ahead of the second one's.
    let ahead = SystemClock.now().plus(Duration::from_secs(3_600)).as_millis();
    let old = serde_json::to_string(&entry(1)).unwrap();
    let id = format!("{ahead}-0");
    server.command::<()>(&["XADD", "regrant:feed", &id, "e", &old]).unwrap();
    let page = feed.read(&FeedCursor::default(), MOMENT).await.unwrap();
    assert_eq!(page.revocations, [entry_like(&page.revocations, 1)]);
    // No entry yet, and later one.
    address.set_server(replacement.port());
    address.close_all();
    let mut cursor = page.next;
    until("the replacement is read", || async {
        feed.read(&cursor, MOMENT).await.is_ok_and(|page| page.complete)
    })
    .await;
    for number in 2..5 {
        let published = entry(number);
        feed.publish(std::slice::from_ref(&published)).await.unwrap();
        let page = feed.read(&cursor, MOMENT).await.unwrap();
        assert!(page.revocations.contains(&published), "{number}: {:?}", page.revocations);
        cursor = page.next;
    }
    // The same on one server whose feed was deleted, and whose clock was set back.
    replacement.command::<()>(&["XADD", "regrant:feed", &id, "e", &old]).unwrap();
    cursor = feed.read(&cursor, MOMENT).await.unwrap().next;
    replacement.command::<()>(&["DEL", "regrant:feed"]).unwrap();
    let published = entry(9);
    feed.publish(std::slice::from_ref(&published)).await.unwrap();
    let page = feed.read(&cursor, MOMENT).await.unwrap();
    assert_eq!(page.revocations, [published]);
    // Nothing is read twice.
    let page = feed.read(&page.next, MOMENT).await.unwrap();
    assert_eq!(page.revocations, []);
}

/// The same, and when this process reads again, the replacement has entries from before and after the last one
/// that was read.
#[tokio::test]
async fn a_replacement_that_was_used_before_it_is_read_is_heard() {
    let server = RedisServer::start().unwrap();
    let replacement = RedisServer::start().unwrap();
    let address = TcpProxy::to(server.port()).unwrap();
    let store = redis_at(&server.url_through(&address), |_| ());
    let feed = store.feed().unwrap();
    let entry = |number: u8| {
        let target = RevocationTarget::Session { session: SessionId::from_bytes([number; 16]) };
        Revocation::new(target, SystemClock.now().plus(Duration::from_secs(900)))
    };
    feed.publish(&[entry(1)]).await.unwrap();
    let page = feed.read(&FeedCursor::default(), MOMENT).await.unwrap();
    assert_eq!(page.revocations.len(), 1);
    for (number, seconds) in [(2, -600), (3, 60)] {
        let id = format!("{}-0", SystemClock.now().as_millis() + seconds * 1_000);
        let json = serde_json::to_string(&entry(number)).unwrap();
        replacement.command::<()>(&["XADD", "regrant:feed", &id, "e", &json]).unwrap();
    }
    address.set_server(replacement.port());
    address.close_all();
    let (mut cursor, mut heard) = (page.next, Vec::new());
    let since = Instant::now();
    while heard.len() < 2 && since.elapsed() < Duration::from_secs(30) {
        if let Ok(page) = feed.read(&cursor, MOMENT).await {
            heard.extend(page.revocations.into_iter().map(|revocation| revocation.target));
            cursor = page.next;
        }
    }
    assert_eq!(heard, [entry(2).target, entry(3).target]);
}

/// The entry about this session, with the expiry that was read.
fn entry_like(read: &[Revocation], number: u8) -> Revocation {
    let session = SessionId::from_bytes([number; 16]);
    Revocation::new(
        RevocationTarget::Session { session },
        read.first().map_or(SystemClock.now(), |it| it.expires_at),
    )
}

#[tokio::test]
async fn a_refused_connection_keeps_the_server_s_words() {
    for password in [None, Some("secret1")] {
        let mut options = RedisOptions::new();
        if let Some(password) = password {
            options = options.password(password);
        }
        let server = options.start().unwrap();
        let holder = redis::Client::open(server.url()).unwrap();
        let mut held = holder.get_connection().unwrap();
        redis::cmd("CONFIG").arg("SET").arg("maxclients").arg(1).exec(&mut held).unwrap();
        let store = redis_at(&server.url(), |_| ());
        for _ in 0..3 {
            let error = Device::login(&store, user(0)).await.unwrap_err();
            let source = std::error::Error::source(&error).unwrap().to_string();
            assert!(source.contains("max number of clients reached"), "{source}");
            tokio::time::sleep(Duration::from_millis(450)).await;
        }
        let health = store.health().await;
        assert!(health.warnings[0].text.contains("max number of clients"), "{health:?}");
    }
}

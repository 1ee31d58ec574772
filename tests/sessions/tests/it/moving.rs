//! An app that moves from one store to another: processes on the former store beside processes on the new
//! one, and the copy of all sessions.

use std::sync::Arc;
use std::time::{Duration, Instant};

use regrant::config::AuthConfig;
use regrant::store::{
    CopyReport, MemoryStore, MovingStore, SessionStore, StoreAddress, copy_sessions,
};
use regrant::types::{Clock, ManualClock, Subject, SystemClock};
use regrant::{Auth, ErrorCode, Login, RefreshRequest, SessionUpdate, TokenPair};
use regrant_session_tests::backends;
use regrant_session_tests::differential::{Random, seed};
use regrant_test_support::{PostgresServer, RedisServer};
use serde_json::{Map, Value, json};

/// A process may take this long to hear of a revocation, on a busy machine.
const QUICKLY: Duration = Duration::from_secs(30);

const SECRET: &str = "a secret of 32 bytes or more, for tests";

/// How long an operation on a store may take, on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A process of the app, as its configuration makes it.
fn process(store: &str, former: Option<&str>, grace: u32) -> Auth {
    let refresh = json!({ "grace": grace, "unusedGrace": grace });
    let config = json!({
        "secret": SECRET, "store": store, "previousStore": former, "refresh": refresh,
        "redis": { "timeout": format!("{}s", TIMEOUT.as_secs()) },
    });
    Auth::from_json(&config.to_string()).expect("valid").build().expect("valid")
}

/// A process on a store that is open.
fn process_on(store: &Arc<dyn SessionStore>, clock: Arc<dyn Clock>) -> Auth {
    let config = json!({ "secret": SECRET, "store": "memory:" }).to_string();
    let builder = Auth::from_json(&config).expect("valid").clock(clock);
    builder.shared_store(Arc::clone(store)).build().expect("valid")
}

/// The processes before and after the configuration was changed, and what they need.
struct Move {
    before: Auth,
    after: Auth,
    former: Arc<dyn SessionStore>,
    new: Arc<dyn SessionStore>,
    _kept: Box<dyn std::any::Any>,
}

impl Move {
    fn between(former: &str, new: &str, grace: u32, kept: impl std::any::Any) -> Self {
        let open =
            |url: &str| StoreAddress::new(url).timeout(TIMEOUT).open(None).expect("an address");
        Self {
            before: process(former, None, grace),
            after: process(new, Some(former), grace),
            former: open(former),
            new: open(new),
            _kept: Box::new(kept),
        }
    }

    fn from_file_to_redis(grace: u32) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let redis = RedisServer::start().expect("a redis-server");
        let file = format!("file:{}", folder.path().join("sessions.db").display());
        Self::between(&file, &redis.url(), grace, (folder, redis))
    }

    fn from_redis_to_postgres(grace: u32) -> Self {
        let redis = RedisServer::start().expect("a redis-server");
        let postgres = PostgresServer::start().expect("a PostgreSQL server");
        Self::between(&redis.url(), &postgres.url(), grace, (redis, postgres))
    }

    fn from_postgres_to_file(grace: u32) -> Self {
        let postgres = PostgresServer::start().expect("a PostgreSQL server");
        let folder = tempfile::tempdir().expect("a folder");
        let file = format!("file:{}", folder.path().join("sessions.db").display());
        Self::between(&postgres.url(), &file, grace, (postgres, folder))
    }

    fn all() -> impl Iterator<Item = Self> {
        [Self::from_file_to_redis, Self::from_redis_to_postgres, Self::from_postgres_to_file]
            .into_iter()
            .map(|begin| begin(10))
    }
}

fn user(name: &str) -> Subject {
    Subject::new(name).expect("a user")
}

async fn login(auth: &Auth, name: &str) -> TokenPair {
    auth.login(Login::new(user(name))).await.expect("a login")
}

async fn refresh(auth: &Auth, token: &str) -> Result<String, ErrorCode> {
    let pair = auth.refresh(RefreshRequest::new(token)).await.map_err(|error| error.code())?;
    Ok(pair.refresh_token.expect("rotation").expose().to_owned())
}

/// Waits until a process rejects the access token of the pair.
async fn until_rejected(auth: &Auth, pair: &TokenPair) {
    let since = Instant::now();
    while auth.verify(pair.access_token.expose()).is_ok() {
        assert!(since.elapsed() < QUICKLY, "the process did not hear of the revocation");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_go_on_and_revocations_go_both_ways() {
    for Move { before, after, _kept, .. } in Move::all() {
        let mut token = login(&before, "alice").await.refresh_token.expose().to_owned();
        for auth in [&before, &after, &before, &before, &after, &after, &before] {
            token = refresh(auth, &token).await.expect("an honest user");
        }
        assert_eq!(after.sessions(&user("alice"), None).await.expect("a list").len(), 1);
        for (one, other) in [(&before, &after), (&after, &before)] {
            let pair = login(&before, "bob").await;
            let newest = refresh(&after, pair.refresh_token.expose()).await.expect("a refresh");
            assert!(one.logout(&newest).await.expect("a logout"));
            assert_eq!(refresh(other, &newest).await, Err(ErrorCode::SessionRevoked));
            until_rejected(other, &pair).await;
        }
        // A session that began in the new store.
        let mut token = login(&after, "carol").await.refresh_token.expose().to_owned();
        for auth in [&after, &after, &before, &after, &before] {
            token = refresh(auth, &token).await.expect("an honest user");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn claims_that_one_process_sets_are_in_the_tokens_of_the_others() {
    for Move { before, after, _kept, .. } in Move::all() {
        let pair = login(&before, "alice").await;
        let mut token = pair.refresh_token.expose().to_owned();
        for (number, (sets, issues)) in
            [(&before, &after), (&after, &before), (&after, &after), (&before, &before)]
                .into_iter()
                .enumerate()
        {
            let claims = Map::from_iter([("number".to_owned(), json!(number))]);
            let update = SessionUpdate::claims(user("alice"), pair.session, claims);
            assert!(sets.update_session(update).await.expect("an update"));
            // The claims stay where processes of both kinds refresh in turn.
            for auth in [issues, &before, &after] {
                let pair = auth.refresh(RefreshRequest::new(&token)).await.expect("a refresh");
                let access = auth.verify(pair.access_token.expose()).expect("an access token");
                let told = access.claim("number").cloned().unwrap_or_default();
                assert_eq!(told, Value::from(number), "{number}");
                token = pair.refresh_token.expect("rotation").expose().to_owned();
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_theft_is_detected_on_either_side() {
    let Move { before, after, _kept, .. } = Move::from_redis_to_postgres(0);
    for (of_user, of_thief) in [(&before, &after), (&after, &before), (&after, &after)] {
        let stolen = login(&before, "alice").await.refresh_token.expose().to_owned();
        let mut newest = stolen.clone();
        for _ in 0..3 {
            newest = refresh(of_user, &newest).await.expect("an honest user");
        }
        assert_eq!(refresh(of_thief, &stolen).await, Err(ErrorCode::RefreshReused));
        assert_eq!(refresh(&after, &newest).await, Err(ErrorCode::SessionRevoked));
        assert_eq!(refresh(&before, &newest).await, Err(ErrorCode::SessionRevoked));
    }
}

/// Two tabs that refresh at the same moment, in an old process and in a new one, get one token.
#[tokio::test(flavor = "multi_thread")]
async fn two_tabs_at_an_old_and_a_new_process_share_a_token() {
    for Move { before, after, _kept, .. } in Move::all() {
        let mut token = login(&before, "alice").await.refresh_token.expose().to_owned();
        for round in 0..30 {
            let (one, other) = tokio::join!(refresh(&before, &token), refresh(&after, &token));
            let (one, other) = (one.expect("an honest user"), other.expect("an honest user"));
            assert_eq!(one, other, "round {round}");
            token = one;
        }
    }
}

/// The app goes back to the former store after a while.
#[tokio::test(flavor = "multi_thread")]
async fn an_app_can_go_back() {
    for Move { before, after, former, _kept, .. } in Move::all() {
        let mut token = login(&before, "alice").await.refresh_token.expose().to_owned();
        let mut of_after = login(&after, "bob").await.refresh_token.expose().to_owned();
        for _ in 0..3 {
            token = refresh(&after, &token).await.expect("an honest user");
            of_after = refresh(&after, &of_after).await.expect("an honest user");
        }
        let ends = login(&after, "carol").await;
        assert!(after.logout(ends.refresh_token.expose()).await.expect("a logout"));
        drop((before, after));
        let back = process_on(&former, Arc::new(SystemClock));
        refresh(&back, &token).await.expect("an honest user");
        refresh(&back, &of_after).await.expect("an honest user");
        let refused = refresh(&back, ends.refresh_token.expose()).await;
        assert_eq!(refused, Err(ErrorCode::SessionRevoked));
    }
}

/// A rolling deployment: each request goes to a process before or after, and responses are lost.
#[tokio::test(flavor = "multi_thread")]
async fn no_honest_user_is_signed_out_during_a_rolling_deployment() {
    let mut random = Random::new(seed());
    for moving in Move::all() {
        let mut tokens = Vec::new();
        for number in 0..10 {
            let pair = login(&moving.before, &format!("user {number}")).await;
            tokens.push(pair.refresh_token.expose().to_owned());
        }
        for step in 0..300 {
            let which = random.below(tokens.len());
            let auth = if random.chance(50) { &moving.before } else { &moving.after };
            let child = refresh(auth, &tokens[which]).await;
            let child = child.unwrap_or_else(|code| panic!("step {step}: {code:?}"));
            if random.chance(70) {
                tokens[which] = child;
            }
            if step == 150 {
                copy_sessions(&moving.former, &moving.new, false, |_| {}).await.expect("a copy");
            }
        }
        // The former store is gone.
        copy_sessions(&moving.former, &moving.new, false, |_| {}).await.expect("a copy");
        let alone = process_on(&moving.new, Arc::new(SystemClock));
        for token in &tokens {
            refresh(&alone, token).await.expect("an honest user");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_counts_and_can_be_repeated() {
    for Move { before, after, former, new, _kept } in Move::all() {
        for number in 0..70 {
            let pair = login(&before, &format!("user {number}")).await;
            match number {
                0..10 => drop(refresh(&after, pair.refresh_token.expose()).await.expect("moves")),
                10 => assert!(before.logout(pair.refresh_token.expose()).await.expect("a logout")),
                _ => {}
            }
        }
        login(&before, "user 20").await;
        before.health().await;
        let copy =
            async |dry_run| copy_sessions(&former, &new, dry_run, |_| {}).await.expect("a copy");
        let report = |added, updated, unchanged| {
            let mut report = CopyReport::default();
            (report.users, report.added) = (70, added);
            (report.updated, report.unchanged) = (updated, unchanged);
            report
        };
        assert_eq!(copy(true).await, report(60, 0, 11));
        assert_eq!(copy(true).await, report(60, 0, 11));
        assert_eq!(copy(false).await, report(60, 0, 11));
        assert_eq!(copy(false).await, report(0, 0, 71));
        before.logout_everywhere(user("user 30")).await.expect("a logout");
        assert_eq!(copy(true).await, report(0, 1, 70));
        assert_eq!(copy(false).await, report(0, 1, 70));
        let sessions = new.list(&user("user 30")).await.expect("a list");
        assert!(!sessions[0].record.is_live(SystemClock.now()));
    }
}

#[tokio::test]
async fn without_the_former_store_nobody_is_signed_out() {
    let redis = RedisServer::start().expect("a redis-server");
    let pair = login(&process(&redis.url(), None, 10), "alice").await;
    let url = redis.url();
    drop(redis);
    let after = process("memory:", Some(&url), 10);
    let refused = refresh(&after, pair.refresh_token.expose()).await;
    assert_eq!(refused, Err(ErrorCode::StoreUnavailable));
    assert!(!after.health().await.ready);
}

#[test]
fn a_former_store_is_checked_at_once() {
    let problem = |former: &str| {
        let config = json!({ "secret": SECRET, "store": "memory:", "previousStore": former });
        let config = AuthConfig::from_json(&config.to_string()).expect("of the right shape");
        let error = config.store_address().open(None).expect_err("invalid");
        error.to_string()
    };
    for former in
        ["file:/none/planted.db", "planted:", "redis://planted:planted:planted", "memory:"]
    {
        let text = problem(former);
        assert!(text.contains("previousStore") && !text.contains("planted"), "{text}");
    }
}

/// An old process deletes the oldest sessions that are over, so that nothing there tells that they are.
#[tokio::test]
async fn a_session_that_the_former_store_has_deleted_does_not_come_back() {
    let (day, clock) = (Duration::from_secs(24 * 3600), backends::clock());
    for copies in [false, true] {
        // `copy_sessions` has the clock of the machine.
        clock.set(SystemClock.now().minus(day));
        let memory = || -> Arc<dyn SessionStore> {
            Arc::new(MemoryStore::with_clock(Arc::clone(&clock) as Arc<dyn Clock>))
        };
        let process = |store: Arc<dyn SessionStore>| {
            let refresh = json!({ "maxSessions": 1 });
            let config = json!({ "secret": SECRET, "store": "memory:", "refresh": refresh });
            let builder = Auth::from_json(&config.to_string()).expect("valid");
            let builder = builder.clock(Arc::clone(&clock) as Arc<dyn Clock>);
            builder.shared_store(store).build().expect("valid")
        };
        let (former, new) = (memory(), memory());
        let before = process(Arc::clone(&former));
        let stolen = login(&before, "alice").await;
        clock.advance(Duration::from_secs(120));
        let moving = MovingStore::new(Arc::clone(&new), Arc::clone(&former), clock.now());
        let after = process(Arc::new(moving));
        assert_eq!(after.sessions(&user("alice"), None).await.expect("a list").len(), 1);
        let mut token = stolen.refresh_token.expose().to_owned();
        for _ in 0..3 {
            clock.advance(Duration::from_secs(1));
            assert!(before.logout(&token).await.expect("a logout"));
            token = login(&before, "alice").await.refresh_token.expose().to_owned();
        }
        let ids: Vec<_> =
            former.list(&user("alice")).await.expect("a list").iter().map(|it| it.id).collect();
        assert!(!ids.contains(&stolen.session), "the former store has deleted it");
        let server = if copies {
            copy_sessions(&former, &new, false, |_| {}).await.expect("a copy");
            process(Arc::clone(&new))
        } else {
            after
        };
        let refused = refresh(&server, stolen.refresh_token.expose()).await;
        let (revoked, unknown) = (ErrorCode::SessionRevoked, ErrorCode::SessionUnknown);
        assert!(refused == Err(revoked) || refused == Err(unknown), "{refused:?}");
        refresh(&server, &token).await.expect("an honest user");
    }
}

#[tokio::test]
async fn expired_sessions_are_not_copied() {
    let clock: Arc<ManualClock> = backends::clock();
    let memory = || -> Arc<dyn SessionStore> {
        Arc::new(MemoryStore::with_clock(Arc::clone(&clock) as Arc<dyn Clock>))
    };
    let (former, new) = (memory(), memory());
    let before = process_on(&former, Arc::clone(&clock) as Arc<dyn Clock>);
    login(&before, "alice").await;
    clock.advance(Duration::from_secs(91 * 24 * 3600));
    let report = copy_sessions(&former, &new, false, |_| {}).await.expect("a copy");
    assert_eq!(report, CopyReport::default());
}

//! Revoked sessions, whose tokens must not be accepted again.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use fastrand::Rng;
use regrant::types::{SessionId, Subject};

use super::apps::AppResponse;
use super::world::{EventLog, World};

/// A session whose revocation was acknowledged.
#[derive(Clone)]
pub(super) struct RevokedSession {
    pub(super) session: SessionId,
    /// The newest tokens of its clients.
    pub(super) tokens: Vec<String>,
    /// The access token with which it ended, if its user was told that it is over.
    pub(super) access: Option<String>,
    /// When it was acknowledged, since the start of the load.
    pub(super) acknowledged: Duration,
}

/// All revoked sessions. A session that is accepted again is counted once.
#[derive(Default)]
pub(super) struct RevokedSessions(Mutex<Vec<RevokedSession>>);

impl RevokedSessions {
    pub(super) fn add(&self, session: RevokedSession) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(session);
    }

    fn all(&self) -> Vec<RevokedSession> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn forget(&self, session: SessionId) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|revoked| revoked.session != session);
    }

    /// Tries the tokens of one session.
    async fn attempt(&self, world: &World, random: &mut Rng, revoked: &RevokedSession) {
        for token in &revoked.tokens {
            let mut log = EventLog::default();
            let answer = world.retry(random, &mut log, |app| app.refresh(token)).await;
            if answer.is_err() {
                continue;
            }
            self.forget(revoked.session);
            if world.apps.is_durable(revoked.session) {
                world.tally.returned_durable.add(1);
                world.complain(&format!(
                    "session {} was durably revoked at {:.3} s and accepted again at {:.3} s",
                    revoked.session,
                    revoked.acknowledged.as_secs_f64(),
                    world.now().as_secs_f64()
                ));
            } else {
                world.tally.returned_unreplicated.add(1);
            }
            return;
        }
    }
}

/// A user logs in on two devices at once, uses them, and logs out of each; again and again, until the load
/// is over.
pub(super) async fn log_out(world: Arc<World>, revoked: Arc<RevokedSessions>, mut random: Rng) {
    let (mut logs, mut other) = (<[EventLog; 2]>::default(), random.fork());
    while !world.stopped() {
        let Ok(user) = world.new_user() else { return };
        let [here, there] = &mut logs;
        tokio::join!(
            one_device(&world, &revoked, &mut random, here, &user),
            one_device(&world, &revoked, &mut other, there, &user),
        );
    }
}

async fn one_device(
    world: &World,
    revoked: &RevokedSessions,
    random: &mut Rng,
    log: &mut EventLog,
    user: &Subject,
) {
    if let Err(why) = use_and_log_out(world, revoked, random, log, user).await {
        world.logged_out(log, &why);
    }
}

/// Logs in, refreshes and logs out, sometimes while another tab refreshes.
async fn use_and_log_out(
    world: &World,
    revoked: &RevokedSessions,
    random: &mut Rng,
    log: &mut EventLog,
    user: &Subject,
) -> Result<(), String> {
    let (session, mut newest) =
        world.login_as(user, random, log).await.map_err(|error| error.to_string())?;
    world.tally.honest.add(1);
    for _ in 0..random.u64(1..6) {
        world.think(random).await;
        let next = world.refresh(random, log, &newest.refresh).await;
        newest = next.map_err(|error| format!("before its logout: {error}"))?;
    }
    let token = &newest.refresh;
    let other_tab = random.bool().then(|| world.apps.any(random));
    let gap = Duration::from_millis(random.u64(..5));
    let refresh = async {
        tokio::time::sleep(gap).await;
        Some(other_tab?.refresh(token).await)
    };
    let logout = world.retry(random, log, |app| app.logout(token));
    let (answer, refreshed) = tokio::join!(logout, refresh);
    answer.map_err(|error| format!("its logout: {error}"))?;
    let mut tokens = vec![newest.refresh];
    if let Some(AppResponse::Done(pair)) = refreshed {
        // It came first, and is revoked with its session.
        tokens.push(pair.refresh);
    }
    let count = if world.apps.is_durable(session) {
        &world.tally.revoked_durably
    } else {
        &world.tally.revoked_unreplicated
    };
    count.add(1);
    revoked.add(RevokedSession {
        session,
        tokens,
        access: Some(newest.access),
        acknowledged: world.now(),
    });
    Ok(())
}

/// Tries the tokens of revoked sessions until the load is over.
pub(super) async fn try_revoked(world: Arc<World>, revoked: Arc<RevokedSessions>, mut random: Rng) {
    while !world.stopped() {
        world.think(&mut random).await;
        let all = revoked.all();
        if let Some(revoked_session) = random.choice(&all) {
            revoked.attempt(&world, &mut random, revoked_session).await;
        }
    }
}

/// Tries the tokens of all revoked sessions once more, and their access tokens in every process.
pub(super) async fn try_all_revoked(world: &World, revoked: &RevokedSessions, random: &mut Rng) {
    for revoked_session in revoked.all() {
        revoked.attempt(world, random, &revoked_session).await;
    }
    let (since, lag) = (Instant::now(), world.feed_lag());
    for RevokedSession { session, access, .. } in revoked.all() {
        let Some(access) = access.filter(|_| world.apps.keeps_revocations()) else { continue };
        for app in world.apps.all() {
            while app.accepts(&access).await && since.elapsed() < lag {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            if app.accepts(&access).await {
                world.tally.returned_durable.add(1);
                let what =
                    format!("a process accepts the access token of revoked session {session}");
                world.complain(&what);
            }
        }
    }
}

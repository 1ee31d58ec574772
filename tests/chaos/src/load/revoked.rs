//! Revoked sessions, whose tokens must not be accepted again.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use fastrand::Rng;
use regrant::types::SessionId;

use super::world::{EventLog, World};

/// How long after the last fault every process must know of every revocation.
const FEED_LAG: Duration = Duration::from_secs(60);

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
                eprintln!(
                    "!!! session {} was durably revoked at {:.3} s and accepted again at {:.3} s",
                    revoked.session,
                    revoked.acknowledged.as_secs_f64(),
                    world.now().as_secs_f64()
                );
            } else {
                world.tally.returned_unreplicated.add(1);
            }
            return;
        }
    }
}

/// Logs in, refreshes and logs out until the load is over.
pub(super) async fn log_out(world: Arc<World>, revoked: Arc<RevokedSessions>, mut random: Rng) {
    let mut log = EventLog::default();
    while !world.stopped() {
        if let Err(why) = one(&world, &revoked, &mut random, &mut log).await {
            world.logged_out(&log, &why);
        }
    }
}

async fn one(
    world: &World,
    revoked: &RevokedSessions,
    random: &mut Rng,
    log: &mut EventLog,
) -> Result<(), String> {
    let (session, mut newest) =
        world.login(random, log).await.map_err(|error| error.to_string())?;
    world.tally.honest.add(1);
    for _ in 0..random.u64(1..6) {
        world.think(random).await;
        let next = world.refresh(random, log, &newest.refresh).await;
        newest = next.map_err(|error| format!("before its logout: {error}"))?;
    }
    let token = &newest.refresh;
    let answer = world.retry(random, log, |app| app.logout(token)).await;
    answer.map_err(|error| format!("its logout: {error}"))?;
    let count = if world.apps.is_durable(session) {
        &world.tally.revoked_durably
    } else {
        &world.tally.revoked_unreplicated
    };
    count.add(1);
    revoked.add(RevokedSession {
        session,
        tokens: vec![newest.refresh],
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
    let since = Instant::now();
    for RevokedSession { session, access, .. } in revoked.all() {
        let Some(access) = access.filter(|_| world.apps.keeps_revocations()) else { continue };
        for auth in world.apps.all() {
            while auth.verify(&access).is_ok() && since.elapsed() < FEED_LAG {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            if auth.verify(&access).is_ok() {
                world.tally.returned_durable.add(1);
                eprintln!("!!! a process accepts the access token of revoked session {session}");
            }
        }
    }
}

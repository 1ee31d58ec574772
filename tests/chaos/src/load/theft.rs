//! Thefts: a second client uses a copy of a client's refresh token, later than either grace.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;

use super::apps::{Pair, UNUSED_GRACE};
use super::revoked::{RevokedSession, RevokedSessions};
use super::world::{EventLog, World};

/// Added to the longer grace between two refreshes, for the delays of a busy machine.
const MARGIN: Duration = Duration::from_millis(250);
/// Without a rollback of the store the third refresh detects the theft: that of the first client
/// after that of the second. Each rollback may undo what the store has learnt.
const MAX_REFRESHES: u64 = 8;

/// Commits one theft after another until the load is over.
pub(super) async fn commit(world: Arc<World>, revoked: Arc<RevokedSessions>, mut random: Rng) {
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
    for _ in 0..random.u64(1..4) {
        world.think(random).await;
        world.apps.any(random).verify(&newest.access).await;
        let next = world.refresh(random, log, &newest.refresh).await;
        newest = next.map_err(|error| format!("before the theft: {error}"))?;
    }

    world.tally.committed.add(1);
    log.note(world.now(), || "the token is copied".to_owned());
    // It does not matter which of the two clients is the thief.
    let mut clients = [newest.clone(), newest];
    for number in 1..=MAX_REFRESHES {
        let client = &mut clients[usize::from(number % 2 == 0)];
        match world.refresh(random, log, &client.refresh).await {
            Ok(next) => *client = next,
            Err(_) => {
                world.tally.detected_after(number);
                // A session that was lost with its server is unknown, not revoked.
                if world.has_lost(log) {
                    return Ok(());
                }
                let tokens = clients.map(|Pair { refresh, .. }| refresh).to_vec();
                // Its access tokens are denied elsewhere if the store has taken that, or once they are used.
                let (access, acknowledged) = (None, world.now());
                revoked.add(RevokedSession { session, tokens, access, acknowledged });
                return Ok(());
            }
        }
        // Uses the access token. The report of the use may be lost.
        if random.bool() {
            world.apps.any(random).verify(&client.access).await;
        }
        // Also when the load is over: every theft must be detected.
        tokio::time::sleep(UNUSED_GRACE + MARGIN).await;
    }
    world.complain(&format!("a theft was not detected in {MAX_REFRESHES} refreshes\n{log}"));
    Ok(())
}

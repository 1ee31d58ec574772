//! Honest clients: one refresh at a time, always with the newest token, which is replaced only by a
//! response.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;

use super::apps::{AppResponse, GRACE, Pair, Refusal, UNUSED_GRACE};
use super::world::{EventLog, World};

/// The percentage of refreshes whose response is lost.
const LOST_IN_HUNDRED: u64 = 4;
/// The percentage of refreshes by two tabs at once.
const TABS_IN_HUNDRED: u64 = 20;

/// Runs until the load is over, and checks then that the client is still signed in.
pub(super) async fn live(world: Arc<World>, mut random: Rng) {
    let mut log = EventLog::default();
    loop {
        match session(&world, &mut random, &mut log).await {
            Ok(()) => return,
            // The user signs in again.
            Err(why) => world.logged_out(&log, &why),
        }
    }
}

/// One session, until the load or the session is over.
async fn session(world: &World, random: &mut Rng, log: &mut EventLog) -> Result<(), String> {
    let (_, mut newest) = world.login(random, log).await.map_err(|error| error.to_string())?;
    world.tally.honest.add(1);
    while !world.stopped() {
        world.think(random).await;
        if !world.apps.any(random).verify(&newest.access).await {
            return Err("its access token".to_owned());
        }
        let next = if random.u64(..100) < TABS_IN_HUNDRED {
            both_tabs(world, random, log, &newest.refresh).await
        } else {
            world.refresh(random, log, &newest.refresh).await
        };
        let next = next.map_err(|error| error.to_string())?;
        if random.u64(..100) < LOST_IN_HUNDRED {
            log.note(world.now(), || "the answer is lost".to_owned());
            let late = [GRACE / 4, GRACE * 5 / 4, UNUSED_GRACE * 5 / 4][random.usize(..3)];
            world.pause(late).await;
        } else {
            newest = next;
        }
    }
    let last = world.refresh(random, log, &newest.refresh).await;
    last.map(drop).map_err(|error| format!("in the end: {error}"))
}

/// Two tabs refresh at once with the same token. A random one of the responses is kept; without
/// any, the client retries.
async fn both_tabs(
    world: &World,
    random: &mut Rng,
    log: &mut EventLog,
    token: &str,
) -> Result<Pair, Refusal> {
    let (one, other) = (world.apps.any(random), world.apps.any(random));
    let gap = Duration::from_millis(random.u64(..5));
    let late = async {
        tokio::time::sleep(gap).await;
        other.refresh(token).await
    };
    let mut answers = Vec::new();
    for answer in <[_; 2]>::from(tokio::join!(one.refresh(token), late)) {
        match answer {
            AppResponse::Done(pair) => answers.push(pair),
            AppResponse::Again => {}
            AppResponse::Refused(error) => {
                log.note(world.now(), || format!("one of two tabs: {error}"));
                return Err(error);
            }
        }
    }
    log.note(world.now(), || format!("two tabs, {} answers", answers.len()));
    if answers.is_empty() {
        return world.refresh(random, log, token).await;
    }
    Ok(answers.swap_remove(random.usize(..answers.len())))
}

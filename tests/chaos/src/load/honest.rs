//! Honest clients: one refresh at a time, always with the newest token, which is kept whatever
//! happens but an answer.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use regrant::Error;

use super::apps::{Answer, GRACE, Pair};
use super::world::{Diary, World};

/// In how many of a hundred refreshes the answer is lost on its way to the client.
const LOST_IN_HUNDRED: u64 = 4;
/// In how many of a hundred refreshes both tabs of a client ask.
const TABS_IN_HUNDRED: u64 = 20;

/// Lives until the load is over, and shows then that it is still logged in.
pub(super) async fn live(world: Arc<World>, mut random: Rng) {
    let mut diary = Diary::default();
    loop {
        match session(&world, &mut random, &mut diary).await {
            Ok(()) => return,
            // It signs in again, as a user would have to.
            Err(why) => world.logged_out(&diary, &why),
        }
    }
}

/// One session, until the load is over or the session is.
async fn session(world: &World, random: &mut Rng, diary: &mut Diary) -> Result<(), String> {
    let (_, mut newest) = world.login(random, diary).await.map_err(|error| error.to_string())?;
    world.tally.honest.add(1);
    while !world.stopped() {
        world.think(random).await;
        if !world.apps.any(random).verify(&newest.access) {
            return Err("its access token".to_owned());
        }
        let next = if random.u64(..100) < TABS_IN_HUNDRED {
            both_tabs(world, random, diary, &newest.refresh).await
        } else {
            world.refresh(random, diary, &newest.refresh).await
        };
        let next = next.map_err(|error| error.to_string())?;
        if random.u64(..100) < LOST_IN_HUNDRED {
            diary.note(world.now(), || "the answer is lost".to_owned());
            let late = if random.bool() { GRACE / 4 } else { GRACE * 3 / 2 };
            world.pause(late).await;
        } else {
            newest = next;
        }
    }
    let last = world.refresh(random, diary, &newest.refresh).await;
    last.map(drop).map_err(|error| format!("in the end: {error}"))
}

/// Two tabs ask at once with the same token. Which answer is kept is chance; both who have none
/// ask again.
async fn both_tabs(
    world: &World,
    random: &mut Rng,
    diary: &mut Diary,
    token: &str,
) -> Result<Pair, Error> {
    let (one, other) = (world.apps.any(random), world.apps.any(random));
    let gap = Duration::from_millis(random.u64(..5));
    let late = async {
        tokio::time::sleep(gap).await;
        other.refresh(token).await
    };
    let mut answers = Vec::new();
    for answer in <[_; 2]>::from(tokio::join!(one.refresh(token), late)) {
        match answer {
            Answer::Done(pair) => answers.push(pair),
            Answer::Again => {}
            Answer::Refused(error) => {
                diary.note(world.now(), || format!("one of two tabs: {error}"));
                return Err(error);
            }
        }
    }
    diary.note(world.now(), || format!("two tabs, {} answers", answers.len()));
    if answers.is_empty() {
        return world.refresh(random, diary, token).await;
    }
    Ok(answers.swap_remove(random.usize(..answers.len())))
}

//! Thefts: a second holder of a client's refresh token, who acts later than the grace.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;

use super::apps::{GRACE, Pair};
use super::ended::{End, Ended};
use super::world::{Diary, World};

/// How much further apart than the grace the holders act: for what a busy machine adds.
const MARGIN: Duration = Duration::from_millis(250);
/// Without a rollback of the store the third act gives it away: that of the first holder after
/// that of the second. Each rollback may undo what was learnt.
const ACTS: u64 = 8;

/// Plants one theft after another until the load is over.
pub(super) async fn plant(world: Arc<World>, ended: Arc<Ended>, mut random: Rng) {
    let mut diary = Diary::default();
    while !world.stopped() {
        if let Err(why) = one(&world, &ended, &mut random, &mut diary).await {
            world.logged_out(&diary, &why);
        }
    }
}

async fn one(
    world: &World,
    ended: &Ended,
    random: &mut Rng,
    diary: &mut Diary,
) -> Result<(), String> {
    let (session, mut newest) =
        world.login(random, diary).await.map_err(|error| error.to_string())?;
    world.tally.honest.add(1);
    for _ in 0..random.u64(1..4) {
        world.think(random).await;
        world.apps.any(random).verify(&newest.access);
        let next = world.refresh(random, diary, &newest.refresh).await;
        newest = next.map_err(|error| format!("before the theft: {error}"))?;
    }

    world.tally.planted.add(1);
    diary.note(world.now(), || "the token is copied".to_owned());
    // Who acts first is chance: the owner or the thief.
    let mut holders = [newest.clone(), newest];
    for act in 1..=ACTS {
        let holder = &mut holders[usize::from(act % 2 == 0)];
        match world.refresh(random, diary, &holder.refresh).await {
            Ok(next) => *holder = next,
            Err(_) => {
                world.tally.caught_at(act);
                let [one, other] = holders.map(|Pair { refresh, .. }| refresh);
                ended.add(End { session, tokens: vec![one, other], acknowledged: world.now() });
                return Ok(());
            }
        }
        // He uses what he got. That this is heard of may be lost.
        if random.bool() {
            world.apps.any(random).verify(&holder.access);
        }
        // Also when the load is over: a theft that was begun is brought to its end.
        tokio::time::sleep(GRACE + MARGIN).await;
    }
    eprintln!("!!! a theft was not seen in {ACTS} acts\n{diary}");
    Ok(())
}

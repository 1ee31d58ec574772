//! Sessions that were ended, and whether anybody gets in with their tokens again.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fastrand::Rng;
use regrant::types::SessionId;

use super::world::{Diary, World};

/// A session whose end was acknowledged.
#[derive(Clone)]
pub(super) struct End {
    pub(super) session: SessionId,
    /// The newest that its holders have.
    pub(super) tokens: Vec<String>,
    /// When, since the load began.
    pub(super) acknowledged: Duration,
}

/// All of them. A session that came back is counted once.
#[derive(Default)]
pub(super) struct Ended(Mutex<Vec<End>>);

impl Ended {
    pub(super) fn add(&self, end: End) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(end);
    }

    fn all(&self) -> Vec<End> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn forget(&self, session: SessionId) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|end| end.session != session);
    }

    /// Presents one of them.
    async fn present(&self, world: &World, random: &mut Rng, end: &End) {
        for token in &end.tokens {
            let mut diary = Diary::default();
            let answer = world.persist(random, &mut diary, |app| app.refresh(token)).await;
            if answer.is_err() {
                continue;
            }
            self.forget(end.session);
            if world.apps.is_for_good(end.session) {
                world.tally.back_from_good.add(1);
                eprintln!(
                    "!!! session {} was ended for good at {:.3} s and is back at {:.3} s",
                    end.session,
                    end.acknowledged.as_secs_f64(),
                    world.now().as_secs_f64()
                );
            } else {
                world.tally.back_from_unsure.add(1);
            }
            return;
        }
    }
}

/// Logs in, refreshes and logs out until the load is over.
pub(super) async fn leave(world: Arc<World>, ended: Arc<Ended>, mut random: Rng) {
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
    for _ in 0..random.u64(1..6) {
        world.think(random).await;
        let next = world.refresh(random, diary, &newest.refresh).await;
        newest = next.map_err(|error| format!("before its logout: {error}"))?;
    }
    let token = &newest.refresh;
    let answer = world.persist(random, diary, |app| app.logout(token)).await;
    answer.map_err(|error| format!("its logout: {error}"))?;
    let count = if world.apps.is_for_good(session) {
        &world.tally.ended_for_good
    } else {
        &world.tally.ended_unsurely
    };
    count.add(1);
    ended.add(End { session, tokens: vec![newest.refresh], acknowledged: world.now() });
    Ok(())
}

/// Presents the tokens of ended sessions again and again until the load is over.
pub(super) async fn come_back(world: Arc<World>, ended: Arc<Ended>, mut random: Rng) {
    while !world.stopped() {
        world.think(&mut random).await;
        let all = ended.all();
        if let Some(end) = random.choice(&all) {
            ended.present(&world, &mut random, end).await;
        }
    }
}

/// Presents all of them once more.
pub(super) async fn all_come_back(world: &World, ended: &Ended, random: &mut Rng) {
    for end in ended.all() {
        ended.present(world, random, &end).await;
    }
}

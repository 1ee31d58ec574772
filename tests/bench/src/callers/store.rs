//! The store alone: the same commands as the raw calls, through regrant's client.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use regrant::session::{PresentedToken, RefreshPolicy};
use regrant::store::SessionStore;

use crate::load::{self, Caller, Load};
use crate::population::{Draw, first_token, policy, refresh, session, user};

pub(crate) struct Store {
    store: Arc<dyn SessionStore>,
    users: u64,
}

impl Store {
    pub(crate) fn new(store: Arc<dyn SessionStore>, users: u64) -> Self {
        Self { store, users }
    }

    /// For this time, `concurrency` callers present the first token of random users.
    pub(crate) async fn run(&self, concurrency: usize, time: Duration) -> Result<Load> {
        let presenter = |seed: usize| Presenter {
            store: Arc::clone(&self.store),
            draw: Draw::new(seed as u64, self.users),
            token: first_token(),
            policy: policy(),
        };
        Ok(load::run((0..concurrency).map(presenter).collect(), time).await?.0)
    }
}

struct Presenter {
    store: Arc<dyn SessionStore>,
    draw: Draw,
    token: PresentedToken,
    policy: RefreshPolicy,
}

impl Caller for Presenter {
    async fn call(&mut self) -> Result<()> {
        let (subject, session) = (user(self.draw.number())?, session(0)?);
        refresh(&*self.store, &subject, &session, &self.token, &self.policy).await
    }
}

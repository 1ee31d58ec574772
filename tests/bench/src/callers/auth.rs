//! The whole refresh in Rust with `Auth`: verify, exchange, sign.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use regrant::session::DeviceLabel;
use regrant::store::StoreAddress;
use regrant::types::Subject;
use regrant::{Auth, Login, RefreshRequest};
use tokio::task::JoinSet;

use crate::load::{self, Caller, Load};
use crate::population::{Draw, LABEL};

/// The number of concurrent logins.
const AT_ONCE: usize = 64;

/// The secret of every `Auth`.
pub(crate) const SECRET: &str = "an access secret of at least 32 bytes";

/// An `Auth`, as a process of an app has it.
pub(crate) fn auth(address: StoreAddress) -> Result<Auth> {
    let config = serde_json::json!({ "secret": SECRET }).to_string();
    Ok(Auth::from_json(&config)?.store_at(address).build()?)
}

/// How the access tokens are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AccessTokens {
    /// They are discarded.
    Unused,
    /// Each is verified once by the same `Auth`, which then reports the use to the store.
    Verified,
}

pub(crate) struct AuthCaller {
    /// Each with the newest tokens of its own users; taken out during a turn.
    idle: Mutex<Vec<Client>>,
}

impl AuthCaller {
    /// Logs in this many users, whose names begin with `prefix`.
    pub(crate) async fn log_in(
        address: StoreAddress,
        prefix: &'static str,
        users: u64,
        access_tokens: AccessTokens,
    ) -> Result<Self> {
        let auth = Arc::new(auth(address)?);
        let mut clients = JoinSet::new();
        for share in 0..AT_ONCE as u64 {
            let (auth, own) = (Arc::clone(&auth), (share..users).step_by(AT_ONCE));
            clients.spawn(async move {
                let mut tokens = Vec::new();
                for number in own {
                    let subject = Subject::new(format!("{prefix}-{number:012}"))?;
                    let login = Login::new(subject).device(DeviceLabel::new(LABEL)?);
                    tokens.push(auth.login(login).await?.refresh_token.expose().to_owned());
                }
                let draw = Draw::new(share, tokens.len() as u64);
                anyhow::Ok(Client { auth, tokens, draw, access_tokens })
            });
        }
        let mut idle = Vec::new();
        while let Some(client) = clients.join_next().await {
            idle.push(client??);
        }
        Ok(Self { idle: Mutex::new(idle) })
    }

    /// For this time, `concurrency` callers present the newest tokens of random users of their own.
    pub(crate) async fn run(&self, concurrency: usize, time: Duration) -> Result<Load> {
        let busy: Vec<_> = {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            let left = idle.len().checked_sub(concurrency).context("too many callers")?;
            // Take the first ones, which did not run in the previous turn.
            idle.rotate_left(concurrency);
            idle.split_off(left)
        };
        let (load, busy) = load::run(busy, time).await?;
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).extend(busy);
        Ok(load)
    }
}

struct Client {
    auth: Arc<Auth>,
    tokens: Vec<String>,
    draw: Draw,
    access_tokens: AccessTokens,
}

impl Caller for Client {
    async fn call(&mut self) -> Result<()> {
        let place = usize::try_from(self.draw.number())?;
        let renewed = self.auth.refresh(RefreshRequest::new(&self.tokens[place])).await?;
        if self.access_tokens == AccessTokens::Verified {
            self.auth.verify(renewed.access_token.expose())?;
        }
        let next = renewed.refresh_token.context("no next refresh token")?;
        next.expose().clone_into(&mut self.tokens[place]);
        Ok(())
    }
}

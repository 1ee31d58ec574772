//! Clients that repeat one request without end, as fast as they are answered: each route that a client
//! can call, with tokens of its own and with forged ones.

use std::sync::Arc;

use fastrand::Rng;
use regrant::types::{RevocationReason, SessionId, Subject};
use regrant::{Auth, Login, LogoutEverywhere, RefreshRequest};

use super::world::World;

/// What a client repeats.
#[derive(Clone, Copy)]
pub(super) enum Route {
    Login,
    LoginAndLogout,
    Refresh,
    RefreshWithNewest,
    RefreshForged,
    RefreshRevoked,
    RefreshAsOtherUser,
    Verify,
    VerifyForged,
    Logout,
    LogoutOthers,
    LogoutEverywhere,
    RevokeSession,
    RevokeUnknownSession,
    ListSessions,
}

pub(super) const ROUTES: [Route; 15] = [
    Route::Login,
    Route::LoginAndLogout,
    Route::Refresh,
    Route::RefreshWithNewest,
    Route::RefreshForged,
    Route::RefreshRevoked,
    Route::RefreshAsOtherUser,
    Route::Verify,
    Route::VerifyForged,
    Route::Logout,
    Route::LogoutOthers,
    Route::LogoutEverywhere,
    Route::RevokeSession,
    Route::RevokeUnknownSession,
    Route::ListSessions,
];

/// A client of one user.
struct Client {
    subject: Subject,
    session: SessionId,
    access: String,
    refresh: String,
    /// Another session of this user.
    other: SessionId,
}

/// Repeats requests to one route until the load is over.
pub(super) async fn repeat(world: Arc<World>, route: Route, mut random: Rng) {
    let Ok(subject) = Subject::new(format!("endless-{}", route as u8)) else { return };
    let mut client = loop {
        let Some(auth) = world.apps.any_auth(&mut random) else { return };
        match Client::login(&auth, &subject).await {
            Ok(client) => break client,
            Err(_) if world.stopped() => return,
            Err(_) => tokio::task::yield_now().await,
        }
    };
    let first = world.apps.any_auth(&mut random).filter(|_| matches!(route, Route::RefreshRevoked));
    if let Some(auth) = first {
        drop(client.call(&auth, Route::Logout, &mut random).await);
    }
    while !world.stopped() {
        let Some(auth) = world.apps.any_auth(&mut random) else { return };
        // Whatever the answer, the client calls again.
        drop(client.call(&auth, route, &mut random).await);
        world.tally.endless.add(1);
        tokio::task::yield_now().await;
    }
}

impl Client {
    async fn login(auth: &Auth, subject: &Subject) -> regrant::Result<Self> {
        let other = auth.login(Login::new(subject.clone())).await?.session;
        let pair = auth.login(Login::new(subject.clone())).await?;
        Ok(Self {
            subject: subject.clone(),
            session: pair.session,
            access: pair.access_token.expose().to_owned(),
            refresh: pair.refresh_token.expose().to_owned(),
            other,
        })
    }

    async fn call(&mut self, auth: &Auth, route: Route, random: &mut Rng) -> regrant::Result<()> {
        let Self { subject, access, refresh, .. } = &*self;
        let reason = RevocationReason::Administrative;
        match route {
            Route::Login => auth.login(Login::new(subject.clone())).await.map(drop),
            Route::LoginAndLogout => {
                let pair = auth.login(Login::new(subject.clone())).await?;
                auth.logout(pair.refresh_token.expose()).await.map(drop)
            }
            Route::Refresh | Route::RefreshRevoked => {
                auth.refresh(RefreshRequest::new(refresh)).await.map(drop)
            }
            Route::RefreshWithNewest => {
                let next = auth.refresh(RefreshRequest::new(refresh)).await?;
                if let Some(next) = next.refresh_token {
                    next.expose().clone_into(&mut self.refresh);
                }
                Ok(())
            }
            Route::RefreshForged => {
                let address = format!("2001:db8:{:x}:{:x}::1", random.u16(..), random.u16(..));
                let forged = forged(refresh);
                auth.refresh(RefreshRequest::new(&forged).address(&address)).await.map(drop)
            }
            Route::RefreshAsOtherUser => {
                let other = Subject::new(format!("user-{}", random.u64(..)))?;
                auth.refresh(RefreshRequest::new(refresh).expect_subject(other)).await.map(drop)
            }
            Route::Verify => auth.verify(access).map(drop),
            Route::VerifyForged => auth.verify(&forged(access)).map(drop),
            Route::Logout => auth.logout(refresh).await.map(drop),
            Route::LogoutOthers => {
                let others = LogoutEverywhere::new(subject.clone()).except(self.session);
                auth.logout_everywhere(others).await.map(drop)
            }
            Route::LogoutEverywhere => auth.logout_everywhere(subject).await.map(drop),
            Route::RevokeSession => {
                auth.revoke_session(subject, &self.other, reason).await.map(drop)
            }
            Route::RevokeUnknownSession => {
                let unknown = SessionId::from_bytes(random.u128(..).to_be_bytes());
                auth.revoke_session(subject, &unknown, reason).await.map(drop)
            }
            Route::ListSessions => auth.sessions(subject, None).await.map(drop),
        }
    }
}

/// The token with another signature.
fn forged(token: &str) -> String {
    format!("{}x", &token[..token.len() - 4])
}

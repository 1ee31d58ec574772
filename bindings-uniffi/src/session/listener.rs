//! Telling the app when somebody is signed in or out.

use std::sync::Arc;

use regrant::client::State;
use tokio::sync::watch;

use super::{CallbackError, SessionState};

/// Told when the state of a session changes.
#[uniffi::export(with_foreign)]
pub trait SessionListener: Send + Sync {
    /// The state is this now. Called on the session's own thread, one call after the other, and
    /// everything the session does waits meanwhile: hand it on and return. Of several changes in
    /// a row only the last may be told.
    fn on_state(&self, state: SessionState) -> Result<(), CallbackError>;
}

/// Tells `listener` until the session is gone.
pub(super) async fn tell(listener: Arc<dyn SessionListener>, mut states: watch::Receiver<State>) {
    while states.changed().await.is_ok() {
        let state = *states.borrow_and_update();
        if let Err(error) = listener.on_state(state.into()) {
            tracing::warn!(target: super::TARGET, %error, "the listener failed");
        }
    }
}

//! What the core logs, on its way to JavaScript. There is one log per process, as there is one
//! subscriber of `tracing`; worker threads share it.

mod entry;
mod listeners;
mod subscriber;

pub use self::listeners::Subscription;

use std::sync::Arc;

use napi_derive::napi;
use tracing::level_filters::LevelFilter;

use self::listeners::listen;
use crate::events::Listener;

/// A function that hears the log, as long as this or an auth object made with it exists.
#[napi]
pub struct LogListener(Arc<Subscription>);

#[napi]
impl LogListener {
    /// Has `hear` called with each entry as JSON text: `level` (`error`, `warn`, `info` or
    /// `debug`) and above. A fallback hears what there is while no other listener exists.
    #[napi(constructor, catch_unwind)]
    pub fn new(
        #[napi(ts_arg_type = "(entry: string) => void")] hear: Listener,
        level: String,
        fallback: bool,
    ) -> Self {
        let level = level.parse().unwrap_or(LevelFilter::WARN);
        Self(Arc::new(listen(hear, level, fallback)))
    }
}

impl LogListener {
    /// What keeps it listening.
    pub fn shared(&self) -> Arc<Subscription> {
        Arc::clone(&self.0)
    }
}

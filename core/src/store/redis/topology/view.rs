//! What is believed about the servers at present, and how that is renewed.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redis::RedisResult;
use tokio::sync::watch;
use tokio::time::Instant;

use super::Left;
use crate::store::redis::flight::Flight;

/// A belief. The old one is used until the new one is there.
pub(super) struct View<T> {
    current: watch::Sender<Option<T>>,
    renewed: Mutex<Option<Instant>>,
    flight: Flight<T>,
}

impl<T: Clone + PartialEq + Send + Sync + 'static> View<T> {
    pub(super) fn new() -> Self {
        let current = watch::channel(None).0;
        Self { current, renewed: Mutex::new(None), flight: Flight::new() }
    }

    pub(super) fn current(&self) -> Option<T> {
        self.current.borrow().clone()
    }

    /// The current belief; where there is none yet, the outcome of `find`.
    pub(super) async fn get<F>(self: &Arc<Self>, find: impl Fn() -> F) -> RedisResult<T>
    where
        F: Future<Output = RedisResult<T>> + Send + 'static,
    {
        match self.current() {
            Some(current) => Ok(current),
            None => self.renew(find).await,
        }
    }

    /// A new belief.
    pub(super) async fn renew<F>(self: &Arc<Self>, find: impl Fn() -> F) -> RedisResult<T>
    where
        F: Future<Output = RedisResult<T>> + Send + 'static,
    {
        let view = Arc::clone(self);
        let found = find();
        self.flight
            .join(move || async move {
                let found = found.await?;
                view.believe(found.clone());
                Ok(found)
            })
            .await
    }

    /// A belief that is not older than `age`.
    pub(super) async fn no_older_than<F>(
        self: &Arc<Self>,
        age: Duration,
        find: impl Fn() -> F,
    ) -> RedisResult<T>
    where
        F: Future<Output = RedisResult<T>> + Send + 'static,
    {
        let renewed = *self.renewed.lock().unwrap_or_else(PoisonError::into_inner);
        match self.current() {
            Some(current) if renewed.is_some_and(|at| at.elapsed() < age) => Ok(current),
            _ => self.renew(find).await,
        }
    }

    pub(super) fn believe(&self, belief: T) {
        *self.renewed.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        self.replace(belief);
    }

    /// Corrects the belief without having looked at the whole.
    pub(super) fn replace(&self, belief: T) {
        self.current.send_if_modified(|current| {
            let is_news = current.as_ref() != Some(&belief);
            *current = Some(belief);
            is_news
        });
    }

    /// Ends when what is believed is so, or when nobody believes anything any more.
    pub(super) fn when(&self, is_so: impl Fn(&T) -> bool + Send + Sync + 'static) -> Left {
        let mut changes = self.current.subscribe();
        Box::pin(async move {
            // An error means that the store was dropped.
            let _ = changes.wait_for(|current| current.as_ref().is_some_and(&is_so)).await;
        })
    }
}

//! How many refreshes are under way.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::error::{Error, Result};

/// Counts them.
#[derive(Default)]
pub(super) struct InFlightLimit(AtomicU32);

/// One that is under way, until it is dropped.
pub(super) struct Place<'a>(&'a InFlightLimit);

impl InFlightLimit {
    /// A place for one more, where there are less than `most`.
    ///
    /// # Errors
    /// [`Error::StoreUnavailable`]: ask again.
    pub(super) fn enter(&self, most: u32) -> Result<Place<'_>> {
        let place = Place(self);
        if self.0.fetch_add(1, Ordering::Relaxed) >= most {
            return Err(Error::store("too many refreshes are under way"));
        }
        Ok(place)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_again_once_it_is_left() {
        let all = InFlightLimit::default();
        let first = all.enter(2).unwrap();
        let _second = all.enter(2).unwrap();
        assert!(matches!(all.enter(2), Err(Error::StoreUnavailable { .. })));
        drop(first);
        assert!(all.enter(2).is_ok());
        assert_eq!(all.0.load(Ordering::Relaxed), 1);
    }
}

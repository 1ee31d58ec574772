//! A session that is bound to a key of its client (RFC 9449), and a thief who does not have the key.

use std::sync::LazyLock;

use regrant::Result;
use regrant::internal::check_binding;
use regrant::keys::Thumbprint;

use super::machine::Machine;
use super::search_space::SearchSpace;
use super::step::Event;
use super::violation::Violation;
use super::world::{Who, World};

/// Whether a request may use a token that is bound to the first key, after a proof by the second one.
pub type CheckBinding = fn(Option<Thumbprint>, Option<Thumbprint>) -> Result<()>;

/// The operations that ask for a proof, each with its check.
#[derive(Clone, Copy, Debug)]
pub struct BindingChecks {
    pub refresh: CheckBinding,
    pub logout: CheckBinding,
    /// Before an access token is accepted.
    pub access: CheckBinding,
    /// Before the use of an access token is reported.
    pub report: CheckBinding,
}

impl BindingChecks {
    /// [`check_binding`] everywhere.
    pub const REAL: Self = Self::all(check_binding);

    /// The same check everywhere.
    pub const fn all(check: CheckBinding) -> Self {
        Self { refresh: check, logout: check, access: check, report: check }
    }
}

/// The key of the session, and that of the thief.
static KEYS: LazyLock<[Thumbprint; 2]> = LazyLock::new(|| {
    ["0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I", "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"]
        .map(|text| text.parse().expect("a thumbprint"))
});

impl World {
    /// What the honest client asks for, with a proof by its key.
    pub(super) fn check_own_key(space: &SearchSpace, check: CheckBinding) -> Result<(), Violation> {
        let own = space.bound.then(|| KEYS[0]);
        check(own, own).map_err(|_| Violation::OwnKeyRefused)
    }

    /// Invariant 11: the thief tries without a proof, and with one by its own key.
    pub(super) fn act_without_key(
        &mut self,
        machine: &Machine,
        space: &SearchSpace,
        event: Event,
    ) -> Result<(), Violation> {
        let [owners, thiefs] = *KEYS;
        let checks = &machine.bindings;
        let check = match event {
            Event::ThiefLogsOut => checks.logout,
            Event::ThiefUses { .. } => checks.access,
            _ => checks.refresh,
        };
        for proven in [None, Some(thiefs)] {
            if check(Some(owners), proven).is_ok() {
                return Err(Violation::GrantedWithoutKey);
            }
            if let Event::ThiefUses { delivered } = event
                && (checks.report)(Some(owners), proven).is_ok()
            {
                let access = self.client(Who::Thief).access;
                self.use_access_token(machine, space, Who::Thief, access, delivered)?;
            }
        }
        Ok(())
    }
}

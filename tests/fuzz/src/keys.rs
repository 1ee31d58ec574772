//! The keys of the targets. Public with the source; they protect nothing.

use std::sync::Arc;

use regrant::keys::{Algorithm, Key, Keyring, RefreshKeys, RefreshSecret, ShortSecret};
use regrant::types::{Clock, ManualClock, SecretBytes, Timestamp};

pub(crate) const SECRET: &str = "an HS256 secret for tests of access tokens";
pub(crate) const REFRESH_SECRET: &str = "a secret for tests of refresh tokens";
pub(crate) const P256: &str = include_str!("../../vectors/keys/test-only-p256-a.public.pem");
pub(crate) const ED25519: &str = include_str!("../../vectors/keys/test-only-ed25519-a.public.pem");

/// The time on the clocks of the targets, in seconds.
pub(crate) const NOW: i64 = 1_700_000_000;

/// One key for each kind of signature. The fuzzer cannot guess any.
pub(crate) fn keyring() -> Keyring {
    let hmac = Key::hmac(Algorithm::HS256, &SecretBytes::new(SECRET), ShortSecret::Refuse);
    Keyring::builder()
        .active(hmac.expect("a key"))
        .verifying(Key::public_pem(Algorithm::ES256, P256).expect("a key"))
        .verifying(Key::public_pem(Algorithm::EdDSA, ED25519).expect("a key"))
        .build()
        .expect("a ring")
}

pub(crate) fn refresh_keys() -> RefreshKeys {
    let secret = RefreshSecret::new(&SecretBytes::new(REFRESH_SECRET), ShortSecret::Refuse);
    RefreshKeys::new(secret.expect("a secret"))
}

pub(crate) fn clock() -> Arc<dyn Clock> {
    Arc::new(ManualClock::new(Timestamp::from_seconds(NOW)))
}

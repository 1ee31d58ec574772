//! The crate `jsonwebtoken`, to compare with.

use jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER;

/// Chooses the cryptography, which is ambiguous when other crates enable both kinds.
pub(crate) fn choose_cryptography() {
    // An error means that it was chosen before.
    let _ = DEFAULT_PROVIDER.install_default();
}

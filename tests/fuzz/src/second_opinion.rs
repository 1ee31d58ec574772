//! The crate `jsonwebtoken`, to compare with.

use jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER;

/// Selects the crypto backend, which is ambiguous when other crates enable both.
pub(crate) fn choose_cryptography() {
    // An error means that it was already selected.
    let _ = DEFAULT_PROVIDER.install_default();
}

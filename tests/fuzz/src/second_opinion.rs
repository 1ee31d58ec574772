//! The crate `jsonwebtoken`, as another library to compare with.

use jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER;

/// Where other crates are built along, it has both kinds of cryptography, and must be told which.
pub(crate) fn choose_cryptography() {
    // Chosen before is chosen.
    let _ = DEFAULT_PROVIDER.install_default();
}

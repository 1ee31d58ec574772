//! The key that tokens are bound to (DPoP, RFC 9449): in the device's key store, or in software.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use regrant::dpop::{DeviceKey, ProofKey as _, SoftwareKey};
use regrant::error::{Cause, Error};
use tokio::sync::oneshot;

use super::storage::Foreign;
use super::{CallbackError, LATE_LOCK, TokenStorage, run_on_thread};
use crate::RegrantError;

/// A P-256 key pair that the tokens of a session are bound to: stolen tokens are useless without it.
/// In a device's key store, the private key never leaves it.
#[uniffi::export(with_foreign)]
pub trait ProofKey: Send + Sync {
    /// The public key, always the same: DER (SPKI), as from `PublicKey.getEncoded` on Android, or the
    /// uncompressed point, as from `SecKeyCopyExternalRepresentation` on Apple platforms. Called once
    /// per session.
    fn public_key(&self) -> Result<Vec<u8>, CallbackError>;

    /// Signs `message` by ECDSA with SHA-256, in DER (`SHA256withECDSA`,
    /// `ecdsaSignatureMessageX962SHA256`) or as `r ‖ s`. Fails if the key cannot be used now, for
    /// example while the device is locked; that does not sign the user out. Throws
    /// `CallbackError.Lost` if it never can be used again, which does. Called on a thread that it may
    /// block.
    fn sign(&self, message: Vec<u8>) -> Result<Vec<u8>, CallbackError>;
}

/// How long the storage of a key may take, locking included: as long as that of a session's tokens.
const KEY_TIMEOUT: Duration = Duration::from_secs(20);

/// Loads a software key from `storage`, or creates one. Use a storage of its own, not that of the
/// tokens. The key is as safe as that storage, and the tokens that are bound to it are lost with it.
///
/// Fails with `ERR_STORE_UNAVAILABLE` if the storage fails or takes longer than 20 seconds, and with `ERR_CONFIG_INVALID` if it
/// contains something else.
#[uniffi::export]
pub async fn software_proof_key(
    storage: Arc<dyn TokenStorage>,
) -> Result<Arc<dyn ProofKey>, RegrantError> {
    let (reply, answer) = oneshot::channel();
    let work = async move {
        let (storage, mut unused) = Foreign::new(storage);
        let loading = tokio::time::timeout(KEY_TIMEOUT, SoftwareKey::load_or_create(&storage));
        let key =
            loading.await.unwrap_or_else(|_| Err("the storage did not respond in time".into()));
        drop(storage);
        // The caller may have gone; the key is stored.
        let _ = reply.send(key);
        // Wait for a lock that is still being taken, so that it is unlocked.
        let _ = tokio::time::timeout(LATE_LOCK, unused.recv()).await;
    };
    run_on_thread(work, None)?;
    let gone = |_| Error::Internal { what: "the key's thread has died".into() };
    let failed = |cause: Cause| match cause.downcast::<Error>() {
        Ok(error) => *error,
        Err(cause) => Error::StoreUnavailable { source: cause },
    };
    Ok(Arc::new(Software(answer.await.map_err(gone)?.map_err(failed)?)))
}

/// The thumbprint of a key (RFC 7638), as in the `jkt` of tokens that are bound to it. Not secret.
///
/// Fails with `ERR_CONFIG_INVALID` and the field `proofKey` if it is not a P-256 key.
#[uniffi::export]
pub fn thumbprint_of(key: Arc<dyn ProofKey>) -> Result<String, RegrantError> {
    Ok(with_public_key(key)?.thumbprint().to_string())
}

struct Software(SoftwareKey);

impl ProofKey for Software {
    fn public_key(&self) -> Result<Vec<u8>, CallbackError> {
        self.0.public_der().map_err(|error| CallbackError::Failed { reason: error.to_string() })
    }

    fn sign(&self, message: Vec<u8>) -> Result<Vec<u8>, CallbackError> {
        self.0.sign(&message).map_err(|error| CallbackError::Failed { reason: error.to_string() })
    }
}

/// Converts the app's key to the core's.
///
/// # Errors
/// [`Error::ConfigInvalid`] for `proofKey` if its public key is unavailable or invalid.
pub(super) fn device_key(
    key: Arc<dyn ProofKey>,
) -> Result<Arc<dyn regrant::dpop::ProofKey>, RegrantError> {
    Ok(Arc::new(with_public_key(key)?))
}

type Signer = Box<dyn Fn(&[u8]) -> Result<Vec<u8>, Cause> + Send + Sync>;

fn with_public_key(key: Arc<dyn ProofKey>) -> Result<DeviceKey<Signer>, RegrantError> {
    let public = key.public_key().map_err(|error| Error::ConfigInvalid {
        field: "proofKey".to_owned(),
        problem: error.to_string(),
    })?;
    let sign: Signer =
        Box::new(move |message| key.sign(message.to_vec()).map_err(CallbackError::into_key_error));
    Ok(DeviceKey::new(&public, sign)?)
}

impl fmt::Debug for Software {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

//! The key that tokens are bound to (DPoP, RFC 9449): one that the device keeps to itself, or one
//! in memory.

use std::fmt;
use std::sync::Arc;

use regrant::dpop::{DeviceSigner, DpopSigner as _, SoftwareSigner};
use regrant::error::{Cause, Error};
use tokio::sync::oneshot;

use super::storage::Foreign;
use super::{CallbackError, TokenStorage, thread};
use crate::RegrantError;

/// A key pair on P-256 that the tokens of a session are bound to: whoever steals the tokens cannot
/// use them without it. Over the key store of a device the private part never leaves that.
#[uniffi::export(with_foreign)]
pub trait ProofKey: Send + Sync {
    /// The public part, always the same: in DER (SPKI), as `PublicKey.getEncoded` gives it on
    /// Android, or its uncompressed point, as `SecKeyCopyExternalRepresentation` gives it on Apple's
    /// systems. Called once, when a session is made.
    fn public_key(&self) -> Result<Vec<u8>, CallbackError>;

    /// The signature of `message` by ECDSA with SHA-256, in DER (`SHA256withECDSA`,
    /// `ecdsaSignatureMessageX962SHA256`) or as `r ‖ s`. Fails when the key cannot be used now, as
    /// while the device is locked: nobody is signed out by that. Called on a thread of its own,
    /// which may wait.
    fn sign(&self, message: Vec<u8>) -> Result<Vec<u8>, CallbackError>;
}

/// A key in memory that is kept in `storage`, and made at the first call. It is as safe as that
/// storage, which must be another one than that of the tokens; what is bound to the key is lost
/// with it.
///
/// Fails with `ERR_STORE_UNAVAILABLE` when the storage fails, and with `ERR_CONFIG_INVALID` when it
/// has something else.
#[uniffi::export]
pub async fn software_proof_key(
    storage: Arc<dyn TokenStorage>,
) -> Result<Arc<dyn ProofKey>, RegrantError> {
    let (reply, answer) = oneshot::channel();
    let work = async move {
        let (storage, mut unused) = Foreign::new(storage);
        let kept = SoftwareSigner::kept_in(&storage).await;
        drop(storage);
        // It is unlocked before anybody uses the key.
        while unused.recv().await.is_some() {}
        // One that has gone meanwhile finds the key the next time.
        let _ = reply.send(kept);
    };
    thread::run(work, None)?;
    let gone = |_| Error::Internal { what: "the thread of a key has died".into() };
    let failed = |cause: Cause| match cause.downcast::<Error>() {
        Ok(error) => *error,
        Err(cause) => Error::StoreUnavailable { source: cause },
    };
    Ok(Arc::new(Software(answer.await.map_err(gone)?.map_err(failed)?)))
}

/// The thumbprint of a key (RFC 7638): what tokens that are bound to it say as `jkt`. It is no secret.
///
/// Fails with `ERR_CONFIG_INVALID` and the field `proofKey` when that is no key on P-256.
#[uniffi::export]
pub fn thumbprint_of(key: Arc<dyn ProofKey>) -> Result<String, RegrantError> {
    Ok(with_public_part(key)?.thumbprint().to_string())
}

struct Software(SoftwareSigner);

impl ProofKey for Software {
    fn public_key(&self) -> Result<Vec<u8>, CallbackError> {
        self.0.public_der().map_err(|error| CallbackError::Failed { reason: error.to_string() })
    }

    fn sign(&self, message: Vec<u8>) -> Result<Vec<u8>, CallbackError> {
        self.0.sign(&message).map_err(|error| CallbackError::Failed { reason: error.to_string() })
    }
}

/// The app's key for the core.
///
/// # Errors
/// [`Error::ConfigInvalid`] for `proofKey` when it cannot tell its public part, or that is none.
pub(super) fn device_key(
    key: Arc<dyn ProofKey>,
) -> Result<Arc<dyn regrant::dpop::DpopSigner>, RegrantError> {
    Ok(Arc::new(with_public_part(key)?))
}

type Signer = Box<dyn Fn(&[u8]) -> Result<Vec<u8>, Cause> + Send + Sync>;

fn with_public_part(key: Arc<dyn ProofKey>) -> Result<DeviceSigner<Signer>, RegrantError> {
    let public = key.public_key().map_err(|error| Error::ConfigInvalid {
        field: "proofKey".to_owned(),
        problem: error.to_string(),
    })?;
    let sign: Signer = Box::new(move |message| Ok(key.sign(message.to_vec())?));
    Ok(DeviceSigner::new(&public, sign)?)
}

impl fmt::Debug for Software {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

//! A software key that outlives the process.

use super::storage::TokenStorage;
use crate::dpop::SoftwareSigner;
use crate::error::Cause;
use crate::types::SecretBytes;

impl SoftwareSigner {
    /// The key in `storage`, made at the first call. The storage is one of its own, not that of the
    /// tokens, and as secret: what is bound to the key is lost with it.
    ///
    /// # Errors
    /// When the storage fails, or has something else.
    pub async fn kept_in(storage: &dyn TokenStorage) -> Result<Self, Cause> {
        // Two processes that start at once must not make two keys.
        let _lock = storage.lock().await?;
        // Nothing: also what cannot be read any more, as some storages tell it.
        if let Some(kept) = storage.read().await?.filter(|kept| !kept.is_empty()) {
            return Ok(Self::from_pem(&SecretBytes::new(kept.as_slice()))?);
        }
        let key = Self::generate()?;
        storage.write(key.pem().expose().to_vec().into()).await?;
        Ok(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::{FileStorage, MemoryStorage};

    #[tokio::test]
    async fn is_the_same_the_next_time() {
        let folder = tempfile::tempdir().unwrap();
        let storage = FileStorage::new(folder.path().join("key"));
        let first = SoftwareSigner::kept_in(&storage).await.unwrap();
        let again = SoftwareSigner::kept_in(&storage).await.unwrap();
        assert_eq!(first.thumbprint().unwrap(), again.thumbprint().unwrap());
        let another = SoftwareSigner::kept_in(&MemoryStorage::default()).await.unwrap();
        assert_ne!(first.thumbprint().unwrap(), another.thumbprint().unwrap());
    }

    #[tokio::test]
    async fn something_else_is_not_overwritten() {
        let storage = MemoryStorage::default();
        storage.write(b"tokens".to_vec().into()).await.unwrap();
        assert!(SoftwareSigner::kept_in(&storage).await.is_err());
        assert_eq!(storage.read().await.unwrap().unwrap().as_slice(), b"tokens");
    }
}

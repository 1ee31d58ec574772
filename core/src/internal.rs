//! For the bindings, the operator's command and the tests of this repository. Not part of the
//! interface: it changes without notice.

pub use crate::access::issuer::{AccessGrant, AccessIssuer, IssuedAccess};
pub use crate::keys::public_key::check_binding;
pub use crate::types::time::{format_span, parse_span};

#[cfg(feature = "client")]
pub use crate::client::session::storage::DurableFile;
#[cfg(feature = "server")]
pub use crate::{
    migration::store::{
        ImportOutcome, KeyPage, LegacyKeyState, LegacyStore, Lookup, MigrationMarker, RevokedBefore,
    },
    revocation::deny_list::DenyList,
    revocation::entries::{Denial, TokenIdentity},
};

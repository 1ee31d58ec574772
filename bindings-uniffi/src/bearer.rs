//! The token in a header.

use crate::RegrantError;

/// The token in the value of an `Authorization` header (RFC 6750 §2.1), or of a header of the
/// same form: `Bearer <token>`, the scheme in any case.
///
/// Fails with `ERR_TOKEN_MISSING` when the value is empty or names another scheme, and with
/// `ERR_TOKEN_MALFORMED` when what follows is not one token.
#[uniffi::export]
pub fn bearer_token(header_value: &str) -> Result<String, RegrantError> {
    Ok(regrant::access::bearer_token(header_value)?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_token_or_says_why_not() {
        assert_eq!(bearer_token("bearer  a.b.c").unwrap(), "a.b.c");
        assert_eq!(bearer_token("Basic YQ==").unwrap_err().code(), "ERR_TOKEN_MISSING");
        assert_eq!(bearer_token("Bearer a b").unwrap_err().code(), "ERR_TOKEN_MALFORMED");
    }
}

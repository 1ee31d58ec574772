//! The token in an `Authorization` header (RFC 6750 §2.1, RFC 9110 §11.4).

use crate::error::{Error, Result};

/// The token in the value of an `Authorization` header, or of a header of the same form.
///
/// The scheme is compared without regard to case and followed by one or more spaces; blanks
/// around the value are not part of it (RFC 9110 §5.5).
///
/// # Errors
/// [`Error::TokenMissing`] when the value is empty, names another scheme or has nothing after
/// `Bearer`: by RFC 6750 §3.1 a request that "lacks any authentication information", which
/// another scheme is counted as, gets a challenge without an error code.
/// [`Error::TokenMalformed`] when what follows is not one `token68`.
///
/// ```
/// assert_eq!(regrant::access::bearer_token("Bearer abc.def.ghi")?, "abc.def.ghi");
/// # Ok::<(), regrant::Error>(())
/// ```
pub fn bearer_token(header_value: &str) -> Result<&str> {
    let token = after_scheme(header_value)?;
    if is_token68(token) { Ok(token) } else { Err(Error::TokenMalformed) }
}

/// What follows the scheme, whatever it is: for those who check a token next.
pub(crate) fn after_scheme(header_value: &str) -> Result<&str> {
    const SCHEME: &str = "Bearer";
    let value = header_value.trim_matches([' ', '\t']);
    let (scheme, rest) = value.split_once(' ').ok_or(Error::TokenMissing)?;
    if !scheme.eq_ignore_ascii_case(SCHEME) {
        return Err(Error::TokenMissing);
    }
    Ok(rest.trim_start_matches(' '))
}

/// RFC 9110 §11.2: `1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="`.
pub(crate) fn is_token68(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    !body.is_empty() && body.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_token() {
        for value in
            ["Bearer a.b-c_d~e+f/g==", "bearer a.b-c_d~e+f/g==", "BEARER   a.b-c_d~e+f/g== "]
        {
            assert_eq!(bearer_token(value).unwrap(), "a.b-c_d~e+f/g==", "{value:?}");
        }
    }

    #[test]
    fn nothing_and_other_schemes_are_a_missing_token() {
        for value in
            ["", " ", "Bearer", "Bearer ", "bearer \t", "Basic dTpw", "a.b.c", "Bearera.b.c"]
        {
            assert!(matches!(bearer_token(value), Err(Error::TokenMissing)), "{value:?}");
        }
    }

    #[test]
    fn anything_but_one_token68_is_malformed() {
        for value in [
            "Bearer a b",
            "Bearer a,b",
            "Bearer =",
            "Bearer a=b",
            "Bearer \ta",
            "Bearer é",
            "Bearer \"a\"",
        ] {
            assert!(matches!(bearer_token(value), Err(Error::TokenMalformed)), "{value:?}");
        }
    }
}

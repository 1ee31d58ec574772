//! Detects secrets and tokens of the tests in program output.
//!
//! The output of the tests of all languages is scanned, with their servers, panics and logs. Secrets are recognised by
//! fixed phrases and tokens by their form, so new tests need not register anything.

/// Every secret in a test contains one of these phrases, so that a leak is detected.
const PLANTED: &[&str] = &[
    "an access secret of at least 32 bytes",
    "a refresh secret, at least as long",
    "an HS256 secret for tests of access tokens",
    "a secret for tests of refresh tokens",
    "a secret of the tests",
    "-----BEGIN PRIVATE KEY-----",
    "-----BEGIN RSA PRIVATE KEY-----",
    "-----BEGIN EC PRIVATE KEY-----",
];

/// The start of every token: `{"` in base64url.
const TOKEN: &str = "eyJ";
/// Minimum lengths of the payload (three claims) and signature (HMAC-SHA-256) of a real token. Tokens in test names and
/// documentation are shorter.
const PAYLOAD: usize = 40;
const SIGNATURE: usize = 43;

/// Describes the secret in a line of output. Quotes the beginning of the line: enough to find it, shorter than any part of
/// a token.
pub(crate) fn violation(line: &str) -> Option<String> {
    let (what, length) = (secret_in(line)?, line.chars().count());
    let beginning: String = line.chars().take(30).collect();
    Some(format!(
        "{what} was printed, in a line of {length} characters that begins with {beginning:?}"
    ))
}

fn secret_in(line: &str) -> Option<&'static str> {
    if PLANTED.iter().any(|secret| line.contains(secret)) {
        return Some("a secret of the tests");
    }
    line.match_indices(TOKEN).any(|(start, _)| is_token(&line[start..])).then_some("a token")
}

/// Whether a text starts with three base64url parts as long as those of a real token.
fn is_token(text: &str) -> bool {
    let letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let end = text.find(|c| !letter(c)).unwrap_or(text.len());
    let mut parts = text[..end].split('.').map(str::len);
    let (Some(_), Some(payload), Some(signature)) = (parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    payload >= PAYLOAD && signature >= SIGNATURE
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Assembled here, so that this file contains no token.
    fn token() -> String {
        format!("{TOKEN}hbGciOiJIUzI1NiJ9.{}.{}", "e".repeat(PAYLOAD), "s".repeat(SIGNATURE))
    }

    #[test]
    fn tokens_and_secrets_are_found_anywhere_in_a_line() {
        for line in [
            format!("Bearer {}", token()),
            format!("{{\"accessToken\":\"{}\"}}", token()),
            format!("eyJ eyJ.. at {}\n", token()),
            format!("Secret(\"{}\")", PLANTED[0]),
        ] {
            assert!(secret_in(&line).is_some());
        }
        for line in [
            "",
            "eyJ",
            "test eyJhbGciOiJub25lIn0.e30.AA ... ok",
            "eyJhbGciOiJIUzI1NiJ9.[redacted]",
            "token [redacted]",
        ] {
            assert_eq!(secret_in(line), None, "{line}");
        }
    }

    #[test]
    fn the_message_does_not_contain_the_secret() {
        let violation = violation(&format!("another with {} in it", token())).unwrap();
        assert!(violation.contains("another with") && !violation.contains(&token()));
    }
}

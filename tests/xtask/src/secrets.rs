//! What no program here may print: the secrets and tokens of the tests.
//!
//! Every output that `cargo xtask` passes on goes through here, so the whole suite is listened to:
//! tests of all languages, servers that they start, their panics and logs. Secrets of tests are told
//! by how they begin and tokens by their form, so that a new test need not register anything. Only what
//! the demo serves is not heard: it has the terminal to itself.

/// What the secrets of the tests contain. A test uses one of these, so that a leak is
/// detected.
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

/// How a header of a token begins: `{"`, encoded.
const TOKEN: &str = "eyJ";
/// The shortest parts that are taken for those of a live token: a payload with three claims, a
/// signature by HMAC-SHA-256. Those in names of tests and in documentation are shorter.
const PAYLOAD: usize = 40;
const SIGNATURE: usize = 43;

/// What is to be said of a line that a program has printed with a secret in it; the secret is left out.
pub(crate) fn complaint(line: &str) -> Option<String> {
    let what = secret_in(line)?;
    let (length, beginning) = (line.chars().count(), beginning(line));
    Some(format!(
        "{what} was printed, in a line of {length} characters that begins with {beginning:?}"
    ))
}

/// Enough to find the place by; less than a part of a token.
fn beginning(line: &str) -> String {
    line.chars().take(30).collect()
}

fn secret_in(line: &str) -> Option<&'static str> {
    if PLANTED.iter().any(|secret| line.contains(secret)) {
        return Some("a secret of the tests");
    }
    line.match_indices(TOKEN).any(|(place, _)| is_token(&line[place..])).then_some("a token")
}

/// Whether a text begins with three parts of base64url, as long as those of a live token.
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

    /// Put together here, so that this file and its own output hold none.
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
        let complaint = complaint(&format!("another with {} in it", token())).unwrap();
        assert!(complaint.contains("another with") && !complaint.contains(&token()));
    }
}

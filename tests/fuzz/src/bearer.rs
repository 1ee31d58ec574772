//! The value of an `Authorization` header.

use regrant::Error;
use regrant::access::bearer_token;

pub(crate) fn run(input: &[u8]) {
    let Ok(value) = std::str::from_utf8(input) else { return };
    match (bearer_token(value), expected(value.as_bytes())) {
        (Ok(token), Expected::Token(bytes)) => {
            assert_eq!(token.as_bytes(), bytes);
            let printed = format!("Bearer {token}");
            assert_eq!(bearer_token(&printed).expect("a valid token"), token);
        }
        (Err(Error::TokenMissing), Expected::Missing) => {}
        (Err(Error::TokenMalformed), Expected::Malformed) => {}
        (read, _) => panic!("{read:?} of {value:?}"),
    }
}

enum Expected<'a> {
    Missing,
    Malformed,
    Token(&'a [u8]),
}

/// The grammar of RFC 9110 §11.4: `"Bearer" 1*SP token68`, with whitespace around it.
fn expected(mut value: &[u8]) -> Expected<'_> {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    let [
        b'B' | b'b',
        b'E' | b'e',
        b'A' | b'a',
        b'R' | b'r',
        b'E' | b'e',
        b'R' | b'r',
        b' ',
        token @ ..,
    ] = value
    else {
        return Expected::Missing;
    };
    let mut token = token;
    while let [b' ', rest @ ..] = token {
        token = rest;
    }
    let mut body = token;
    while let [rest @ .., b'='] = body {
        body = rest;
    }
    let letter = |byte: &u8| {
        matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9')
            || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/')
    };
    if body.is_empty() || !body.iter().all(letter) {
        Expected::Malformed
    } else {
        Expected::Token(token)
    }
}

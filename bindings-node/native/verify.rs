//! The verification of access tokens: the function that every request calls, and the JSON form in
//! which the other methods return a verified token.

use std::borrow::Cow;
use std::cell::RefCell;
use std::ops::Range;

use napi::bindgen_prelude::Unknown;
use napi::{Env, Result};
use regrant::access::VerifiedAccess;
use regrant::types::SessionId;
use regrant::{Auth, Error, ErrorCode};

use crate::error::ErrorDto;
use crate::fast_function::{self, Call, NativeFn, Value};

/// What the string is that the function is given.
#[derive(Clone, Copy)]
pub enum InputKind {
    Token,
    /// The value of an `Authorization` header.
    Header,
}

/// Instead of a cache id: the token is not cached.
const NOT_CACHED: f64 = -1.0;

/// Instead of a cache id: the string is an [`ErrorDto`] as JSON.
const ERROR: f64 = -2.0;

/// No cache entry has this id.
const NOTHING_SENT: u64 = u64::MAX;

/// Makes the function `(text, resend?) => number | string | undefined`, whose property `numbers`
/// belongs to a returned string. It verifies once per call and returns
///
/// - a number from 0: the token is cached, this is the id of its entry, and what the token says was
///   returned before for this id. With `resend` it is returned again instead;
/// - a negative number `n`: the error whose code has the index `-1 - n` in the table of codes;
/// - a string with `numbers[0] == -2`: an [`ErrorDto`] as JSON, for an error with details;
/// - any other string: the JSON text of the claims, and behind it the subject or the session id if the
///   claims have it with escapes. `numbers` has the cache id or -1, the length of the claims, and start
///   and end of the subject and of the session id in the string, twice 0 without a session;
/// - `undefined` after a panic.
///
/// `src/token-cache.cts` is the other half.
pub fn function<'env>(env: &'env Env, auth: &Auth, kind: InputKind) -> Result<Unknown<'env>> {
    fast_function::create(env, Verify { auth: auth.clone(), kind, sent: RefCell::default() })
}

struct Verify {
    auth: Auth,
    kind: InputKind,
    /// For each cache slot the id of the entry that was returned last.
    sent: RefCell<Vec<u64>>,
}

impl NativeFn for Verify {
    const NUMBERS: usize = 6;

    fn call<'call>(&self, call: Call<'call>, numbers: &mut [f64]) -> Option<Value<'call>> {
        let verified = call.text(|text| match self.kind {
            InputKind::Token => self.auth.verify(text),
            InputKind::Header => self.auth.verify_bearer(Some(text)),
        });
        match verified {
            Ok(access) => self.accepted(&access, call, numbers),
            Err(error) => rejected(error, call, numbers),
        }
    }
}

impl Verify {
    #[allow(clippy::cast_precision_loss, reason = "ids and lengths are far below 2^53")]
    fn accepted<'call>(
        &self,
        access: &VerifiedAccess,
        call: Call<'call>,
        numbers: &mut [f64],
    ) -> Option<Value<'call>> {
        let id = access.cache_id();
        if let Some(id) = id
            && self.was_sent(id)
            && call.count() == 1
        {
            return call.number(id as f64);
        }
        // Nearly always the payload as it is: parts of it are named by their places, not copied.
        let mut text = Cow::Borrowed(access.payload());
        let subject = access.subject().as_str();
        let subject =
            range(access.subject_offset(), subject.len(), || subject.to_owned(), &mut text);
        let session = access.session().map_or(0..0, |id| {
            range(access.session_offset(), SessionId::TEXT_BYTES, || id.to_string(), &mut text)
        });
        let places =
            [access.payload().len(), subject.start, subject.end, session.start, session.end];
        let is_ascii = text.is_ascii();
        let place = |at: usize| if is_ascii { at } else { utf16_length(&text[..at]) };
        numbers[0] = id.map_or(NOT_CACHED, |id| id as f64);
        for (number, at) in numbers[1..].iter_mut().zip(places) {
            *number = place(at) as f64;
        }
        if is_ascii { call.latin1(text.as_bytes()) } else { call.string(&text) }
    }

    /// Whether the entry was returned before; notes that it is now.
    fn was_sent(&self, id: u64) -> bool {
        let mut sent = self.sent.borrow_mut();
        if sent.is_empty() {
            sent.resize(self.auth.cache_slots(), NOTHING_SENT);
        }
        let slots = sent.len() as u64;
        let slot = id.checked_rem(slots).and_then(|slot| usize::try_from(slot).ok());
        match slot.and_then(|slot| sent.get_mut(slot)) {
            Some(sent) => std::mem::replace(sent, id) == id,
            None => false,
        }
    }
}

fn rejected<'call>(error: Error, call: Call<'call>, numbers: &mut [f64]) -> Option<Value<'call>> {
    let code = error.code();
    let dto = ErrorDto::from(error);
    if dto.has_details() {
        numbers[0] = ERROR;
        return call.string(&serde_json::to_string(&dto).ok()?);
    }
    let index = ErrorCode::ALL.iter().position(|known| *known == code)?;
    call.number(-1.0 - f64::from(u32::try_from(index).ok()?))
}

/// The range of a part of `text`: from `offset` if it is there already, else behind the rest.
fn range(
    offset: Option<usize>,
    length: usize,
    part: impl FnOnce() -> String,
    text: &mut Cow<'_, str>,
) -> Range<usize> {
    let start = offset.unwrap_or(text.len());
    if offset.is_none() {
        text.to_mut().push_str(&part());
    }
    start..start + length
}

fn utf16_length(text: &str) -> usize {
    text.encode_utf16().count()
}

/// `[subject, sessionId, claims]` as JSON, with the claims as they were signed.
pub fn to_tuple_json(access: &VerifiedAccess) -> regrant::Result<String> {
    let head = (access.subject(), access.session());
    let mut json = serde_json::to_string(&head)
        .map_err(|_| Error::internal("a subject cannot be serialized"))?;
    json.pop();
    json.push(',');
    json.push_str(access.payload());
    json.push(']');
    Ok(json)
}

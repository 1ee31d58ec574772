//! The text of a token, read from JavaScript with one call and no allocation.
//!
//! `String` parameters cost two calls and an allocation each, which is a good part of what a
//! whole verification takes. Of the ways to read a string into a buffer the one as UTF-16 is the
//! quickest that loses nothing: Node copies without looking at the characters, whereas it writes
//! UTF-8 one by one, and as Latin-1 other characters would become some that a token may have.

use std::mem::MaybeUninit;
use std::slice;
use std::str;

use napi::bindgen_prelude::FromNapiValue as _;
use napi::{Env, JsString, JsValue, sys};
use regrant::{Error, Result};

/// Longer ones are read the ordinary way.
const ON_STACK: usize = 2048;

/// The most bytes that one character takes: less room than that may have cut the text.
const LONGEST_CHARACTER: usize = 4;

/// Calls `read` with the text of `string`.
///
/// # Errors
/// What `read` returns; [`Error::TokenMalformed`] when `string` is not a string.
pub fn with<T>(env: &Env, string: JsString<'_>, read: impl FnOnce(&str) -> Result<T>) -> Result<T> {
    // SAFETY: both are of the running call of this function's caller.
    unsafe { with_raw(env.raw(), string.raw(), read) }
}

/// As [`with`].
///
/// # Safety
/// `env` and `value` belong to the running call from JavaScript.
pub unsafe fn with_raw<T>(
    env: sys::napi_env,
    value: sys::napi_value,
    read: impl FnOnce(&str) -> Result<T>,
) -> Result<T> {
    let mut units = [const { MaybeUninit::<u16>::uninit() }; ON_STACK];
    let mut length = 0;
    // SAFETY: `env` and `value` are valid, as the caller answers for; Node writes at most
    // `ON_STACK` units, its closing NUL among them, into `units`, and the number of units before
    // that into `length`. Both outlive the call.
    let status = unsafe {
        let units = units.as_mut_ptr().cast();
        sys::napi_get_value_string_utf16(env, value, units, ON_STACK, &raw mut length)
    };
    if status != sys::Status::napi_ok {
        return Err(Error::TokenMalformed);
    }
    // Otherwise there was perhaps no room for all of it.
    if length + 1 < ON_STACK {
        // SAFETY: Node wrote so many units, which is fewer than there is room for.
        let units = unsafe { slice::from_raw_parts(units.as_ptr().cast::<u16>(), length) };
        let mut space = [const { MaybeUninit::uninit() }; ON_STACK];
        if let Some(text) = ascii(units, &mut space) {
            return read(text);
        }
    }
    // SAFETY: as for this function.
    unsafe { with_any(env, value, read) }
}

/// The text of `units`, written into `space`, if it is ASCII and there is room.
fn ascii<'a>(units: &[u16], space: &'a mut [MaybeUninit<u8>]) -> Option<&'a str> {
    let space = space.get_mut(..units.len())?;
    let mut all = 0;
    // Without a way out, so that it is done for many at once.
    for (byte, unit) in space.iter_mut().zip(units) {
        #[allow(clippy::cast_possible_truncation, reason = "then `all` tells")]
        byte.write(*unit as u8);
        all |= unit;
    }
    // SAFETY: there is a unit for each byte, so all were written; ASCII is UTF-8.
    (all < 0x80).then(|| unsafe {
        str::from_utf8_unchecked(slice::from_raw_parts(space.as_ptr().cast(), space.len()))
    })
}

/// For all texts: with such characters as claims may have that are to be signed, and long ones.
///
/// # Safety
/// As for [`with_raw`].
#[cold]
unsafe fn with_any<T>(
    env: sys::napi_env,
    value: sys::napi_value,
    read: impl FnOnce(&str) -> Result<T>,
) -> Result<T> {
    let mut buffer = [const { MaybeUninit::<u8>::uninit() }; ON_STACK];
    let mut length = 0;
    // SAFETY: `env` and `value` are valid, as the caller answers for; Node writes at most
    // `ON_STACK` bytes, its closing NUL among them, into `buffer`, and the number of bytes before
    // that into `length`. Both outlive the call.
    let status = unsafe {
        sys::napi_get_value_string_utf8(
            env,
            value,
            buffer.as_mut_ptr().cast(),
            ON_STACK,
            &raw mut length,
        )
    };
    if status != sys::Status::napi_ok {
        return Err(Error::TokenMalformed);
    }
    if length + LONGEST_CHARACTER < ON_STACK {
        // SAFETY: Node wrote so many bytes, which is fewer than there is room for.
        let bytes = unsafe { slice::from_raw_parts(buffer.as_ptr().cast::<u8>(), length) };
        return read(str::from_utf8(bytes).map_err(|_| Error::TokenMalformed)?);
    }
    // SAFETY: `env` and `value` are valid, as the caller answers for.
    let text = unsafe { String::from_napi_value(env, value) };
    read(&text.map_err(|_| Error::TokenMalformed)?)
}

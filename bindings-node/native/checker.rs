//! The check of an access token as a bare function: what every request goes through.
//!
//! A method of a class made by macro costs as much again as the whole check: it looks up and
//! guards the native half of `this`, and a result of two types is converted. So this is a function
//! whose native half comes with it.

use std::cell::RefCell;
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use napi::bindgen_prelude::{FromNapiValue, Unknown};
use napi::{Env, Error, Result, Status, sys};
use regrant::Auth;
use regrant::access::VerifiedAccess;

use crate::records::{Answer, Records};
use crate::token_text;

/// What is looked at in the text that a function is given.
#[derive(Clone, Copy)]
pub enum Given {
    Token,
    /// The value of an `Authorization` header.
    Header,
}

struct Checker {
    auth: Auth,
    given: Given,
    records: RefCell<Records>,
}

/// A function `(text: string, inFull?: boolean) => number | string | undefined`.
///
/// It answers with the number of a token that is kept; for one that is not, or where `inFull` is
/// given, with a record (see `records`), whose first character is the number of its shape; with
/// JSON text of the shape, `{`…, where that is new, to be asked again; with JSON text of
/// `[subject, sessionId, claims]` for what fits no record; and with nothing for a token that is
/// refused, or for what is not text: why, the methods say.
pub fn function<'env>(env: &'env Env, auth: &Auth, given: Given) -> Result<Unknown<'env>> {
    let checker = Checker { auth: auth.clone(), given, records: RefCell::default() };
    let data = Box::into_raw(Box::new(checker)).cast::<c_void>();
    let mut function = ptr::null_mut();
    // SAFETY: `env` is that of the running call; the name may be absent; `call` expects `data` to
    // point to a `Checker`, which it does until `release` is called for the function.
    let status = unsafe {
        sys::napi_create_function(env.raw(), ptr::null(), 0, Some(call), data, &raw mut function)
    };
    if status == sys::Status::napi_ok {
        // SAFETY: the function was just made, and is the only one that has `data`.
        let status = unsafe {
            sys::napi_add_finalizer(
                env.raw(),
                function,
                data,
                Some(release),
                ptr::null_mut(),
                ptr::null_mut(),
            )
        };
        if status == sys::Status::napi_ok {
            // SAFETY: the value belongs to this environment and to the running call.
            return unsafe { Unknown::from_napi_value(env.raw(), function) };
        }
        // The function is never handed out, but its `data` must stay: it exists.
    } else {
        // SAFETY: nobody else has got it.
        drop(unsafe { Box::from_raw(data.cast::<Checker>()) });
    }
    Err(Error::new(Status::GenericFailure, "a function could not be made"))
}

/// Called by Node when the function is no more.
unsafe extern "C" fn release(_: sys::napi_env, data: *mut c_void, _: *mut c_void) {
    // SAFETY: `data` is the box of `function`, and Node calls this once.
    drop(unsafe { Box::from_raw(data.cast::<Checker>()) });
}

/// Called by Node with the arguments that JavaScript gave.
unsafe extern "C" fn call(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    let (mut count, mut arguments) = (2, [ptr::null_mut(); 2]);
    let mut data = ptr::null_mut();
    // SAFETY: Node gives a valid `env` and `info`, writes two arguments (`undefined` for those
    // that are missing) and the `data` of `function`.
    let status = unsafe {
        sys::napi_get_cb_info(
            env,
            info,
            &raw mut count,
            arguments.as_mut_ptr(),
            ptr::null_mut(),
            &raw mut data,
        )
    };
    if status != sys::Status::napi_ok || data.is_null() {
        return ptr::null_mut();
    }
    // SAFETY: it points to a `Checker` for as long as the function exists, which is being called.
    let checker = unsafe { &*data.cast::<Checker>() };
    let [text, _] = arguments;
    let check = |text: &str| match checker.given {
        Given::Token => checker.auth.verify(text),
        Given::Header => checker.auth.verify_bearer(Some(text)),
    };
    let answer = || {
        // SAFETY: `env` and `text` are those of the running call.
        let access = unsafe { token_text::with_raw(env, text, check) }.ok()?;
        Some(answered(env, &access, count > 1, &checker.records))
    };
    // A panic must not reach Node; the methods, asked next, answer for it. Null, where Node could
    // not make a value, is `undefined` to JavaScript.
    catch_unwind(AssertUnwindSafe(answer)).ok().flatten().unwrap_or(ptr::null_mut())
}

fn answered(
    env: sys::napi_env,
    access: &VerifiedAccess,
    in_full: bool,
    records: &RefCell<Records>,
) -> sys::napi_value {
    #[allow(clippy::cast_precision_loss, reason = "there are not that many tokens")]
    if let (Some(number), false) = (access.kept_as(), in_full) {
        let mut value = ptr::null_mut();
        // SAFETY: `env` is that of the running call.
        unsafe { sys::napi_create_double(env, number as f64, &raw mut value) };
        return value;
    }
    let mut records = records.borrow_mut();
    match records.answer(access) {
        Some(Answer::Record(record)) => latin1(env, record),
        Some(Answer::Shape(shape)) => utf8(env, &shape),
        None => match crate::auth::described(access) {
            Ok(described) => utf8(env, &described),
            Err(_) => ptr::null_mut(),
        },
    }
}

fn latin1(env: sys::napi_env, text: &[u8]) -> sys::napi_value {
    let mut value = ptr::null_mut();
    if let Ok(length) = isize::try_from(text.len()) {
        // SAFETY: `env` is that of the running call, which copies the text.
        unsafe {
            sys::napi_create_string_latin1(env, text.as_ptr().cast(), length, &raw mut value)
        };
    }
    value
}

fn utf8(env: sys::napi_env, text: &str) -> sys::napi_value {
    let mut value = ptr::null_mut();
    if let Ok(length) = isize::try_from(text.len()) {
        // SAFETY: as above.
        unsafe { sys::napi_create_string_utf8(env, text.as_ptr().cast(), length, &raw mut value) };
    }
    value
}

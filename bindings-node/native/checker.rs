//! The check of an access token as a bare function: what every request goes through.

use std::cell::RefCell;

use napi::bindgen_prelude::Unknown;
use napi::{Env, Result};
use regrant::Auth;

use crate::auth::described;
use crate::bare_function::{self, Answer, Call, Callee};
use crate::records::{self, JSON, NUMBERS, Records};

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
/// given, with a record (see `records`). Or, where the first of its numbers says so, with JSON: of
/// its shape, `{`…, where that is new, to be asked again; of `[subject, sessionId, claims]` for what
/// fits no record. And with nothing for a token that is refused, or for what is not text: why, the
/// methods say.
pub fn function<'env>(env: &'env Env, auth: &Auth, given: Given) -> Result<Unknown<'env>> {
    let records = RefCell::default();
    bare_function::function(env, Checker { auth: auth.clone(), given, records })
}

impl Callee for Checker {
    const NUMBERS: usize = NUMBERS;

    fn answer<'call>(&self, call: Call<'call>, numbers: &mut [f64]) -> Option<Answer<'call>> {
        let access = call.text(|text| match self.given {
            Given::Token => self.auth.verify(text),
            Given::Header => self.auth.verify_bearer(Some(text)),
        });
        let access = access.ok()?;
        #[allow(clippy::cast_precision_loss, reason = "there are not that many tokens")]
        if let (Some(number), 1) = (access.kept_as(), call.count()) {
            return call.number(number as f64);
        }
        match self.records.borrow_mut().answer(&access, numbers) {
            Some(records::Answer::Record(texts)) => call.latin1(texts),
            Some(records::Answer::Shape(shape)) => {
                numbers[0] = JSON;
                call.string(&shape)
            }
            None => {
                numbers[0] = JSON;
                call.string(&described(&access).ok()?)
            }
        }
    }
}

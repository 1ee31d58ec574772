//! `keys secret`.

use clap::Args;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::cli::context::{Context, Reply};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::error::Error;
use crate::token::base64url;

/// Prints a new random secret, as base64url text.
///
/// The text itself is the secret: give it as `secret`, or as REGRANT_SECRET, as it is.
#[derive(Args, Debug)]
pub(in crate::cli) struct Secret {
    /// How many random bytes: at least 32 for HS256, 48 for HS384, 64 for HS512.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(32..=1024))]
    bytes: u16,
}

#[derive(Serialize)]
struct Made<'a> {
    secret: &'a str,
    bytes: u16,
}

impl Secret {
    pub(super) fn run(&self, context: &Context) -> Result<Reply, Failure> {
        let mut bytes = Zeroizing::new(vec![0; usize::from(self.bytes)]);
        getrandom::fill(&mut bytes).map_err(|_| Error::internal("no randomness"))?;
        let secret = Zeroizing::new(base64url::encode(&bytes));
        let made = Made { secret: &secret, bytes: self.bytes };
        context.reply(Exit::Yes, &made, |page| page.line(&secret))
    }
}

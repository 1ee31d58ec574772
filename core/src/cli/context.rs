//! What every subcommand is told, and what it gives back.

use std::future::Future;
use std::io::{IsTerminal as _, stdout};

use serde::Serialize;

use super::exit::Exit;
use super::failure::Failure;
use super::page::{Page, Paint};
use crate::types::{Clock as _, SystemClock, Timestamp};

/// What every subcommand is told.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) json: bool,
    paint: Paint,
}

/// What a subcommand answers: the whole text for stdout, and how the command ends.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) text: String,
    pub(super) exit: Exit,
}

impl Context {
    pub(super) fn new(json: bool) -> Self {
        Self { json, paint: Paint::for_output(stdout().is_terminal()) }
    }

    pub(super) fn now(&self) -> Timestamp {
        SystemClock.now()
    }

    /// `data` for programs, or what `page` writes for people.
    pub(super) fn reply(
        &self,
        exit: Exit,
        data: &impl Serialize,
        page: impl FnOnce(&mut Page),
    ) -> Result<Reply, Failure> {
        let text = if self.json {
            let text = serde_json::to_string_pretty(data)
                .map_err(|_| Failure::outside("the answer is no JSON"))?;
            format!("{text}\n")
        } else {
            let mut paper = Page::new(self.paint);
            page(&mut paper);
            paper.into_text()
        };
        Ok(Reply { text, exit })
    }

    /// Runs `work`, which asks a store, to its end.
    pub(super) fn block_on<T>(
        &self,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::outside(format!("no runtime can be started: {error}")))?;
        runtime.block_on(work)
    }
}

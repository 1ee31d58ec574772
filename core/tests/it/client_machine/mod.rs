//! The client's machine, one rule at a time. That the rules together are enough is shown by the
//! search in `tests/sessions`.

mod bench;
mod changes;
mod clocks;
mod refreshes;
mod refusals;
mod troubles;

//! The client's machine, one rule at a time. That the rules together are enough is shown by the
//! search in `tests/sessions`.

mod clocks;
mod failures;
mod fixture;
mod persist;
mod refreshes;
mod rejections;

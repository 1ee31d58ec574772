//! The client's state machine, one rule at a time. The search in `tests/model` shows that the
//! rules together are sufficient.

mod clocks;
mod failures;
mod fixture;
mod persist;
mod refreshes;
mod rejections;
mod responses;
mod sign_out;
mod traces;

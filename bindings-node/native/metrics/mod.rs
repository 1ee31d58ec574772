//! The metrics of the process: what the core counts, for whoever scrapes or reads it.

mod recorder;
mod snapshot;
mod text;

pub use recorder::install;

/// All metrics as they are now, in the text format of Prometheus.
pub fn text() -> String {
    text::render(&snapshot::take())
}

/// All metrics as they are now.
pub fn snapshot() -> Vec<snapshot::Family> {
    snapshot::take()
}

//! The tables.

/// `regrant_feed_state` has one row. A publishing process locks it, so that entries become visible in the
/// order of their places.
pub(super) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS regrant_users (
    subject text COLLATE \"C\" PRIMARY KEY,
    sessions bytea NOT NULL,
    version int8 NOT NULL,
    expires_at int8 NOT NULL -- milliseconds since 1970
);
CREATE INDEX IF NOT EXISTS regrant_users_expiry ON regrant_users (expires_at);
CREATE TABLE IF NOT EXISTS regrant_failures (
    key bytea PRIMARY KEY,
    count int4 NOT NULL,
    ends_at int8 NOT NULL
);
CREATE INDEX IF NOT EXISTS regrant_failures_expiry ON regrant_failures (ends_at);
CREATE TABLE IF NOT EXISTS regrant_feed (
    place int8 PRIMARY KEY,
    expires_at int8 NOT NULL,
    entry text NOT NULL
);
CREATE INDEX IF NOT EXISTS regrant_feed_expiry ON regrant_feed (expires_at);
CREATE TABLE IF NOT EXISTS regrant_feed_state (
    only_row bool PRIMARY KEY DEFAULT true CHECK (only_row),
    id text NOT NULL DEFAULT md5(random()::text || clock_timestamp()::text),
    first_place int8 NOT NULL DEFAULT 1, -- of the entries that count
    last_place int8 NOT NULL DEFAULT 0,
    bytes int8 NOT NULL DEFAULT 0 -- of the entries that count
);
INSERT INTO regrant_feed_state DEFAULT VALUES ON CONFLICT DO NOTHING;
";

/// Whether all tables exist.
pub(super) const EXISTS: &str = "
    SELECT to_regclass('regrant_users') IS NOT NULL AND to_regclass('regrant_failures') IS NOT NULL
        AND to_regclass('regrant_feed') IS NOT NULL
        AND to_regclass('regrant_feed_state') IS NOT NULL";

/// Serialises the processes that create the tables: an advisory lock, whose number is arbitrary.
pub(super) const CREATE_LOCK: &str = "SELECT pg_advisory_xact_lock(7234017283807667300);";

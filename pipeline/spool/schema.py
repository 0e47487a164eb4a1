"""The spool's tables, as each version of Tidegate left them to the next: what makes a schema out of the one before it.

A script here never changes once it was released; a new schema is another script at the end. Whoever opens an older file runs those it hasn't had, in one
transaction. `user_version` and `head.schema` say how many that were.
"""

from __future__ import annotations

from typing import Final

SPINE: Final = """
CREATE TABLE head (            -- one row
    id INTEGER PRIMARY KEY CHECK (id = 1),
    schema INTEGER NOT NULL,           -- user_version once more, to tell a newer schema from a damaged header
    number INTEGER NOT NULL,           -- that the next record gets
    octets INTEGER NOT NULL,           -- of all rows ever stored
    rows INTEGER NOT NULL,             -- that there are now
    quarantined INTEGER NOT NULL,      -- records set aside, ever
    checksum INTEGER NOT NULL          -- CRC-32 of the four
) STRICT;
CREATE TABLE rows (
    number INTEGER PRIMARY KEY,        -- of its first record
    records INTEGER NOT NULL,
    before INTEGER NOT NULL,           -- octets of all rows ever stored before it
    octets INTEGER NOT NULL,           -- of entries and body
    body_octets INTEGER NOT NULL,      -- of the body, decompressed
    entries_octets INTEGER NOT NULL,   -- of the entries, decompressed
    kept_at_ms INTEGER NOT NULL,
    checksum INTEGER NOT NULL,         -- CRC-32 of the columns above, the entries and the body
    entries BLOB NOT NULL,             -- the index, compressed
    body BLOB NOT NULL                 -- the records, compressed
) STRICT;
CREATE TABLE keys (
    number INTEGER PRIMARY KEY,        -- of the commit's first record
    kept_at_ms INTEGER NOT NULL,
    keys BLOB NOT NULL                 -- 16 octets a record
) STRICT;
CREATE TABLE consumers (
    name TEXT PRIMARY KEY,
    cursor INTEGER NOT NULL,
    state BLOB NOT NULL,               -- its destination's, opaque
    lost INTEGER NOT NULL,
    removed_at_ms INTEGER,             -- when it was first missing from the configuration
    checksum INTEGER NOT NULL          -- CRC-32 of the columns above
) STRICT, WITHOUT ROWID;
CREATE TABLE dead_letters (
    id INTEGER PRIMARY KEY,
    consumer TEXT NOT NULL,
    number INTEGER NOT NULL,
    uid BLOB NOT NULL,
    parked_at_ms INTEGER NOT NULL,
    reason TEXT NOT NULL,
    detail TEXT NOT NULL,
    record BLOB NOT NULL
) STRICT;
CREATE TABLE quarantine (
    number INTEGER PRIMARY KEY,
    records INTEGER NOT NULL,
    found_at_ms INTEGER NOT NULL,
    why TEXT NOT NULL,
    entries BLOB,
    body BLOB
) STRICT;
INSERT INTO head VALUES (1, 1, 0, 0, 0, 0, 0);

CREATE TABLE bookmarks (
    subscription TEXT NOT NULL,
    client TEXT NOT NULL,
    fragment BLOB,
    seen_at_ms INTEGER NOT NULL,
    first_seen_ms INTEGER NOT NULL,
    event_at_ms INTEGER,
    heartbeat_at_ms INTEGER,
    address TEXT NOT NULL,
    PRIMARY KEY (subscription, client)
) STRICT, WITHOUT ROWID;
CREATE TABLE gaps (
    id INTEGER PRIMARY KEY,
    subscription TEXT NOT NULL,
    client TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    before BLOB,
    after BLOB
) STRICT;
CREATE TABLE record_ids (
    computer TEXT NOT NULL,
    channel TEXT NOT NULL,
    record_id INTEGER NOT NULL,
    seen_at_ms INTEGER NOT NULL,
    PRIMARY KEY (computer, channel)
) STRICT, WITHOUT ROWID;
CREATE TABLE rejects (
    id INTEGER PRIMARY KEY,
    listener TEXT NOT NULL,
    transport TEXT NOT NULL,
    peer TEXT NOT NULL,
    identity TEXT,
    received_at_ns INTEGER NOT NULL,
    rule TEXT NOT NULL,
    offset INTEGER NOT NULL,
    detail TEXT NOT NULL,
    raw BLOB NOT NULL
) STRICT;
CREATE TABLE reject_totals (id INTEGER PRIMARY KEY CHECK (id = 1), kept INTEGER NOT NULL, octets INTEGER NOT NULL, dropped INTEGER NOT NULL) STRICT;
INSERT INTO reject_totals VALUES (1, 0, 0, 0);
"""

RADIUS: Final = """
CREATE TABLE originals (               -- the messages that a row's records came in, where they were kept
    number INTEGER PRIMARY KEY,        -- of the row's first record
    octets INTEGER NOT NULL,           -- of the body, decompressed
    checksum INTEGER NOT NULL,         -- CRC-32 of the columns above and the body
    body BLOB NOT NULL                 -- compressed
) STRICT;
CREATE TABLE sessions (                -- VPN sessions
    id INTEGER PRIMARY KEY,            -- in the order in which they came to be known
    nas TEXT NOT NULL,
    session_id TEXT NOT NULL,
    user TEXT NOT NULL,
    domain TEXT NOT NULL,
    address TEXT NOT NULL,
    client TEXT NOT NULL,
    begun_at_ms INTEGER NOT NULL,
    last_at_ms INTEGER NOT NULL,
    ended_at_ms INTEGER,
    heard_at_ms INTEGER NOT NULL,
    checksum INTEGER NOT NULL          -- CRC-32 of the columns above
) STRICT;
"""

DELIVERY: Final = """
ALTER TABLE dead_letters ADD COLUMN requeued_at_ms INTEGER;  -- when it was put before its destination again, and waits for its answer
ALTER TABLE dead_letters ADD COLUMN entry BLOB;              -- the index of this record alone
"""

SCHEMAS: Final = (SPINE, RADIUS, DELIVERY)
SCHEMA_VERSION: Final = len(SCHEMAS)

-- A mock cloud's world, version 1. Times are milliseconds since 1970.
CREATE TABLE world (
    one             INTEGER PRIMARY KEY CHECK (one = 1),
    id              TEXT    NOT NULL,
    seed            INTEGER NOT NULL,   -- 64 bits, as a signed number
    start_ms        INTEGER NOT NULL,
    step_ms         INTEGER NOT NULL,
    clock           TEXT    NOT NULL,   -- real, stepped
    now_ms          INTEGER NOT NULL,   -- the time up to which the world was last written
    generation      INTEGER NOT NULL,   -- counts writes
    full_generation INTEGER NOT NULL,   -- the last write that took something away or changed the rules
    settings        TEXT    NOT NULL,   -- JSON: loads, faults, prices
    body            TEXT    NOT NULL    -- JSON: scripted faults, the number of calls, what deleted groups cost
) STRICT;

CREATE TABLE groups (
    name       TEXT    PRIMARY KEY,
    generation INTEGER NOT NULL,        -- the write that changed it last
    body       TEXT    NOT NULL         -- JSON
) STRICT, WITHOUT ROWID;

CREATE INDEX groups_by_generation ON groups (generation);

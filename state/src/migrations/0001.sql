-- The first schema. Times are milliseconds since 1970-01-01T00:00:00Z. JSON is text. Once released this file never
-- changes: a change is a new file beside it.

CREATE TABLE meta (
    id         INTEGER PRIMARY KEY CHECK (id = 1),
    workspace  TEXT    NOT NULL,
    lineage    TEXT    NOT NULL,
    serial     INTEGER NOT NULL CHECK (serial >= 0),
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE identities (
    provider      TEXT PRIMARY KEY,
    account       TEXT NOT NULL,
    region        TEXT NOT NULL,
    first_seen_at INTEGER NOT NULL
) STRICT;

-- Every group that was ever seen. A retired row keeps the history of an address that another group has taken.
CREATE TABLE groups (
    id      INTEGER PRIMARY KEY,
    address TEXT    NOT NULL,
    retired INTEGER NOT NULL DEFAULT 0 CHECK (retired IN (0, 1))
) STRICT;
CREATE UNIQUE INDEX groups_by_address ON groups (address) WHERE retired = 0;

CREATE TABLE applies (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    serial      INTEGER NOT NULL UNIQUE,
    at          INTEGER NOT NULL,
    actor       TEXT    NOT NULL,
    digest      TEXT    NOT NULL,
    details     TEXT    NOT NULL CHECK (json_valid(details)),
    finished_at INTEGER,
    outcome     TEXT    NOT NULL CHECK (outcome IN ('running', 'done', 'failed', 'interrupted')),
    message     TEXT
) STRICT;

CREATE TABLE applied_providers (
    address       TEXT PRIMARY KEY,
    position      INTEGER NOT NULL,
    configuration TEXT    NOT NULL CHECK (json_valid(configuration))
) STRICT;

CREATE TABLE applied_groups (
    group_id    INTEGER PRIMARY KEY REFERENCES groups (id),
    apply_id    INTEGER NOT NULL REFERENCES applies (id),
    policy      TEXT    NOT NULL CHECK (json_valid(policy)),
    attributes  TEXT    NOT NULL CHECK (json_valid(attributes)),
    fingerprint TEXT    NOT NULL,
    ownership   TEXT    NOT NULL CHECK (ownership IN ('managed', 'created', 'adopted')),
    details     TEXT    NOT NULL CHECK (json_valid(details)),
    applied_at  INTEGER NOT NULL
) STRICT;

CREATE TABLE intents (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    group_id      INTEGER REFERENCES groups (id),
    apply_id      INTEGER REFERENCES applies (id),
    kind          TEXT    NOT NULL CHECK (json_valid(kind)),
    actor         TEXT    NOT NULL,
    from_capacity INTEGER CHECK (from_capacity >= 0),
    to_capacity   INTEGER CHECK (to_capacity >= 0),
    at            INTEGER NOT NULL,
    not_after     INTEGER NOT NULL,
    reasons       TEXT    NOT NULL CHECK (json_valid(reasons)),
    settled_at    INTEGER,
    outcome       TEXT    CHECK (outcome IN ('done', 'not_done', 'superseded', 'failed', 'unknown')),
    message       TEXT,
    CHECK ((settled_at IS NULL) = (outcome IS NULL))
) STRICT;
CREATE INDEX intents_open ON intents (id) WHERE outcome IS NULL;
CREATE INDEX intents_by_group ON intents (group_id, at);

CREATE TRIGGER intents_settle_once BEFORE UPDATE ON intents WHEN OLD.outcome IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'a settled intent does not change'); END;
CREATE TRIGGER intents_stay BEFORE DELETE ON intents
BEGIN SELECT RAISE(ABORT, 'intents are not deleted'); END;

-- Append only.
CREATE TABLE events (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    at            INTEGER NOT NULL,
    group_id      INTEGER REFERENCES groups (id),
    kind          TEXT    NOT NULL,
    actor         TEXT    NOT NULL,
    from_capacity INTEGER CHECK (from_capacity >= 0),
    to_capacity   INTEGER CHECK (to_capacity >= 0),
    reasons       TEXT    NOT NULL CHECK (json_valid(reasons)),
    outcome       TEXT    CHECK (outcome IN ('done', 'not_done', 'superseded', 'failed', 'unknown')),
    message       TEXT,
    intent_id     INTEGER UNIQUE REFERENCES intents (id),
    text          TEXT    NOT NULL
) STRICT;
CREATE INDEX events_by_group ON events (group_id, id);
CREATE INDEX events_by_time ON events (at);

CREATE TRIGGER events_unchanged BEFORE UPDATE ON events
BEGIN SELECT RAISE(ABORT, 'events are append only'); END;
CREATE TRIGGER events_stay BEFORE DELETE ON events
BEGIN SELECT RAISE(ABORT, 'events are append only'); END;

-- A run of equal observations: seen at `at`, seen unchanged until `until`.
CREATE TABLE capacity_samples (
    group_id                 INTEGER NOT NULL REFERENCES groups (id),
    at                       INTEGER NOT NULL,
    until                    INTEGER NOT NULL,
    desired                  INTEGER NOT NULL CHECK (desired >= 0),
    ready                    INTEGER NOT NULL CHECK (ready >= 0),
    on_demand                INTEGER NOT NULL CHECK (on_demand >= 0),
    spot                     INTEGER NOT NULL CHECK (spot >= 0),
    units                    INTEGER NOT NULL CHECK (units >= 0),
    on_demand_usd_per_hour   REAL,
    spot_usd_per_hour        REAL,
    PRIMARY KEY (group_id, at),
    CHECK (until >= at)
) STRICT, WITHOUT ROWID;

CREATE TABLE series (
    id       INTEGER PRIMARY KEY,
    group_id INTEGER NOT NULL REFERENCES groups (id),
    metric   TEXT    NOT NULL,
    UNIQUE (group_id, metric)
) STRICT;

CREATE TABLE metric_samples (
    series_id INTEGER NOT NULL REFERENCES series (id),
    at        INTEGER NOT NULL,
    value     REAL    NOT NULL,
    PRIMARY KEY (series_id, at)
) STRICT, WITHOUT ROWID;

-- `at` is the end of the bucket.
CREATE TABLE metric_rollups (
    series_id INTEGER NOT NULL REFERENCES series (id),
    at        INTEGER NOT NULL,
    period    INTEGER NOT NULL CHECK (period > 0),
    mean      REAL    NOT NULL,
    minimum   REAL    NOT NULL,
    maximum   REAL    NOT NULL,
    samples   INTEGER NOT NULL CHECK (samples > 0),
    PRIMARY KEY (series_id, at)
) STRICT, WITHOUT ROWID;

CREATE TABLE memories (
    group_id INTEGER PRIMARY KEY REFERENCES groups (id),
    at       INTEGER NOT NULL,
    memory   TEXT    NOT NULL
) STRICT;

-- What the loop itself remembers of a group: when it came by, how often it failed, what it said.
CREATE TABLE progress (
    group_id INTEGER PRIMARY KEY REFERENCES groups (id),
    progress TEXT    NOT NULL
) STRICT;

CREATE TABLE last_decisions (
    group_id  INTEGER NOT NULL REFERENCES groups (id),
    shadow    INTEGER NOT NULL CHECK (shadow IN (0, 1)),
    at        INTEGER NOT NULL,
    changed   INTEGER NOT NULL CHECK (changed IN (0, 1)),
    signature TEXT    NOT NULL,
    decision  TEXT    NOT NULL,
    PRIMARY KEY (group_id, shadow)
) STRICT;

-- Decisions that changed something, or whose kinds of reasons differ from the one before.
CREATE TABLE decisions (
    group_id  INTEGER NOT NULL REFERENCES groups (id),
    shadow    INTEGER NOT NULL CHECK (shadow IN (0, 1)),
    at        INTEGER NOT NULL,
    changed   INTEGER NOT NULL CHECK (changed IN (0, 1)),
    decision  TEXT    NOT NULL,
    PRIMARY KEY (group_id, shadow, at)
) STRICT;

CREATE TABLE overrides (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    group_id   INTEGER NOT NULL REFERENCES groups (id),
    kind       TEXT    NOT NULL CHECK (json_valid(kind)),
    from_at    INTEGER NOT NULL,
    until_at   INTEGER,
    reason     TEXT,
    by         TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    ended_at   INTEGER,
    ended_by   TEXT,
    CHECK (until_at IS NULL OR until_at > from_at),
    CHECK ((ended_at IS NULL) = (ended_by IS NULL))
) STRICT;
CREATE INDEX overrides_open ON overrides (group_id) WHERE ended_at IS NULL;

-- One writer. The generation rises with each new holder. `locked`: the holder has the lock file, so that a free lock
-- file says that it died.
CREATE TABLE lease (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    generation  INTEGER NOT NULL,
    holder      TEXT,
    holder_id   TEXT,
    acquired_at INTEGER,
    until_at    INTEGER,
    locked      INTEGER NOT NULL DEFAULT 0 CHECK (locked IN (0, 1))
) STRICT;
INSERT INTO lease (id, generation) VALUES (1, 0);

CREATE TABLE lease_requests (
    holder_id    TEXT PRIMARY KEY,
    holder       TEXT    NOT NULL,
    position     INTEGER NOT NULL UNIQUE,
    requested_at INTEGER NOT NULL,
    until_at     INTEGER NOT NULL
) STRICT;

-- Routes, what was decided about them, and the tokens of those who ask and decide.
CREATE TABLE tokens (
    id         TEXT PRIMARY KEY,
    name       TEXT NOT NULL UNIQUE,
    role       TEXT NOT NULL CHECK (role IN ('requester', 'administrator')),
    hash       BLOB NOT NULL UNIQUE,
    blades     TEXT NOT NULL, -- JSON list of names; "*" is every blade
    networks   TEXT NOT NULL, -- JSON list of CIDRs that targets may lie in
    created_at TEXT NOT NULL,
    revoked_at TEXT
) STRICT;

CREATE TABLE routes (
    id         TEXT PRIMARY KEY,
    blade      TEXT NOT NULL,
    service    TEXT NOT NULL,
    port       INTEGER NOT NULL,
    host       TEXT NOT NULL,
    path       TEXT NOT NULL,
    requester  TEXT NOT NULL,
    created_at TEXT NOT NULL,
    UNIQUE (host, path)
) STRICT;

CREATE TABLE accesses (
    route         TEXT NOT NULL REFERENCES routes (id) ON DELETE CASCADE,
    audience      TEXT NOT NULL CHECK (audience IN ('users', 'devops')),
    enabled       INTEGER NOT NULL,
    justification TEXT NOT NULL,
    target        TEXT, -- ADDRESS:PORT
    state         TEXT NOT NULL CHECK (state IN ('pending', 'approved', 'refused', 'withdrawn')),
    decided_by    TEXT,
    reason        TEXT,
    decided_at    TEXT,
    PRIMARY KEY (route, audience)
) STRICT;

-- Every decision and every change, for whoever asks later.
CREATE TABLE journal (
    at       TEXT NOT NULL,
    actor    TEXT NOT NULL,
    action   TEXT NOT NULL,
    route    TEXT,
    audience TEXT,
    detail   TEXT NOT NULL
) STRICT;

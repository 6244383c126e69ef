-- Delegated path prefixes and the session routes below them, which are leases.
CREATE TABLE delegations (
    id         TEXT PRIMARY KEY,
    route      TEXT NOT NULL REFERENCES routes (id) ON DELETE CASCADE,
    holder     TEXT NOT NULL,
    hash       BLOB NOT NULL UNIQUE, -- of the holder's token
    networks   TEXT NOT NULL, -- JSON list of CIDRs that targets may lie in
    most       INTEGER NOT NULL, -- session routes at once
    created_by TEXT NOT NULL,
    created_at TEXT NOT NULL,
    UNIQUE (route, holder)
) STRICT;

CREATE TABLE sessions (
    id         TEXT PRIMARY KEY,
    delegation TEXT NOT NULL REFERENCES delegations (id) ON DELETE CASCADE,
    name       TEXT NOT NULL,
    host       TEXT NOT NULL, -- the route's: a route that moves ends its delegations
    path       TEXT NOT NULL,
    target     TEXT NOT NULL, -- ADDRESS:PORT
    ttl_s      INTEGER NOT NULL,
    created    INTEGER NOT NULL, -- milliseconds since 1970, as the next
    expires    INTEGER NOT NULL,
    UNIQUE (delegation, name),
    UNIQUE (host, path)
) STRICT;

CREATE INDEX sessions_by_end ON sessions (expires);

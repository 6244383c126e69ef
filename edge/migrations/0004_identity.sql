-- The edge's identity, in one row that is written when the database is first opened.
CREATE TABLE edge (
    id      TEXT NOT NULL,
    checked TEXT -- when a change was last tried, to see that the database takes one
) STRICT;

-- The owner of a token: a person does not decide on an own request, by any of their tokens.
ALTER TABLE tokens ADD COLUMN person TEXT NOT NULL DEFAULT '';
UPDATE tokens SET person = name;

-- All who asked for a route or changed it.
ALTER TABLE routes ADD COLUMN people TEXT NOT NULL DEFAULT '[]'; -- JSON list of persons
UPDATE routes SET people = json_array(requester);

-- The portal's public text for the service: part of the approval, unlike the justification.
ALTER TABLE accesses ADD COLUMN description TEXT NOT NULL DEFAULT '';
-- One more with each change: who decides says which one was seen.
ALTER TABLE accesses ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;

-- What a route takes of NGINX' memory at most: an entry for each audience, of a key, a value and 72 bytes, in pieces of a power of two.
ALTER TABLE routes ADD COLUMN bytes INTEGER GENERATED ALWAYS AS (2 * CASE
    WHEN length(host) + length(path) <= 96 THEN 256
    WHEN length(host) + length(path) <= 352 THEN 512
    ELSE 1024 END) VIRTUAL;
ALTER TABLE sessions ADD COLUMN bytes INTEGER GENERATED ALWAYS AS (2 * CASE
    WHEN length(host) + length(path) <= 96 THEN 256
    WHEN length(host) + length(path) <= 352 THEN 512
    ELSE 1024 END) VIRTUAL;

-- The sums, in one row: adding up thousands for each new one takes longer than all else that adding it takes.
CREATE TABLE memory (
    routes   INTEGER NOT NULL,
    sessions INTEGER NOT NULL
) STRICT;
INSERT INTO memory SELECT (SELECT coalesce(sum(bytes), 0) FROM routes), (SELECT coalesce(sum(bytes), 0) FROM sessions);

CREATE TRIGGER route_takes_memory AFTER INSERT ON routes BEGIN
    UPDATE memory SET routes = routes + NEW.bytes;
END;
CREATE TRIGGER route_moves AFTER UPDATE OF host, path ON routes BEGIN
    UPDATE memory SET routes = routes + NEW.bytes - OLD.bytes;
END;
CREATE TRIGGER route_gives_memory AFTER DELETE ON routes BEGIN
    UPDATE memory SET routes = routes - OLD.bytes;
END;
CREATE TRIGGER session_takes_memory AFTER INSERT ON sessions BEGIN
    UPDATE memory SET sessions = sessions + NEW.bytes;
END;
CREATE TRIGGER session_moves AFTER UPDATE OF host, path ON sessions BEGIN
    UPDATE memory SET sessions = sessions + NEW.bytes - OLD.bytes;
END;
CREATE TRIGGER session_gives_memory AFTER DELETE ON sessions BEGIN
    UPDATE memory SET sessions = sessions - OLD.bytes;
END;

-- How many routes of a token wait for a decision is asked for each new one.
CREATE INDEX accesses_pending ON accesses (route) WHERE state = 'pending';

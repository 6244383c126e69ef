-- How many session routes a delegation holds, those among them that have lapsed and are not yet taken away: counting thousands for
-- each new one took longer than all else that adding it takes.
ALTER TABLE delegations ADD COLUMN held INTEGER NOT NULL DEFAULT 0;
UPDATE delegations SET held = (SELECT count(*) FROM sessions WHERE delegation = delegations.id);

CREATE TRIGGER session_added AFTER INSERT ON sessions BEGIN
    UPDATE delegations SET held = held + 1 WHERE id = NEW.delegation;
END;

CREATE TRIGGER session_removed AFTER DELETE ON sessions BEGIN
    UPDATE delegations SET held = held - 1 WHERE id = OLD.delegation;
END;

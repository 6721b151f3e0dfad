-- Persons, keys that expire, acts of two persons, levels that look alike, and tombstones.
-- docs/data-model.md explains the tables column by column. What needs the secret key or the clock of
-- the service (persons of keys, expiry, the installation's ledger) is done by the service itself when it
-- first opens a database of release 0.1.

CREATE TABLE persons (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    created_at TIMESTAMP NOT NULL,
    created_by TEXT
);

ALTER TABLE api_keys ADD COLUMN person_id TEXT COLLATE "C";
ALTER TABLE api_keys ADD COLUMN expires_at TIMESTAMP;
ALTER TABLE api_keys ADD COLUMN last_used_on DATE;

-- A request for a key that waited has to be made again: it had no secret of its holder's own.
DROP TABLE key_requests;

CREATE TABLE requests (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    act TEXT NOT NULL,
    trial_id TEXT COLLATE "C",
    object TEXT NOT NULL,
    state TEXT NOT NULL,
    status TEXT NOT NULL,
    asked_at TIMESTAMP NOT NULL,
    asked_by TEXT NOT NULL,
    asked_person TEXT NOT NULL,
    expires_at TIMESTAMP NOT NULL,
    decided_at TIMESTAMP,
    decided_by TEXT
);

CREATE TABLE open_levels (
    trial_id TEXT COLLATE "C" NOT NULL REFERENCES trials (id),
    factor TEXT COLLATE "C" NOT NULL,
    skeleton TEXT COLLATE "C" NOT NULL,
    levels TEXT NOT NULL,
    PRIMARY KEY (trial_id, factor, skeleton)
);

CREATE TABLE tombstones (
    trial_id TEXT COLLATE "C" NOT NULL REFERENCES trials (id),
    digest TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (trial_id, digest)
);

-- Kept answers are erased by the participant whom they name, and expire by their age.
ALTER TABLE idempotent_answers ADD COLUMN participant_id TEXT COLLATE "C";
CREATE INDEX idempotent_answers_of_participant ON idempotent_answers (participant_id);

DROP INDEX idempotent_answers_of_participant;
ALTER TABLE idempotent_answers DROP COLUMN participant_id;
DROP TABLE tombstones;
DROP TABLE open_levels;
DROP TABLE requests;
ALTER TABLE api_keys DROP COLUMN last_used_on;
ALTER TABLE api_keys DROP COLUMN expires_at;
ALTER TABLE api_keys DROP COLUMN person_id;
DROP TABLE persons;
CREATE TABLE key_requests (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    trial_id TEXT COLLATE "C",
    sites TEXT,
    requested_at TIMESTAMP NOT NULL,
    requested_by TEXT NOT NULL,
    key_id TEXT COLLATE "C" UNIQUE REFERENCES api_keys (id)
);

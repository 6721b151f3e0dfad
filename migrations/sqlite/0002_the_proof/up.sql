-- What proves the draw and the ledger. docs/data-model.md explains the tables column by column.

CREATE TABLE public_randomness (
    trial_id TEXT NOT NULL,
    registration INTEGER NOT NULL,
    value TEXT NOT NULL,
    given_at TIMESTAMP NOT NULL,
    given_by TEXT NOT NULL,
    PRIMARY KEY (trial_id, registration),
    FOREIGN KEY (trial_id, registration) REFERENCES registrations (trial_id, number)
);

CREATE TABLE minimizations (
    trial_id TEXT NOT NULL,
    registration INTEGER NOT NULL,
    state TEXT NOT NULL,
    PRIMARY KEY (trial_id, registration),
    FOREIGN KEY (trial_id, registration) REFERENCES registrations (trial_id, number)
);

CREATE TABLE unit_lists (
    trial_id TEXT NOT NULL,
    registration INTEGER NOT NULL,
    unit TEXT NOT NULL,
    pseudonym TEXT NOT NULL,
    PRIMARY KEY (trial_id, registration, unit, pseudonym),
    FOREIGN KEY (trial_id, registration) REFERENCES registrations (trial_id, number)
);

CREATE TABLE ledger_nodes (
    trial_id TEXT NOT NULL REFERENCES trials (id),
    level INTEGER NOT NULL,
    position BIGINT NOT NULL,
    hash BLOB NOT NULL,
    PRIMARY KEY (trial_id, level, position)
);

CREATE TABLE checkpoints (
    trial_id TEXT NOT NULL REFERENCES trials (id),
    size BIGINT NOT NULL,
    root BLOB NOT NULL,
    note TEXT NOT NULL,
    signed_at TIMESTAMP NOT NULL,
    PRIMARY KEY (trial_id, size)
);

CREATE TABLE erasures (
    trial_id TEXT NOT NULL REFERENCES trials (id),
    person_id TEXT NOT NULL,
    erased_at TIMESTAMP NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (trial_id, person_id)
);

-- Facts and what is signed of them stay as they are. The one door: of a person who stands in
-- `erasures`, record and salt may be emptied; the leaf and everything else stays.
CREATE TRIGGER facts_are_not_deleted BEFORE DELETE ON facts
BEGIN SELECT RAISE(ABORT, 'facts are never deleted'); END;

CREATE TRIGGER facts_are_not_changed BEFORE UPDATE ON facts
WHEN NOT (
    NEW.record = '' AND NEW.salt = X'' AND OLD.participant_id IS NOT NULL
    AND NEW.trial_id IS OLD.trial_id AND NEW.sequence IS OLD.sequence AND NEW.id IS OLD.id
    AND NEW.kind IS OLD.kind AND NEW.participant_id IS OLD.participant_id
    AND NEW.site IS OLD.site AND NEW.effective_on IS OLD.effective_on
    AND NEW.recorded_at IS OLD.recorded_at AND NEW.recorded_by IS OLD.recorded_by
    AND NEW.source IS OLD.source AND NEW.source_id IS OLD.source_id
    AND NEW.replaces IS OLD.replaces AND NEW.leaf IS OLD.leaf
    AND OLD.kind <> 'draw'
    AND EXISTS (SELECT 1 FROM erasures e
        WHERE e.trial_id = OLD.trial_id AND e.person_id = OLD.participant_id)
)
BEGIN SELECT RAISE(ABORT, 'facts are never changed'); END;

CREATE TRIGGER ledger_nodes_are_not_deleted BEFORE DELETE ON ledger_nodes
BEGIN SELECT RAISE(ABORT, 'nodes of a ledger are never deleted'); END;
CREATE TRIGGER ledger_nodes_are_not_changed BEFORE UPDATE ON ledger_nodes
BEGIN SELECT RAISE(ABORT, 'nodes of a ledger are never changed'); END;
CREATE TRIGGER checkpoints_are_not_deleted BEFORE DELETE ON checkpoints
BEGIN SELECT RAISE(ABORT, 'checkpoints are never deleted'); END;
CREATE TRIGGER checkpoints_are_not_changed BEFORE UPDATE ON checkpoints
BEGIN SELECT RAISE(ABORT, 'checkpoints are never changed'); END;
CREATE TRIGGER erasures_are_not_deleted BEFORE DELETE ON erasures
BEGIN SELECT RAISE(ABORT, 'erasures are never deleted'); END;
CREATE TRIGGER erasures_are_not_changed BEFORE UPDATE ON erasures
BEGIN SELECT RAISE(ABORT, 'erasures are never changed'); END;

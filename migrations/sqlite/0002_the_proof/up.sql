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
-- `erasures`, a fact may lose its record, salt, day and source_id; the leaf and the rest stay.
CREATE TRIGGER facts_are_not_deleted BEFORE DELETE ON facts
BEGIN SELECT RAISE(ABORT, 'facts are never deleted'); END;

CREATE TRIGGER facts_are_not_changed BEFORE UPDATE ON facts
WHEN NOT (
    NEW.record = '' AND NEW.salt = X'' AND OLD.participant_id IS NOT NULL
    AND NEW.trial_id IS OLD.trial_id AND NEW.sequence IS OLD.sequence AND NEW.id IS OLD.id
    AND NEW.kind IS OLD.kind AND NEW.participant_id IS OLD.participant_id
    AND NEW.site IS OLD.site AND NEW.effective_on IS NULL
    AND NEW.recorded_at IS OLD.recorded_at AND NEW.recorded_by IS OLD.recorded_by
    AND NEW.source IS OLD.source AND NEW.source_id IS NULL
    AND NEW.replaces IS OLD.replaces AND NEW.leaf IS OLD.leaf
    AND OLD.kind NOT IN ('draw', 'erasure')
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
CREATE TRIGGER public_randomness_is_not_deleted BEFORE DELETE ON public_randomness
BEGIN SELECT RAISE(ABORT, 'public randomness is never deleted'); END;
CREATE TRIGGER public_randomness_is_not_changed BEFORE UPDATE ON public_randomness
BEGIN SELECT RAISE(ABORT, 'public randomness is never changed'); END;
CREATE TRIGGER data_cuts_are_not_deleted BEFORE DELETE ON data_cuts
BEGIN SELECT RAISE(ABORT, 'data cuts are never deleted'); END;
CREATE TRIGGER data_cuts_are_not_changed BEFORE UPDATE ON data_cuts
BEGIN SELECT RAISE(ABORT, 'data cuts are never changed'); END;
CREATE TRIGGER unit_lists_are_not_changed BEFORE UPDATE ON unit_lists
BEGIN SELECT RAISE(ABORT, 'lists of units are never changed'); END;

-- A fact has a number that the ledger's head has given out: none is slipped in beside the sequence.
CREATE TRIGGER facts_are_numbered BEFORE INSERT ON facts
WHEN NEW.sequence < 1 OR NEW.sequence >= (
    SELECT next_sequence FROM ledger_heads WHERE trial_id = NEW.trial_id)
BEGIN SELECT RAISE(ABORT, 'a fact has a number of the record sequence'); END;

-- INSERT OR REPLACE deletes without asking a trigger for DELETE: it is refused where a row stands.
CREATE TRIGGER facts_are_not_replaced BEFORE INSERT ON facts
WHEN EXISTS (SELECT 1 FROM facts WHERE trial_id = NEW.trial_id AND sequence = NEW.sequence)
    OR (NEW.source_id IS NOT NULL AND EXISTS (SELECT 1 FROM facts
        WHERE trial_id = NEW.trial_id AND kind = NEW.kind AND source = NEW.source
            AND source_id = NEW.source_id))
    OR (NEW.replaces IS NOT NULL AND EXISTS (SELECT 1 FROM facts
        WHERE trial_id = NEW.trial_id AND replaces = NEW.replaces))
BEGIN SELECT RAISE(ABORT, 'UNIQUE constraint failed: facts'); END;
CREATE TRIGGER ledger_nodes_are_not_replaced BEFORE INSERT ON ledger_nodes
WHEN EXISTS (SELECT 1 FROM ledger_nodes WHERE trial_id = NEW.trial_id AND level = NEW.level
    AND position = NEW.position)
BEGIN SELECT RAISE(ABORT, 'UNIQUE constraint failed: ledger_nodes'); END;
CREATE TRIGGER checkpoints_are_not_replaced BEFORE INSERT ON checkpoints
WHEN EXISTS (SELECT 1 FROM checkpoints WHERE trial_id = NEW.trial_id AND size = NEW.size)
BEGIN SELECT RAISE(ABORT, 'UNIQUE constraint failed: checkpoints'); END;
CREATE TRIGGER erasures_are_not_replaced BEFORE INSERT ON erasures
WHEN EXISTS (SELECT 1 FROM erasures WHERE trial_id = NEW.trial_id
    AND person_id = NEW.person_id)
BEGIN SELECT RAISE(ABORT, 'UNIQUE constraint failed: erasures'); END;
CREATE TRIGGER public_randomness_is_not_replaced BEFORE INSERT ON public_randomness
WHEN EXISTS (SELECT 1 FROM public_randomness WHERE trial_id = NEW.trial_id
    AND registration = NEW.registration)
BEGIN SELECT RAISE(ABORT, 'UNIQUE constraint failed: public_randomness'); END;
CREATE TRIGGER data_cuts_are_not_replaced BEFORE INSERT ON data_cuts
WHEN EXISTS (SELECT 1 FROM data_cuts WHERE trial_id = NEW.trial_id AND sequence = NEW.sequence)
BEGIN SELECT RAISE(ABORT, 'UNIQUE constraint failed: data_cuts'); END;

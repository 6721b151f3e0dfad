-- What proves the draw and the ledger. docs/data-model.md explains the tables column by column.

CREATE TABLE public_randomness (
    trial_id TEXT COLLATE "C" NOT NULL,
    registration INTEGER NOT NULL,
    value TEXT NOT NULL,
    given_at TIMESTAMP NOT NULL,
    given_by TEXT NOT NULL,
    PRIMARY KEY (trial_id, registration),
    FOREIGN KEY (trial_id, registration) REFERENCES registrations (trial_id, number)
);

CREATE TABLE minimizations (
    trial_id TEXT COLLATE "C" NOT NULL,
    registration INTEGER NOT NULL,
    state TEXT NOT NULL,
    PRIMARY KEY (trial_id, registration),
    FOREIGN KEY (trial_id, registration) REFERENCES registrations (trial_id, number)
);

CREATE TABLE unit_lists (
    trial_id TEXT COLLATE "C" NOT NULL,
    registration INTEGER NOT NULL,
    unit TEXT COLLATE "C" NOT NULL,
    pseudonym TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (trial_id, registration, unit, pseudonym),
    FOREIGN KEY (trial_id, registration) REFERENCES registrations (trial_id, number)
);

CREATE TABLE ledger_nodes (
    trial_id TEXT COLLATE "C" NOT NULL REFERENCES trials (id),
    level INTEGER NOT NULL,
    position BIGINT NOT NULL,
    hash BYTEA NOT NULL,
    PRIMARY KEY (trial_id, level, position)
);

CREATE TABLE checkpoints (
    trial_id TEXT COLLATE "C" NOT NULL REFERENCES trials (id),
    size BIGINT NOT NULL,
    root BYTEA NOT NULL,
    note TEXT NOT NULL,
    signed_at TIMESTAMP NOT NULL,
    PRIMARY KEY (trial_id, size)
);

CREATE TABLE erasures (
    trial_id TEXT COLLATE "C" NOT NULL REFERENCES trials (id),
    person_id TEXT COLLATE "C" NOT NULL,
    erased_at TIMESTAMP NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (trial_id, person_id)
);

-- Facts and what is signed of them stay as they are. The one door: of a person who stands in
-- `erasures`, a fact may lose its record, salt, day and source_id; the leaf and the rest stay.
CREATE FUNCTION facts_stay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'UPDATE' THEN
        RAISE EXCEPTION 'facts are never deleted';
    END IF;
    IF NEW.record = '' AND NEW.salt = ''::bytea AND OLD.participant_id IS NOT NULL
        AND NEW.effective_on IS NULL AND NEW.source_id IS NULL
        AND OLD.kind NOT IN ('draw', 'erasure')
        AND ROW(NEW.trial_id, NEW.sequence, NEW.id, NEW.kind, NEW.participant_id, NEW.site,
                NEW.recorded_at, NEW.recorded_by, NEW.source, NEW.replaces, NEW.leaf)
            IS NOT DISTINCT FROM
            ROW(OLD.trial_id, OLD.sequence, OLD.id, OLD.kind, OLD.participant_id, OLD.site,
                OLD.recorded_at, OLD.recorded_by, OLD.source, OLD.replaces, OLD.leaf)
        AND EXISTS (SELECT 1 FROM erasures e
            WHERE e.trial_id = OLD.trial_id AND e.person_id = OLD.participant_id)
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'facts are never changed';
END $$;

CREATE FUNCTION rows_stay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are never changed or deleted', TG_TABLE_NAME;
END $$;

CREATE TRIGGER facts_are_not_changed BEFORE UPDATE OR DELETE ON facts
    FOR EACH ROW EXECUTE FUNCTION facts_stay();
CREATE TRIGGER facts_are_not_truncated BEFORE TRUNCATE ON facts
    FOR EACH STATEMENT EXECUTE FUNCTION rows_stay();
CREATE TRIGGER ledger_nodes_are_not_changed BEFORE UPDATE OR DELETE ON ledger_nodes
    FOR EACH ROW EXECUTE FUNCTION rows_stay();
CREATE TRIGGER ledger_nodes_are_not_truncated BEFORE TRUNCATE ON ledger_nodes
    FOR EACH STATEMENT EXECUTE FUNCTION rows_stay();
CREATE TRIGGER checkpoints_are_not_changed BEFORE UPDATE OR DELETE ON checkpoints
    FOR EACH ROW EXECUTE FUNCTION rows_stay();
CREATE TRIGGER checkpoints_are_not_truncated BEFORE TRUNCATE ON checkpoints
    FOR EACH STATEMENT EXECUTE FUNCTION rows_stay();
CREATE TRIGGER erasures_are_not_changed BEFORE UPDATE OR DELETE ON erasures
    FOR EACH ROW EXECUTE FUNCTION rows_stay();
CREATE TRIGGER erasures_are_not_truncated BEFORE TRUNCATE ON erasures
    FOR EACH STATEMENT EXECUTE FUNCTION rows_stay();
CREATE TRIGGER public_randomness_stay BEFORE UPDATE OR DELETE ON public_randomness
    FOR EACH ROW EXECUTE FUNCTION rows_stay();
CREATE TRIGGER public_randomness_are_not_truncated BEFORE TRUNCATE ON public_randomness
    FOR EACH STATEMENT EXECUTE FUNCTION rows_stay();
CREATE TRIGGER data_cuts_stay BEFORE UPDATE OR DELETE ON data_cuts
    FOR EACH ROW EXECUTE FUNCTION rows_stay();
CREATE TRIGGER data_cuts_are_not_truncated BEFORE TRUNCATE ON data_cuts
    FOR EACH STATEMENT EXECUTE FUNCTION rows_stay();
CREATE TRIGGER unit_lists_are_not_changed BEFORE UPDATE ON unit_lists
    FOR EACH ROW EXECUTE FUNCTION rows_stay();

-- A fact has a number that the ledger's head has given out: none is slipped in beside the sequence.
CREATE FUNCTION facts_are_numbered() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM inserted i JOIN ledger_heads h ON h.trial_id = i.trial_id
        WHERE i.sequence < 1 OR i.sequence >= h.next_sequence)
    THEN
        RAISE EXCEPTION 'a fact has a number of the record sequence';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER facts_are_numbered AFTER INSERT ON facts
    REFERENCING NEW TABLE AS inserted
    FOR EACH STATEMENT EXECUTE FUNCTION facts_are_numbered();

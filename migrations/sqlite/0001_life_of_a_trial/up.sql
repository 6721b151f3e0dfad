-- The tables of a trial's life. docs/data-model.md explains them column by column.
-- Facts are never changed and never deleted; heads (trials, strata, ledger_heads) hold what is
-- counted on, and are locked in the order trial, stratum, ledger head.

CREATE TABLE installation (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE trials (
    id TEXT NOT NULL PRIMARY KEY,
    status TEXT NOT NULL,
    registration INTEGER NOT NULL,
    created_at TIMESTAMP NOT NULL,
    created_by TEXT NOT NULL
);

CREATE TABLE drafts (
    trial_id TEXT NOT NULL REFERENCES trials (id),
    revision INTEGER NOT NULL,
    sealed_protocol BLOB NOT NULL,
    saved_at TIMESTAMP NOT NULL,
    saved_by TEXT NOT NULL,
    PRIMARY KEY (trial_id, revision)
);

CREATE TABLE registrations (
    trial_id TEXT NOT NULL REFERENCES trials (id),
    number INTEGER NOT NULL,
    version INTEGER NOT NULL,
    sealed_protocol BLOB NOT NULL,
    sealed_seed BLOB NOT NULL,
    sealed_salt BLOB NOT NULL,
    draw_version TEXT NOT NULL,
    commitment TEXT NOT NULL,
    protocol_commitment TEXT NOT NULL,
    registered_at TIMESTAMP NOT NULL,
    registered_by TEXT NOT NULL,
    PRIMARY KEY (trial_id, number)
);

CREATE TABLE api_keys (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    trial_id TEXT,
    sites TEXT,
    secret_hash TEXT NOT NULL,
    created_at TIMESTAMP NOT NULL,
    created_by TEXT,
    approved_by TEXT,
    revoked_at TIMESTAMP,
    revoked_by TEXT
);

CREATE TABLE key_requests (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    trial_id TEXT,
    sites TEXT,
    requested_at TIMESTAMP NOT NULL,
    requested_by TEXT NOT NULL,
    key_id TEXT UNIQUE REFERENCES api_keys (id)
);

CREATE TABLE citizens (
    trial_id TEXT NOT NULL REFERENCES trials (id),
    pseudonym TEXT NOT NULL,
    person_id TEXT NOT NULL,
    PRIMARY KEY (trial_id, pseudonym),
    UNIQUE (trial_id, person_id)
);

CREATE TABLE strata (
    trial_id TEXT NOT NULL REFERENCES trials (id),
    label TEXT NOT NULL,
    next_index BIGINT NOT NULL,
    PRIMARY KEY (trial_id, label)
);

CREATE TABLE participants (
    trial_id TEXT NOT NULL REFERENCES trials (id),
    id TEXT NOT NULL,
    site TEXT,
    stratum TEXT NOT NULL,
    draw_index BIGINT,
    arm TEXT NOT NULL,
    enrolled_on DATE NOT NULL,
    enrolled_at TIMESTAMP NOT NULL,
    PRIMARY KEY (trial_id, id),
    -- The backstop of the draw: no index of a stratum is ever handed out twice.
    UNIQUE (trial_id, stratum, draw_index)
);

CREATE TABLE ledger_heads (
    trial_id TEXT NOT NULL PRIMARY KEY REFERENCES trials (id),
    next_sequence BIGINT NOT NULL
);

CREATE TABLE facts (
    trial_id TEXT NOT NULL REFERENCES trials (id),
    sequence BIGINT NOT NULL,
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    participant_id TEXT,
    site TEXT,
    effective_on DATE,
    recorded_at TIMESTAMP NOT NULL,
    recorded_by TEXT NOT NULL,
    source TEXT,
    source_id TEXT,
    replaces BIGINT,
    record TEXT NOT NULL,
    salt BLOB NOT NULL,
    leaf BLOB NOT NULL,
    PRIMARY KEY (trial_id, sequence),
    -- What a source sends twice counts once, and a record is replaced at most once.
    UNIQUE (trial_id, kind, source, source_id),
    UNIQUE (trial_id, replaces)
);

CREATE INDEX facts_of_kind ON facts (trial_id, kind, sequence);
CREATE INDEX facts_of_participant ON facts (trial_id, participant_id, sequence);

CREATE TABLE idempotent_answers (
    actor TEXT NOT NULL,
    key_digest TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    answer TEXT NOT NULL,
    answered_at TIMESTAMP NOT NULL,
    PRIMARY KEY (actor, key_digest)
);

CREATE TABLE data_cuts (
    trial_id TEXT NOT NULL REFERENCES trials (id),
    sequence BIGINT NOT NULL,
    created_at TIMESTAMP NOT NULL,
    created_by TEXT NOT NULL,
    PRIMARY KEY (trial_id, sequence)
);

CREATE TABLE analyses (
    id TEXT NOT NULL PRIMARY KEY,
    trial_id TEXT NOT NULL REFERENCES trials (id),
    data_cut BIGINT NOT NULL,
    registration INTEGER NOT NULL,
    look INTEGER,
    pooled BOOLEAN NOT NULL,
    looks_so_far INTEGER NOT NULL,
    software TEXT NOT NULL,
    requested_at TIMESTAMP NOT NULL,
    requested_by TEXT NOT NULL,
    FOREIGN KEY (trial_id, data_cut) REFERENCES data_cuts (trial_id, sequence)
);

CREATE INDEX analyses_of_trial ON analyses (trial_id, id);

CREATE TABLE analysis_results (
    analysis_id TEXT NOT NULL PRIMARY KEY REFERENCES analyses (id),
    finished_at TIMESTAMP NOT NULL,
    failure TEXT,
    result TEXT
);

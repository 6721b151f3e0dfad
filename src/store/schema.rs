//! The tables, as in `migrations/`. Column by column they are explained in `docs/data-model.md`.

diesel::table! {
    installation (name) { name -> Text, value -> Text, }
}
diesel::table! {
    trials (id) {
        id -> Text,
        status -> Text,
        registration -> Integer,
        created_at -> Timestamp,
        created_by -> Text,
    }
}
diesel::table! {
    drafts (trial_id, revision) {
        trial_id -> Text,
        revision -> Integer,
        sealed_protocol -> Binary,
        saved_at -> Timestamp,
        saved_by -> Text,
    }
}
diesel::table! {
    registrations (trial_id, number) {
        trial_id -> Text,
        number -> Integer,
        version -> Integer,
        sealed_protocol -> Binary,
        sealed_seed -> Binary,
        sealed_salt -> Binary,
        draw_version -> Text,
        commitment -> Text,
        protocol_commitment -> Text,
        registered_at -> Timestamp,
        registered_by -> Text,
    }
}
diesel::table! {
    api_keys (id) {
        id -> Text,
        name -> Text,
        role -> Text,
        trial_id -> Nullable<Text>,
        sites -> Nullable<Text>,
        secret_hash -> Text,
        created_at -> Timestamp,
        created_by -> Nullable<Text>,
        approved_by -> Nullable<Text>,
        revoked_at -> Nullable<Timestamp>,
        revoked_by -> Nullable<Text>,
        person_id -> Nullable<Text>,
        expires_at -> Nullable<Timestamp>,
        last_used_on -> Nullable<Date>,
    }
}
diesel::table! {
    persons (id) {
        id -> Text,
        name -> Text,
        created_at -> Timestamp,
        created_by -> Nullable<Text>,
    }
}
diesel::table! {
    requests (id) {
        id -> Text,
        act -> Text,
        trial_id -> Nullable<Text>,
        object -> Text,
        state -> Text,
        status -> Text,
        asked_at -> Timestamp,
        asked_by -> Text,
        asked_person -> Text,
        expires_at -> Timestamp,
        decided_at -> Nullable<Timestamp>,
        decided_by -> Nullable<Text>,
    }
}
diesel::table! {
    open_levels (trial_id, factor, skeleton) {
        trial_id -> Text,
        factor -> Text,
        skeleton -> Text,
        levels -> Text,
    }
}
diesel::table! {
    tombstones (trial_id, digest) { trial_id -> Text, digest -> Text, }
}
diesel::table! {
    citizens (trial_id, pseudonym) {
        trial_id -> Text,
        pseudonym -> Text,
        person_id -> Text,
    }
}
diesel::table! {
    strata (trial_id, label) {
        trial_id -> Text,
        label -> Text,
        next_index -> BigInt,
    }
}
diesel::table! {
    participants (trial_id, id) {
        trial_id -> Text,
        id -> Text,
        site -> Nullable<Text>,
        stratum -> Text,
        draw_index -> Nullable<BigInt>,
        arm -> Text,
        enrolled_on -> Date,
        enrolled_at -> Timestamp,
    }
}
diesel::table! {
    ledger_heads (trial_id) { trial_id -> Text, next_sequence -> BigInt, }
}
diesel::table! {
    facts (trial_id, sequence) {
        trial_id -> Text,
        sequence -> BigInt,
        id -> Text,
        kind -> Text,
        participant_id -> Nullable<Text>,
        site -> Nullable<Text>,
        effective_on -> Nullable<Date>,
        recorded_at -> Timestamp,
        recorded_by -> Text,
        source -> Nullable<Text>,
        source_id -> Nullable<Text>,
        replaces -> Nullable<BigInt>,
        record -> Text,
        salt -> Binary,
        leaf -> Binary,
    }
}
diesel::table! {
    public_randomness (trial_id, registration) {
        trial_id -> Text,
        registration -> Integer,
        value -> Text,
        given_at -> Timestamp,
        given_by -> Text,
    }
}
diesel::table! {
    minimizations (trial_id, registration) {
        trial_id -> Text,
        registration -> Integer,
        state -> Text,
    }
}
diesel::table! {
    unit_lists (trial_id, registration, unit, pseudonym) {
        trial_id -> Text,
        registration -> Integer,
        unit -> Text,
        pseudonym -> Text,
    }
}
diesel::table! {
    ledger_nodes (trial_id, level, position) {
        trial_id -> Text,
        level -> Integer,
        position -> BigInt,
        hash -> Binary,
    }
}
diesel::table! {
    checkpoints (trial_id, size) {
        trial_id -> Text,
        size -> BigInt,
        root -> Binary,
        note -> Text,
        signed_at -> Timestamp,
    }
}
diesel::table! {
    erasures (trial_id, person_id) {
        trial_id -> Text,
        person_id -> Text,
        erased_at -> Timestamp,
        reason -> Text,
    }
}
diesel::table! {
    idempotent_answers (actor, key_digest) {
        actor -> Text,
        key_digest -> Text,
        fingerprint -> Text,
        answer -> Text,
        answered_at -> Timestamp,
        participant_id -> Nullable<Text>,
    }
}
diesel::table! {
    data_cuts (trial_id, sequence) {
        trial_id -> Text,
        sequence -> BigInt,
        created_at -> Timestamp,
        created_by -> Text,
    }
}
diesel::table! {
    analyses (id) {
        id -> Text,
        trial_id -> Text,
        data_cut -> BigInt,
        registration -> Integer,
        look -> Nullable<Integer>,
        pooled -> Bool,
        looks_so_far -> Integer,
        software -> Text,
        requested_at -> Timestamp,
        requested_by -> Text,
    }
}
diesel::table! {
    analysis_results (analysis_id) {
        analysis_id -> Text,
        finished_at -> Timestamp,
        failure -> Nullable<Text>,
        result -> Nullable<Text>,
    }
}
diesel::allow_tables_to_appear_in_same_query!(analyses, analysis_results);

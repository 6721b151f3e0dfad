DROP TRIGGER facts_are_not_deleted;
DROP TRIGGER facts_are_not_changed;
DROP TABLE erasures;
DROP TABLE checkpoints;
DROP TABLE ledger_nodes;
DROP TABLE unit_lists;
DROP TABLE minimizations;
DROP TABLE public_randomness;

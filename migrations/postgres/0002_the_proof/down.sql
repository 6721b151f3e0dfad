DROP TRIGGER facts_are_not_changed ON facts;
DROP TRIGGER facts_are_not_truncated ON facts;
DROP TABLE erasures;
DROP TABLE checkpoints;
DROP TABLE ledger_nodes;
DROP TABLE minimizations;
DROP TABLE public_randomness;
DROP FUNCTION facts_stay;
DROP FUNCTION rows_stay;

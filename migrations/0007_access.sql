-- Who may do how much, and the keys to providers that come with a run.

ALTER TABLE api_keys ADD COLUMN requests_per_minute integer CHECK (requests_per_minute >= 1);  -- NULL: as set for all

-- What was done stays as it was told.
CREATE TRIGGER audit_log_is_final BEFORE UPDATE ON audit_log
    FOR EACH ROW EXECUTE FUNCTION refuse_change('an entry of the audit log');

-- Keys to providers that came with a run, encrypted. They are here as long as it is open.
CREATE TABLE run_provider_keys (
    run_id    uuid NOT NULL REFERENCES runs,
    provider  text NOT NULL,
    sealed    bytea NOT NULL,
    PRIMARY KEY (run_id, provider)
);

-- Whoever closes a run, its keys go in that very transaction.
CREATE FUNCTION drop_provider_keys() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM run_provider_keys WHERE run_id = NEW.id;
    RETURN NULL;
END $$;

CREATE TRIGGER closed_runs_keep_no_keys AFTER UPDATE OF finished_at ON runs
    FOR EACH ROW WHEN (OLD.finished_at IS NULL AND NEW.finished_at IS NOT NULL) EXECUTE FUNCTION drop_provider_keys();

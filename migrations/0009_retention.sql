-- What was said may go after a while; what it was worth stays.

ALTER TABLE pairs ADD COLUMN response_removed_at timestamptz;  -- when the answer, and what the judge said, went

-- A closed pair may lose its texts once, and nothing else of it may change.
CREATE FUNCTION refuse_change_of_pair() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.response_removed_at IS NULL AND NEW.response_removed_at IS NOT NULL AND NEW.response IS NULL
       AND (NEW.reason IS NULL OR NEW.reason = OLD.reason)
       AND to_jsonb(NEW) - '{response,reason,response_removed_at}'::text[]
         = to_jsonb(OLD) - '{response,reason,response_removed_at}'::text[] THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'a closed pair is a finished fact: it can''t be changed' USING ERRCODE = 'restrict_violation';
END $$;

DROP TRIGGER closed_pairs_are_final ON pairs;
CREATE TRIGGER closed_pairs_are_final BEFORE UPDATE ON pairs
    FOR EACH ROW WHEN (OLD.closed_at IS NOT NULL) EXECUTE FUNCTION refuse_change_of_pair();

CREATE OR REPLACE VIEW results AS
SELECT p.run_id, p.model, q.key AS question, q.category, p.repeat, p.state, p.score, p.passed, p.reason,
       p.response, q.input, q.target, q.scorer, p.finish_reason, p.served_model, p.system_fingerprint,
       p.request_id, p.latency_seconds, p.input_tokens, p.output_tokens, p.cost_usd, p.judge_cost_usd,
       p.error_kind, p.error_detail, p.attempts, p.judge_attempts, p.answered_at, p.closed_at, p.question_id, q.position,
       p.refused, p.format_failed,
       p.response_removed_at
FROM pairs p JOIN questions q ON q.id = p.question_id;

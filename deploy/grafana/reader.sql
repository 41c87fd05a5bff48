-- The user that Grafana reads with. Run it as the owner of the database, after its migrations, and again after an
-- update; it changes nothing that is there. Then give the user a password: \password driftwarden_reader
DO $$ BEGIN
    CREATE ROLE driftwarden_reader LOGIN;
EXCEPTION WHEN duplicate_object THEN NULL;
END $$;
ALTER ROLE driftwarden_reader SET default_transaction_read_only = on;
ALTER ROLE driftwarden_reader SET statement_timeout = '30s';

-- What was measured and what came of it. Keys, channels, callbacks and the audit log are not among it.
GRANT SELECT ON
    suites, suite_versions, questions, judges, run_aggregates, schedules, nights,
    incidents, incident_events, identity_events, detections,
    results, question_scores, model_history, sequence_entries, newest_measurements, stream_evidence, standings
TO driftwarden_reader;
GRANT SELECT (
    id, kind, state, suite_version_id, judge_id, models, repeats, sample, parameters, max_cost_usd, spent_usd, labels,
    git_commit, stop_reason, error, planned_pairs, created_at, planned_at, finished_at, schedule_id, night, attempt, rejudges
) ON runs TO driftwarden_reader;

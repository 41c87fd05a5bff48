# ruff: noqa: E501  # rows read best as rows
"""What an installation holds at each version of the schema, and what a worker of an older release writes."""

# The migration after which these rows can be there -> the rows; each builds on those before.
ROWS = {
    "0001_spine": """
        INSERT INTO suites (name) VALUES ('golden');
        INSERT INTO suite_versions (suite_id, version, content_hash, questions, asks_judge, is_runnable)
        VALUES (1, 1, repeat('a', 64), 2, true, true);
        INSERT INTO questions (suite_version_id, key, position, category, input, target, scorer, unit)
        VALUES (1, 'q-1', 1, 'math', 'What is 6 x 7?', '42', '{"name": "numeric"}', repeat('b', 64)),
               (1, 'q-2', 2, 'talk', 'Say hello.', 'Hello', '{"name": "judge"}', repeat('c', 64));
        INSERT INTO judges (name, version, model, prompt, parameters, content_hash)
        VALUES ('strict', 1, 'gpt', 'Judge.', '{}', repeat('d', 64));
        INSERT INTO runs (id, state, suite_version_id, judge_id, models, request_hash, planned_pairs,
                          finished_at, spent_usd)
        VALUES ('00000000-0000-0000-0000-000000000001', 'completed', 1, 1, '{bright}', '', 2, now(), 0.25),
               ('00000000-0000-0000-0000-000000000002', 'running', 1, 1, '{bright}', '', 2, NULL, 0);
        INSERT INTO pairs (run_id, model, question_id, repeat, state, response, score, passed, reason,
                           latency_seconds, answered_at, closed_at)
        VALUES ('00000000-0000-0000-0000-000000000001', 'bright', 1, 1, 'scored', '42', 1, true, 'same', 0.5,
                now(), now());
        INSERT INTO pairs (run_id, model, question_id, repeat, state, error_kind, closed_at)
        VALUES ('00000000-0000-0000-0000-000000000001', 'bright', 2, 1, 'failed', 'timeout', now());
        INSERT INTO pairs (run_id, model, question_id, repeat)
        SELECT '00000000-0000-0000-0000-000000000002', 'bright', id, 1 FROM questions;
        INSERT INTO run_aggregates (run_id, model, category, planned, answered, scored, coverage, questions,
            accuracy, accuracy_lower, accuracy_upper, perfect, partial, failed, unscored, input_tokens,
            output_tokens)
        VALUES ('00000000-0000-0000-0000-000000000001', 'bright', 'all', 2, 1, 1, 0.5, 1, 1, 0.2, 1, 1, 0, 0,
                1, 10, 2);
        INSERT INTO api_keys (id, name, prefix, hash, scope)
        VALUES (gen_random_uuid(), 'ci', 'dw_abc', '\\x01', 'submit');
    """,
    "0002_watch": """
        INSERT INTO schedules (name, suite, cron, time_zone) VALUES ('nightly', 'golden', '0 2 * * *', 'UTC');
        INSERT INTO nights (schedule_id, night, due_at, state, watched_models, nights_per_false_alarm)
        VALUES (1, '2026-01-01', now(), 'ran', 1, 365);
        INSERT INTO runs (id, kind, state, suite_version_id, models, request_hash, planned_pairs, finished_at,
                          schedule_id, night, attempt)
        VALUES ('00000000-0000-0000-0000-000000000003', 'nightly', 'completed', 1, '{bright}', '', 0, now(), 1,
                '2026-01-01', 0);
        INSERT INTO seen_entries (run_id, schedule_id) VALUES ('00000000-0000-0000-0000-000000000003', 1);
        INSERT INTO monitors VALUES (1, 'model', 'bright', 'alert', NULL, '00000000-0000-0000-0000-000000000003');
        INSERT INTO incidents (id, schedule_id, subject, model, cause, severity, headline, findings, opened_run,
                               opened_at, told_at)
        VALUES ('00000000-0000-0000-0000-00000000000a', 1, 'model', 'bright', 'model', 'major', 'It fell.', '{}',
                '00000000-0000-0000-0000-000000000003', now(), now());
        INSERT INTO incident_events (incident_id, kind, at, by)
        VALUES ('00000000-0000-0000-0000-00000000000a', 'opened', now(), 'the watch');
        INSERT INTO anchor_sets (suite_id, borderline_share, by) VALUES (1, 0.5, 'me');
        INSERT INTO anchors (set_id, question_id, response, stratum, run_id, model, score)
        VALUES (1, 2, 'Hello', 'clear', '00000000-0000-0000-0000-000000000001', 'bright', 1);
        INSERT INTO audit_log (actor, act, subject) VALUES ('me', 'schedule.created', 'nightly');
    """,
    "0004_prompts": """
        INSERT INTO prompts (name, version, messages, content_hash) VALUES ('plain', 1, '[]', repeat('e', 64));
        UPDATE schedules SET prompt = 'plain';
    """,
    "0005_budget": "INSERT INTO alarm_budgets (nights_per_false_alarm, set_by) VALUES (100, 'me')",
    "0006_alerts": """
        INSERT INTO channels (name, kind, target, target_hint, created_by)
        VALUES ('team', 'slack', '\\x01', 'hooks.slack.com', 'me');
        INSERT INTO deliveries (id, kind, channel_id, incident_id, incident_event_id, content, next_attempt_at,
                                created_at)
        VALUES ('00000000-0000-0000-0000-0000000000dd', 'incident', 1, '00000000-0000-0000-0000-00000000000a', 1,
                '{}', now(), now());
        INSERT INTO delivery_attempts (delivery_id, number, begun_at)
        VALUES ('00000000-0000-0000-0000-0000000000dd', 1, now());
    """,
    "0007_access": """
        INSERT INTO run_provider_keys VALUES ('00000000-0000-0000-0000-000000000002', 'openai', '\\x02');
    """,
}

# How a worker of the release before 0009 brings a pair to its end: these texts stay as they were released.
OLD_PLAN = """
    INSERT INTO pairs (run_id, model, question_id, repeat)
    SELECT $1, $2, id, 2 FROM questions ON CONFLICT DO NOTHING
"""
OLD_FIND = """
    SELECT p.state, p.attempts, p.judge_attempts, p.response, p.finish_reason, r.stop_reason,
           q.key, q.category, q.input, q.target, q.scorer, q.cluster
    FROM pairs p JOIN questions q ON q.id = p.question_id JOIN runs r ON r.id = p.run_id
    WHERE p.run_id = $1 AND p.model = $2 AND p.question_id = $3 AND p.repeat = $4
      AND p.state IN ('pending', 'answered')
"""
OLD_RECORD = """
    UPDATE pairs p SET
        state = s.after,
        attempts = p.attempts + (s.before = 'pending')::int,
        judge_attempts = p.judge_attempts + (s.judge_latency_seconds IS NOT NULL)::int,
        response = coalesce(s.response, p.response),
        finish_reason = coalesce(s.finish_reason, p.finish_reason),
        served_model = coalesce(s.served_model, p.served_model),
        system_fingerprint = coalesce(s.system_fingerprint, p.system_fingerprint),
        request_id = coalesce(s.request_id, p.request_id),
        latency_seconds = coalesce(s.latency_seconds, p.latency_seconds),
        input_tokens = coalesce(s.input_tokens, p.input_tokens),
        output_tokens = coalesce(s.output_tokens, p.output_tokens),
        cost_usd = coalesce(s.cost_usd, p.cost_usd),
        answered_at = CASE WHEN s.response IS NULL THEN p.answered_at ELSE now() END,
        judge_served_model = s.judge_served_model, judge_latency_seconds = s.judge_latency_seconds,
        judge_input_tokens = s.judge_input_tokens, judge_output_tokens = s.judge_output_tokens,
        judge_cost_usd = s.judge_cost_usd,
        score = s.score, passed = s.passed, reason = s.reason,
        error_kind = s.error_kind, error_detail = s.error_detail,
        refused = coalesce(s.refused, p.refused), format_failed = s.format_failed,
        closed_at = CASE WHEN s.after = 'answered' THEN NULL ELSE now() END
    FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::int[], $5::text[], $6::text[],
                $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::float8[], $13::int[],
                $14::int[], $15::numeric[], $16::text[], $17::float8[], $18::int[], $19::int[],
                $20::numeric[], $21::float8[], $22::bool[], $23::text[], $24::text[], $25::text[],
                $26::bool[], $27::bool[])
         AS s (run_id, model, question_id, repeat, before, after,
               response, finish_reason, served_model, system_fingerprint, request_id, latency_seconds,
               input_tokens, output_tokens, cost_usd,
               judge_served_model, judge_latency_seconds, judge_input_tokens, judge_output_tokens,
               judge_cost_usd, score, passed, reason, error_kind, error_detail,
               refused, format_failed)
    WHERE p.run_id = s.run_id AND p.model = s.model AND p.question_id = s.question_id
      AND p.repeat = s.repeat AND p.state = s.before
    RETURNING p.run_id, p.model, p.question_id, p.repeat
"""

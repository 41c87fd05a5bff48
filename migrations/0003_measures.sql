-- The present, as API, dashboards, metrics and alerts tell it: one definition each, for all of them.

-- Whose scores count for a run: its own, or, once another judge has scored its answers again, the newest one's.
CREATE VIEW counted_runs AS
SELECT r.id AS run_id,
       coalesce((SELECT a.id FROM runs a WHERE a.rejudges = r.id AND a.state = 'completed'
                 ORDER BY a.created_at DESC, a.id DESC LIMIT 1), r.id) AS scored_by_run
FROM runs r;

CREATE OR REPLACE VIEW sequence_entries AS
SELECT schedule_id, run_id, scored_by_run, night, attempt, watched_models, nights_per_false_alarm,
       row_number() OVER (PARTITION BY schedule_id ORDER BY is_night, night, attempt, created_at, run_id)::integer AS sequence
FROM (
    SELECT l.schedule_id, r.id AS run_id, r.id AS scored_by_run, false AS is_night, (r.created_at AT TIME ZONE 'UTC')::date AS night,
           0 AS attempt, r.created_at, l.watched_models, l.nights_per_false_alarm
    FROM linked_imports l JOIN runs r ON r.id = l.run_id
    UNION ALL
    SELECT r.schedule_id, r.id, c.scored_by_run, true, r.night, r.attempt, r.created_at, n.watched_models, n.nights_per_false_alarm
    FROM runs r
    JOIN nights n ON n.schedule_id = r.schedule_id AND n.night = r.night
    JOIN counted_runs c ON c.run_id = r.id
    WHERE r.state = 'completed'
) entries;

-- A schedule's newest completed night: which run it was, and whose scores count.
CREATE VIEW newest_nights AS
SELECT s.id AS schedule_id, s.name AS schedule, r.id AS run_id, c.scored_by_run, r.night, r.models,
       r.suite_version_id, r.judge_id, r.finished_at
FROM schedules s
CROSS JOIN LATERAL (
    SELECT * FROM runs r WHERE r.schedule_id = s.id AND r.attempt = 0 AND r.state = 'completed'
    ORDER BY r.night DESC LIMIT 1
) r
JOIN counted_runs c ON c.run_id = r.id;

-- What each model came to when it was last measured on a suite, per category and on the whole suite ('all').
-- That is the newest night of a schedule of the suite. Where a suite has no schedule, it is the model's newest
-- completed run that was submitted by hand and asked the whole suite. What was imported, or asked for a gate,
-- is no such measurement. NULL: no score, or not known.
CREATE VIEW newest_measurements AS
WITH nightly AS (
    SELECT v.suite_id, asked.model, n.run_id, n.scored_by_run, n.finished_at AS measured_at, n.schedule
    FROM newest_nights n
    JOIN suite_versions v ON v.id = n.suite_version_id
    CROSS JOIN LATERAL unnest(n.models) AS asked (model)
), by_hand AS (
    SELECT DISTINCT ON (v.suite_id, asked.model)
           v.suite_id, asked.model, r.id AS run_id, r.id AS scored_by_run, r.finished_at AS measured_at,
           NULL::text AS schedule
    FROM runs r
    JOIN suite_versions v ON v.id = r.suite_version_id
    CROSS JOIN LATERAL unnest(r.models) AS asked (model)
    WHERE r.kind = 'adhoc' AND r.state = 'completed' AND r.sample IS NULL
      AND NOT EXISTS (SELECT 1 FROM schedules s JOIN suites u ON u.name = s.suite WHERE u.id = v.suite_id)
    ORDER BY v.suite_id, asked.model, r.finished_at DESC, r.id DESC
), newest AS (
    SELECT DISTINCT ON (suite_id, model) * FROM (SELECT * FROM nightly UNION ALL SELECT * FROM by_hand) found
    ORDER BY suite_id, model, schedule IS NULL, measured_at DESC, run_id DESC
)
SELECT h.suite, h.suite_version, h.model, h.category, n.run_id, n.scored_by_run, n.schedule, n.measured_at,
       h.judge, h.judge_version, h.planned, h.answered, h.scored, h.coverage, h.questions,
       h.accuracy, h.accuracy_lower, h.accuracy_upper, h.interval_method, h.detectable_difference, h.pass_rate,
       h.latency_mean_seconds, h.latency_p50_seconds, h.latency_p95_seconds, h.cost_usd, h.judge_cost_usd, h.errors
FROM newest n
JOIN model_history h ON h.run_id = n.scored_by_run AND h.model = n.model;

-- The evidence of every stream after the last entry of what is watched, as a logarithm over its threshold: an
-- alarm from 0 on. A judge that became milder is no better than one that became stricter.
CREATE VIEW stream_evidence AS
SELECT m.schedule_id, m.subject, m.model, d.stream, d.run_id, d.outcome, d.overdispersion,
       CASE m.subject WHEN 'judge' THEN greatest(d.log_worse, d.log_better) ELSE d.log_worse END - d.log_alarm AS log_ratio
FROM monitors m
JOIN detections d ON d.schedule_id = m.schedule_id AND d.run_id = m.last_run AND d.subject = m.subject AND d.model = m.model
WHERE d.z_low IS NOT NULL AND d.log_alarm < 'infinity';

-- Where each watched thing stands, and the incident that is open about it. What the newest night that was seen
-- did not ask is not watched any more, unless an incident about it is open.
CREATE VIEW standings AS
SELECT m.schedule_id, s.name AS schedule, m.subject, m.model,
       CASE WHEN s.is_paused THEN 'paused' ELSE m.state END AS state,
       m.since_run, m.last_run, i.id AS incident_id, i.status AS incident_status, i.severity, i.headline, i.findings, i.opened_at
FROM monitors m
JOIN schedules s ON s.id = m.schedule_id
LEFT JOIN incidents i ON i.schedule_id = m.schedule_id AND i.subject = m.subject AND i.model = m.model AND i.status <> 'closed'
LEFT JOIN LATERAL (
    SELECT r.models, j.name AS judge FROM runs r LEFT JOIN judges j ON j.id = r.judge_id
    WHERE r.schedule_id = m.schedule_id AND r.attempt = 0
      AND EXISTS (SELECT 1 FROM seen_entries e WHERE e.run_id = r.id)
    ORDER BY r.night DESC LIMIT 1
) newest ON true
WHERE i.id IS NOT NULL
   OR CASE m.subject WHEN 'model' THEN m.model = ANY (newest.models)
                     WHEN 'judge' THEN m.model = newest.judge ELSE true END;

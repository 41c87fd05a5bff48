-- Prompts: what stands around a question when a model is asked. Versioned by content; a run keeps the one it had.

CREATE TABLE prompts (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name          text NOT NULL CHECK (name ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$'),
    version       integer NOT NULL CHECK (version >= 1),
    messages      jsonb NOT NULL CHECK (jsonb_typeof(messages) = 'array'),   -- [{role, content}, …]
    variables     jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(variables) = 'object'),
    content_hash  text NOT NULL CHECK (length(content_hash) = 64),
    created_at    timestamptz NOT NULL DEFAULT now(),
    UNIQUE (name, version),
    UNIQUE (name, content_hash)
);

ALTER TABLE runs ADD COLUMN prompt_id bigint REFERENCES prompts;   -- NULL: the question alone
CREATE INDEX runs_by_prompt ON runs (prompt_id, finished_at DESC) WHERE prompt_id IS NOT NULL;
ALTER TABLE schedules ADD COLUMN prompt text;                      -- NAME: its newest version each night; NAME@2: that one

-- With the prompt that was asked with, NULL for the question alone.
CREATE OR REPLACE VIEW model_history AS
SELECT a.model, a.category, r.id AS run_id, r.kind, r.finished_at, s.name AS suite, v.version AS suite_version,
       j.name AS judge, j.version AS judge_version,
       a.planned, a.answered, a.scored, a.coverage,
       a.questions, a.accuracy, a.accuracy_lower, a.accuracy_upper, a.interval_method,
       a.detectable_difference, a.pass_rate, a.perfect, a.partial, a.failed, a.unscored,
       a.latency_mean_seconds, a.latency_p50_seconds, a.latency_p95_seconds,
       a.cost_usd, a.judge_cost_usd, a.errors, r.git_commit, r.labels,
       p.name AS prompt, p.version AS prompt_version
FROM run_aggregates a
JOIN runs r ON r.id = a.run_id AND r.state = 'completed'
JOIN suite_versions v ON v.id = r.suite_version_id
JOIN suites s ON s.id = v.suite_id
LEFT JOIN judges j ON j.id = r.judge_id
LEFT JOIN prompts p ON p.id = r.prompt_id;

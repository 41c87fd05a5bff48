-- The spine: suites, judges, runs, their pairs and aggregates, and the keys that may touch them.
-- States and identities are held here, so that no program can store what may not exist.

CREATE TABLE suites (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name        text NOT NULL UNIQUE CHECK (name ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$'),
    created_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE suite_versions (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    suite_id      bigint NOT NULL REFERENCES suites,
    version       integer NOT NULL CHECK (version >= 1),
    content_hash  text NOT NULL CHECK (length(content_hash) = 64),
    -- What a submission asks about a suite of any size, known when the version is stored.
    questions     integer NOT NULL CHECK (questions >= 1),
    asks_judge    boolean NOT NULL,
    is_runnable   boolean NOT NULL,                   -- false: imported, with questions not known in full
    is_imported   boolean NOT NULL DEFAULT false,     -- made of what imported results told
    created_at    timestamptz NOT NULL DEFAULT now(),
    UNIQUE (suite_id, version)
);

CREATE TABLE questions (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    suite_version_id  bigint NOT NULL REFERENCES suite_versions,
    key               text NOT NULL CHECK (key <> ''),
    position          integer NOT NULL CHECK (position >= 1),
    category          text NOT NULL CHECK (category NOT IN ('', 'all')),
    input             text NOT NULL,
    target            text NOT NULL,
    scorer            jsonb NOT NULL CHECK (scorer ? 'name'),
    cluster           text,
    unit              text NOT NULL CHECK (length(unit) = 64),
    UNIQUE (suite_version_id, key),
    UNIQUE (suite_version_id, position)
);

CREATE TABLE judges (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name          text NOT NULL,
    version       integer NOT NULL CHECK (version >= 1),
    model         text NOT NULL,
    prompt        text NOT NULL,
    parameters    jsonb NOT NULL,
    content_hash  text NOT NULL CHECK (length(content_hash) = 64),
    created_at    timestamptz NOT NULL DEFAULT now(),
    UNIQUE (name, version),
    UNIQUE (name, content_hash)
);

CREATE TABLE runs (
    id                uuid PRIMARY KEY,
    kind              text NOT NULL DEFAULT 'adhoc'
                      CHECK (kind IN ('adhoc', 'nightly', 'confirmation', 'gate', 'rerun', 'imported')),
    state             text NOT NULL DEFAULT 'submitted'
                      CHECK (state IN ('submitted', 'planned', 'running',
                                       'completed', 'cancelled', 'stopped_by_budget', 'failed')),
    suite_version_id  bigint NOT NULL REFERENCES suite_versions,
    judge_id          bigint REFERENCES judges,
    models            text[] NOT NULL CHECK (cardinality(models) >= 1),
    repeats           integer NOT NULL DEFAULT 1 CHECK (repeats BETWEEN 1 AND 100),
    sample            integer CHECK (sample >= 1),
    parameters        jsonb NOT NULL DEFAULT '{}',
    max_cost_usd      numeric(18, 9) CHECK (max_cost_usd > 0),
    spent_usd         numeric(18, 9) NOT NULL DEFAULT 0 CHECK (spent_usd >= 0),
    labels            jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(labels) = 'object'),
    git_commit        text,
    client_versions   jsonb NOT NULL DEFAULT '{}',
    idempotency_key   text UNIQUE,
    request_hash      text NOT NULL,
    stop_reason       text CHECK (stop_reason IN ('cancelled', 'stopped_by_budget')),
    error             text,
    planned_pairs     integer CHECK (planned_pairs >= 0),
    created_at        timestamptz NOT NULL DEFAULT now(),
    planned_at        timestamptz,
    finished_at       timestamptz,
    CHECK ((state IN ('completed', 'cancelled', 'stopped_by_budget', 'failed')) = (finished_at IS NOT NULL)),
    CHECK (state NOT IN ('planned', 'running', 'completed') OR planned_pairs IS NOT NULL),
    CHECK (state <> 'completed' OR stop_reason IS NULL),
    CHECK (state NOT IN ('cancelled', 'stopped_by_budget') OR stop_reason = state)
);
CREATE INDEX runs_by_time ON runs (created_at DESC, id DESC);
CREATE INDEX runs_by_suite_version ON runs (suite_version_id, created_at DESC);
CREATE INDEX runs_open ON runs (created_at) WHERE finished_at IS NULL;
CREATE INDEX runs_completed ON runs (finished_at DESC) WHERE state = 'completed';

CREATE TABLE pairs (
    run_id              uuid NOT NULL REFERENCES runs,
    model               text NOT NULL,
    question_id         bigint NOT NULL REFERENCES questions,
    repeat              integer NOT NULL CHECK (repeat >= 1),
    state               text NOT NULL DEFAULT 'pending'
                        CHECK (state IN ('pending', 'answered', 'scored', 'unscored', 'failed', 'skipped')),
    attempts            integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    judge_attempts      integer NOT NULL DEFAULT 0 CHECK (judge_attempts >= 0),
    response            text,
    finish_reason       text,
    served_model        text,
    system_fingerprint  text,
    request_id          text,
    latency_seconds     double precision CHECK (latency_seconds >= 0),
    input_tokens        integer CHECK (input_tokens >= 0),
    output_tokens       integer CHECK (output_tokens >= 0),
    cost_usd            numeric(18, 9) CHECK (cost_usd >= 0),
    score               double precision CHECK (score BETWEEN 0 AND 1),
    passed              boolean,
    reason              text,
    judge_latency_seconds double precision CHECK (judge_latency_seconds >= 0),
    judge_input_tokens  integer CHECK (judge_input_tokens >= 0),
    judge_output_tokens integer CHECK (judge_output_tokens >= 0),
    judge_cost_usd      numeric(18, 9) CHECK (judge_cost_usd >= 0),
    judge_served_model  text,
    error_kind          text,
    error_detail        text,
    answered_at         timestamptz,
    closed_at           timestamptz,
    PRIMARY KEY (run_id, model, question_id, repeat),
    CHECK ((state = 'scored') = (score IS NOT NULL)),
    CHECK ((state = 'scored') = (passed IS NOT NULL)),
    CHECK (state NOT IN ('answered', 'scored') OR error_kind IS NULL),
    CHECK (state NOT IN ('unscored', 'failed', 'skipped') OR error_kind IS NOT NULL),
    CHECK ((state IN ('pending', 'answered')) = (closed_at IS NULL))
);
-- Every "is anything still open?" is answered from this small index.
CREATE INDEX pairs_open ON pairs (run_id, model) WHERE state IN ('pending', 'answered');

CREATE TABLE run_aggregates (
    run_id                 uuid NOT NULL REFERENCES runs,
    model                  text NOT NULL,
    category               text NOT NULL,             -- 'all' is the whole suite
    planned                integer NOT NULL CHECK (planned >= 0),
    answered               integer NOT NULL CHECK (answered BETWEEN 0 AND planned),
    scored                 integer NOT NULL CHECK (scored BETWEEN 0 AND planned),
    coverage               double precision NOT NULL CHECK (coverage BETWEEN 0 AND 1),
    questions              integer NOT NULL CHECK (questions >= 0),  -- those with a score: the n of accuracy
    accuracy               double precision CHECK (accuracy BETWEEN 0 AND 1),
    accuracy_lower         double precision CHECK (accuracy_lower BETWEEN 0 AND accuracy),
    accuracy_upper         double precision CHECK (accuracy_upper BETWEEN accuracy AND 1),
    interval_method        text,
    detectable_difference  double precision CHECK (detectable_difference > 0),
    pass_rate              double precision CHECK (pass_rate BETWEEN 0 AND 1),
    perfect                integer NOT NULL,          -- questions, by their mean score: 1, between, 0, none
    partial                integer NOT NULL,
    failed                 integer NOT NULL,
    unscored               integer NOT NULL,
    latency_mean_seconds   double precision,
    latency_p50_seconds    double precision,
    latency_p95_seconds    double precision,
    input_tokens           bigint NOT NULL,
    output_tokens          bigint NOT NULL,
    cost_usd               numeric(18, 9),            -- NULL: no price is known for the model
    judge_cost_usd         numeric(18, 9),
    errors                 jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (run_id, model, category),
    CHECK ((accuracy IS NULL) = (scored = 0)),
    CHECK ((accuracy IS NULL) = (accuracy_lower IS NULL) AND (accuracy IS NULL) = (accuracy_upper IS NULL)),
    CHECK (accuracy IS NULL OR accuracy_lower < accuracy_upper),
    CHECK (perfect + partial + failed = questions)
);
CREATE INDEX run_aggregates_by_model ON run_aggregates (model, category, run_id);

CREATE TABLE api_keys (
    id            uuid PRIMARY KEY,
    name          text NOT NULL CHECK (name <> ''),
    prefix        text NOT NULL,                      -- shown in lists; the key itself is never stored
    hash          bytea NOT NULL UNIQUE,
    scope         text NOT NULL CHECK (scope IN ('read', 'submit', 'admin')),
    created_at    timestamptz NOT NULL DEFAULT now(),
    last_used_at  timestamptz,
    expires_at    timestamptz,
    revoked_at    timestamptz
);

-- What a finished measurement says can't be changed afterwards.
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is a finished fact: it can''t be changed', TG_ARGV[0] USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER finished_runs_are_final BEFORE UPDATE ON runs
    FOR EACH ROW WHEN (OLD.finished_at IS NOT NULL) EXECUTE FUNCTION refuse_change('a finished run');
CREATE TRIGGER closed_pairs_are_final BEFORE UPDATE ON pairs
    FOR EACH ROW WHEN (OLD.closed_at IS NOT NULL) EXECUTE FUNCTION refuse_change('a closed pair');
CREATE TRIGGER aggregates_are_final BEFORE UPDATE ON run_aggregates
    FOR EACH ROW EXECUTE FUNCTION refuse_change('an aggregate');

-- The definitions that code, dashboard and Grafana share.

-- What counts into accuracy: the mean over a question's scored repeats, NULL where none was measured.
CREATE VIEW question_scores AS
SELECT p.run_id, p.model, p.question_id, q.key AS question, q.category, q.cluster, q.unit,
       avg(p.score) AS score, count(p.score)::integer AS repeats
FROM pairs p JOIN questions q ON q.id = p.question_id
GROUP BY p.run_id, p.model, p.question_id, q.id;

-- One row per pair as people read it.
CREATE VIEW results AS
SELECT p.run_id, p.model, q.key AS question, q.category, p.repeat, p.state, p.score, p.passed, p.reason,
       p.response, q.input, q.target, q.scorer, p.finish_reason, p.served_model, p.system_fingerprint,
       p.request_id, p.latency_seconds, p.input_tokens, p.output_tokens, p.cost_usd, p.judge_cost_usd,
       p.error_kind, p.error_detail, p.attempts, p.judge_attempts, p.answered_at, p.closed_at, p.question_id, q.position
FROM pairs p JOIN questions q ON q.id = p.question_id;

-- Finished measurements of a model over time. Runs cut short by a budget or a cancel are not measurements.
CREATE VIEW model_history AS
SELECT a.model, a.category, r.id AS run_id, r.kind, r.finished_at, s.name AS suite, v.version AS suite_version,
       j.name AS judge, j.version AS judge_version,
       a.planned, a.answered, a.scored, a.coverage,
       a.questions, a.accuracy, a.accuracy_lower, a.accuracy_upper, a.interval_method,
       a.detectable_difference, a.pass_rate, a.perfect, a.partial, a.failed, a.unscored,
       a.latency_mean_seconds, a.latency_p50_seconds, a.latency_p95_seconds,
       a.cost_usd, a.judge_cost_usd, a.errors, r.git_commit, r.labels
FROM run_aggregates a
JOIN runs r ON r.id = a.run_id AND r.state = 'completed'
JOIN suite_versions v ON v.id = r.suite_version_id
JOIN suites s ON s.id = v.suite_id
LEFT JOIN judges j ON j.id = r.judge_id;

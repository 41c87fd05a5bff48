-- The watch: schedules and their nights, what was detected, and what came of it.

CREATE TABLE schedules (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name           text NOT NULL UNIQUE CHECK (name ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$'),
    suite          text NOT NULL REFERENCES suites (name),   -- each night asks its newest version
    models         text[],                                   -- NULL: all that models.yaml has on that night
    judge          text,                                     -- NULL: the default one
    cron           text NOT NULL,
    time_zone      text NOT NULL,
    repeats        integer NOT NULL DEFAULT 1 CHECK (repeats BETWEEN 1 AND 100),
    sample         integer CHECK (sample >= 1),
    max_cost_usd   numeric(18, 9) CHECK (max_cost_usd > 0),
    confirmations  integer NOT NULL DEFAULT 2 CHECK (confirmations BETWEEN 0 AND 2),
    renotify_days  integer NOT NULL DEFAULT 7 CHECK (renotify_days >= 1),
    is_paused      boolean NOT NULL DEFAULT false,
    active_since   timestamptz NOT NULL DEFAULT now(),       -- what came due until then is no night of its own
    created_at     timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now()
);

-- A run of a schedule is the entry `attempt` of a night: 0 is the nightly run, the others confirm it.
ALTER TABLE runs
    ADD COLUMN schedule_id bigint REFERENCES schedules,
    ADD COLUMN night date,
    ADD COLUMN attempt integer CHECK (attempt >= 0),
    ADD COLUMN rejudges uuid REFERENCES runs,                -- whose stored answers this run scores again
    ADD CHECK ((kind IN ('nightly', 'confirmation')) = (schedule_id IS NOT NULL)),
    ADD CHECK ((schedule_id IS NULL) = (night IS NULL) AND (night IS NULL) = (attempt IS NULL)),
    ADD CHECK ((kind = 'nightly') = (attempt IS NOT DISTINCT FROM 0)),
    ADD CHECK (rejudges IS NULL OR kind = 'rerun');
CREATE UNIQUE INDEX runs_of_schedule ON runs (schedule_id, night, attempt) WHERE schedule_id IS NOT NULL;
CREATE INDEX runs_rejudging ON runs (rejudges) WHERE rejudges IS NOT NULL;

ALTER TABLE pairs
    ADD COLUMN refused boolean,                              -- NULL: not known
    ADD COLUMN format_failed boolean;

-- One row for each night that came due. The budget that held is a fact of the night.
CREATE TABLE nights (
    schedule_id             bigint NOT NULL REFERENCES schedules,
    night                   date NOT NULL,                   -- the schedule's local date
    due_at                  timestamptz NOT NULL,
    state                   text NOT NULL CHECK (state IN ('ran', 'missed')),
    reason                  text CHECK ((reason IS NOT NULL) = (state = 'missed')),
    watched_models          integer NOT NULL CHECK (watched_models >= 1),
    nights_per_false_alarm  double precision NOT NULL CHECK (nights_per_false_alarm >= 1),
    PRIMARY KEY (schedule_id, night)
);

-- Imported history that a person put before a schedule's nights.
CREATE TABLE linked_imports (
    run_id                  uuid PRIMARY KEY REFERENCES runs,
    schedule_id             bigint NOT NULL REFERENCES schedules,
    watched_models          integer NOT NULL CHECK (watched_models >= 1),
    nights_per_false_alarm  double precision NOT NULL CHECK (nights_per_false_alarm >= 1),
    linked_at               timestamptz NOT NULL DEFAULT now(),
    linked_by               text NOT NULL
);
CREATE INDEX linked_imports_of_schedule ON linked_imports (schedule_id);

-- What people, and the watch itself for outages, decided about a model's nights; the fold obeys them.
CREATE TABLE acts (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    schedule_id  bigint NOT NULL REFERENCES schedules,
    model        text NOT NULL,
    kind         text NOT NULL CHECK (kind IN ('quarantine', 'accept_baseline')),
    run_id       uuid NOT NULL REFERENCES runs,              -- that entry; for a baseline: from that one on
    at           timestamptz NOT NULL DEFAULT now(),
    by           text NOT NULL,
    note         text NOT NULL DEFAULT '',
    UNIQUE (schedule_id, model, kind, run_id)
);

-- The nights that slow decay is measured against, where a person named others than the epoch's first seven.
CREATE TABLE baselines (
    schedule_id  bigint NOT NULL REFERENCES schedules,
    model        text NOT NULL,
    first_night  date NOT NULL,
    last_night   date NOT NULL CHECK (last_night >= first_night),
    at           timestamptz NOT NULL DEFAULT now(),
    by           text NOT NULL,
    PRIMARY KEY (schedule_id, model)
);

-- What the fold over a schedule's entries says; it can be computed again at any time and is the same.
CREATE TABLE detections (
    schedule_id      bigint NOT NULL REFERENCES schedules,
    run_id           uuid NOT NULL REFERENCES runs,
    subject          text NOT NULL CHECK (subject IN ('model', 'judge')),
    model            text NOT NULL,                          -- of a judge: its name
    stream           text NOT NULL,                          -- 'accuracy', 'category:…', 'latency', …
    sequence         integer NOT NULL CHECK (sequence >= 1), -- the entry's place
    method           integer NOT NULL CHECK (method >= 1),
    outcome          text NOT NULL
                     CHECK (outcome IN ('quiet', 'watched', 'alarm', 'improved', 'set_aside', 'silent')),
    z_low            double precision,                       -- NULL: took no part; +-infinity: says nothing
    z_high           double precision,
    overdispersion   double precision NOT NULL CHECK (overdispersion >= 1),
    log_worse        double precision NOT NULL,
    log_better       double precision NOT NULL,
    log_watch        double precision NOT NULL,
    log_alarm        double precision NOT NULL,
    change_run       uuid REFERENCES runs,                   -- the likeliest first changed entry …
    change_earliest  uuid REFERENCES runs,                   -- … and the range of those nearly as likely
    change_latest    uuid REFERENCES runs,
    PRIMARY KEY (schedule_id, run_id, subject, model, stream)
);
CREATE INDEX detections_of_stream ON detections (schedule_id, model, stream, sequence);

-- The fold after its last entry, so that a night need not begin with the first one. Dropping it is harmless.
CREATE TABLE folds (
    schedule_id  bigint PRIMARY KEY REFERENCES schedules,
    method       integer NOT NULL,
    fingerprint  text NOT NULL,                              -- of the entries and acts folded in
    entries      integer NOT NULL,
    state        bytea NOT NULL
);

CREATE TABLE incidents (
    id           uuid PRIMARY KEY,
    schedule_id  bigint NOT NULL REFERENCES schedules,
    subject      text NOT NULL CHECK (subject IN ('model', 'judge', 'harness')),
    model        text NOT NULL,
    status       text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'acknowledged', 'closed')),
    resolution   text CHECK (resolution IN ('recovered', 'resolved', 'dismissed', 'baseline_accepted', 'outage_over')),
    cause        text NOT NULL,
    severity     text NOT NULL,
    headline     text NOT NULL,
    findings     jsonb NOT NULL,
    opened_run   uuid NOT NULL REFERENCES runs,
    opened_at    timestamptz NOT NULL,
    told_at      timestamptz NOT NULL,                       -- when people were last told of it
    closed_at    timestamptz,
    CHECK ((status = 'closed') = (closed_at IS NOT NULL) AND (status = 'closed') = (resolution IS NOT NULL)),
    UNIQUE (schedule_id, subject, model, opened_run)
);
CREATE UNIQUE INDEX incidents_one_open ON incidents (schedule_id, subject, model) WHERE status <> 'closed';
CREATE INDEX incidents_by_time ON incidents (opened_at DESC, id DESC);

-- Everything that befell an incident, by the watch (a run) or by a person. Alerts are sent for these rows.
CREATE TABLE incident_events (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    incident_id  uuid NOT NULL REFERENCES incidents,
    kind         text NOT NULL CHECK (kind IN ('opened', 'joined', 'reminded', 'recovered', 'outage_over',
                                               'acknowledged', 'resolved', 'dismissed', 'baseline_accepted')),
    run_id       uuid REFERENCES runs,
    at           timestamptz NOT NULL,
    by           text NOT NULL,
    note         text NOT NULL DEFAULT '',
    facts        jsonb NOT NULL DEFAULT '{}',
    UNIQUE (incident_id, kind, run_id)
);

-- Where each watched thing stands now.
CREATE TABLE monitors (
    schedule_id  bigint NOT NULL REFERENCES schedules,
    subject      text NOT NULL CHECK (subject IN ('model', 'judge', 'harness')),
    model        text NOT NULL,
    state        text NOT NULL CHECK (state IN ('ok', 'watch', 'alert', 'no_data', 'paused')),
    since_run    uuid REFERENCES runs,
    last_run     uuid REFERENCES runs,
    PRIMARY KEY (schedule_id, subject, model)
);

-- A completed entry is seen once; what follows from it is written in the same transaction.
CREATE TABLE seen_entries (
    run_id       uuid PRIMARY KEY REFERENCES runs,
    schedule_id  bigint NOT NULL REFERENCES schedules,
    seen_at      timestamptz NOT NULL DEFAULT now()
);

-- What a model says of itself, and when that changed.
CREATE TABLE identity_probes (
    run_id              uuid NOT NULL REFERENCES runs,
    model               text NOT NULL,
    says_it_is          text,
    served_model        text,
    system_fingerprint  text,
    error               text,
    at                  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (run_id, model)
);
CREATE TABLE identity_events (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    schedule_id  bigint NOT NULL REFERENCES schedules,
    model        text NOT NULL,
    run_id       uuid NOT NULL REFERENCES runs,
    kind         text NOT NULL CHECK (kind IN ('served_model', 'system_fingerprint', 'says_it_is')),
    before       text,
    after        text,
    at           timestamptz NOT NULL DEFAULT now(),
    UNIQUE (schedule_id, model, run_id, kind)
);

-- Frozen answers that the judge alone sees again, night after night.
CREATE TABLE anchor_sets (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    suite_id          bigint NOT NULL REFERENCES suites,
    borderline_share  double precision NOT NULL CHECK (borderline_share BETWEEN 0 AND 1), -- of the suite's answers
    created_at        timestamptz NOT NULL DEFAULT now(),
    by                text NOT NULL
);
CREATE INDEX anchor_sets_of_suite ON anchor_sets (suite_id, id DESC);
CREATE TABLE anchors (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    set_id       bigint NOT NULL REFERENCES anchor_sets,
    question_id  bigint NOT NULL REFERENCES questions,
    response     text NOT NULL,
    stratum      text NOT NULL CHECK (stratum IN ('borderline', 'clear')),
    run_id       uuid NOT NULL REFERENCES runs,              -- where the answer was given
    model        text NOT NULL,
    score        double precision NOT NULL CHECK (score BETWEEN 0 AND 1),
    label        double precision CHECK (label BETWEEN 0 AND 1), -- what a person says it is worth
    labelled_by  text,
    UNIQUE (set_id, question_id, run_id, model)
);
CREATE TABLE anchor_judgements (
    run_id       uuid NOT NULL REFERENCES runs,
    anchor_id    bigint NOT NULL REFERENCES anchors,
    repeat       integer NOT NULL DEFAULT 1 CHECK (repeat >= 1),
    score        double precision CHECK (score BETWEEN 0 AND 1),
    passed       boolean,
    reason       text,
    error_kind   text,
    cost_usd     numeric(18, 9) CHECK (cost_usd >= 0),
    is_booked    boolean NOT NULL DEFAULT true,              -- false: judged after the run's end, whose bill is final
    judged_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (run_id, anchor_id, repeat),
    CHECK ((score IS NULL) = (error_kind IS NOT NULL))
);

-- Who did what, for every act that changes how the installation works or what it says.
CREATE TABLE audit_log (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at       timestamptz NOT NULL DEFAULT now(),
    actor    text NOT NULL,
    act      text NOT NULL,
    subject  text NOT NULL,
    facts    jsonb NOT NULL DEFAULT '{}'
);

CREATE OR REPLACE VIEW results AS
SELECT p.run_id, p.model, q.key AS question, q.category, p.repeat, p.state, p.score, p.passed, p.reason,
       p.response, q.input, q.target, q.scorer, p.finish_reason, p.served_model, p.system_fingerprint,
       p.request_id, p.latency_seconds, p.input_tokens, p.output_tokens, p.cost_usd, p.judge_cost_usd,
       p.error_kind, p.error_detail, p.attempts, p.judge_attempts, p.answered_at, p.closed_at, p.question_id, q.position,
       p.refused, p.format_failed
FROM pairs p JOIN questions q ON q.id = p.question_id;

-- A schedule's entries in order: linked imports by time, then the nights with their confirmations. A night
-- whose answers another judge has scored again counts as scored by its newest judge.
CREATE VIEW sequence_entries AS
SELECT schedule_id, run_id, scored_by_run, night, attempt, watched_models, nights_per_false_alarm,
       row_number() OVER (PARTITION BY schedule_id ORDER BY is_night, night, attempt, created_at, run_id)::integer AS sequence
FROM (
    SELECT l.schedule_id, r.id AS run_id, r.id AS scored_by_run, false AS is_night, (r.created_at AT TIME ZONE 'UTC')::date AS night,
           0 AS attempt, r.created_at, l.watched_models, l.nights_per_false_alarm
    FROM linked_imports l JOIN runs r ON r.id = l.run_id
    UNION ALL
    SELECT r.schedule_id, r.id, coalesce(again.id, r.id), true, r.night, r.attempt, r.created_at, n.watched_models, n.nights_per_false_alarm
    FROM runs r
    JOIN nights n ON n.schedule_id = r.schedule_id AND n.night = r.night
    LEFT JOIN LATERAL (SELECT id FROM runs a WHERE a.rejudges = r.id AND a.state = 'completed'
                       ORDER BY a.created_at DESC, a.id DESC LIMIT 1) again ON true
    WHERE r.state = 'completed'
) entries;

-- Reaching people: channels, what is to be sent over them, and every attempt at it.

CREATE TABLE channels (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name              text NOT NULL CHECK (name ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$'),
    kind              text NOT NULL CHECK (kind IN ('slack', 'webhook', 'email', 'apprise')),
    origin            text NOT NULL DEFAULT 'person' CHECK (origin IN ('person', 'settings')),
    state             text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'disabled', 'removed')),
    disabled_because  text,
    target            bytea,                                   -- encrypted; NULL: in the settings, or removed
    target_hint       text NOT NULL,                           -- all of it that is ever shown
    secret            bytea,                                   -- encrypted: what a webhook is signed with …
    former_secret     bytea,                                   -- … and, until `former_until`, the one before it
    former_until      timestamptz,
    min_severity      text NOT NULL DEFAULT 'small' CHECK (min_severity IN ('small', 'minor', 'major', 'critical')),
    models            text[] CHECK (cardinality(models) >= 1), -- NULL: all
    suites            text[] CHECK (cardinality(suites) >= 1),
    weekly_since      timestamptz,                             -- NULL: no weekly digest
    created_at        timestamptz NOT NULL DEFAULT now(),
    created_by        text NOT NULL,
    updated_at        timestamptz NOT NULL DEFAULT now(),
    CHECK ((state = 'disabled') = (disabled_because IS NOT NULL)),
    CHECK ((target IS NOT NULL) = (origin = 'person' AND state <> 'removed')),
    CHECK ((secret IS NOT NULL) = (kind = 'webhook' AND state <> 'removed')),
    CHECK ((former_secret IS NULL) = (former_until IS NULL)),
    CHECK (secret IS NOT NULL OR former_secret IS NULL)
);
CREATE UNIQUE INDEX channels_by_name ON channels (name) WHERE state <> 'removed';

-- Where a finished run is told to, encrypted as a channel's target is.
ALTER TABLE runs
    ADD COLUMN callback_url bytea,
    ADD COLUMN callback_hint text,
    ADD CHECK ((callback_url IS NULL) = (callback_hint IS NULL));

-- One message to one receiver, written before anything is sent: with what it tells of, or, of a run, when that closes.
CREATE TABLE deliveries (
    id                 uuid PRIMARY KEY,
    kind               text NOT NULL CHECK (kind IN ('incident', 'weekly', 'test', 'run')),
    channel_id         bigint REFERENCES channels,
    incident_id        uuid REFERENCES incidents,
    incident_event_id  bigint REFERENCES incident_events,
    week               date,                                   -- the Monday after the week that is told of
    run_id             uuid REFERENCES runs,                   -- of kind 'run': the run that is told of
    content            jsonb NOT NULL,                         -- what is told, as it was known then
    state              text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'dead', 'gathered')),
    gathered_into      uuid REFERENCES deliveries,             -- the message that tells of this one, too
    attempts           integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    tries              integer NOT NULL DEFAULT 0 CHECK (tries BETWEEN 0 AND attempts),  -- since the last replay
    next_attempt_at    timestamptz,
    lease_until        timestamptz,                            -- so long whoever sends it keeps it to himself
    last_error         text,
    created_at         timestamptz NOT NULL,
    closed_at          timestamptz,
    CHECK ((channel_id IS NULL) = (kind = 'run')),
    CHECK ((kind = 'incident') = (incident_event_id IS NOT NULL) AND (kind = 'incident') = (incident_id IS NOT NULL)),
    CHECK ((kind = 'weekly') = (week IS NOT NULL)),
    CHECK ((kind = 'run') = (run_id IS NOT NULL)),
    CHECK ((state = 'pending') = (next_attempt_at IS NOT NULL) AND (state = 'pending') = (closed_at IS NULL)),
    CHECK (state = 'pending' OR lease_until IS NULL),
    CHECK ((state = 'gathered') = (gathered_into IS NOT NULL)),
    CHECK (state <> 'dead' OR last_error IS NOT NULL),
    UNIQUE (channel_id, incident_event_id),
    UNIQUE (channel_id, week),
    UNIQUE (run_id)
);
CREATE INDEX deliveries_due ON deliveries (next_attempt_at) WHERE state = 'pending';
CREATE INDEX deliveries_by_time ON deliveries (created_at DESC, id DESC);
CREATE INDEX deliveries_of_incident ON deliveries (incident_id, channel_id) WHERE incident_id IS NOT NULL;

-- Each attempt at a delivery, written before the network is touched: without an outcome, it is not known.
CREATE TABLE delivery_attempts (
    delivery_id  uuid NOT NULL REFERENCES deliveries,
    number       integer NOT NULL CHECK (number >= 1),
    begun_at     timestamptz NOT NULL,
    ended_at     timestamptz,
    outcome      text CHECK (outcome IN ('delivered', 'failed', 'refused', 'gone', 'unknown')),
    status       integer,                                      -- the receiver's, where it gave one
    detail       text NOT NULL DEFAULT '',
    PRIMARY KEY (delivery_id, number),
    CHECK ((ended_at IS NULL) = (outcome IS NULL))
);

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

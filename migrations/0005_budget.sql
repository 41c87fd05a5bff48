-- How easily the watch may alarm, as people have chosen it. The newest row holds; without any, the setting does.
CREATE TABLE alarm_budgets (
    id                      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    nights_per_false_alarm  double precision NOT NULL CHECK (nights_per_false_alarm >= 1),
    set_by                  text NOT NULL,
    set_at                  timestamptz NOT NULL DEFAULT now()
);

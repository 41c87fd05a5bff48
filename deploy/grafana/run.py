"""Run detail: one run from the database, by model, by category, and question by question."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from deploy.grafana import colours, frame
from deploy.grafana.frame import AnyPanel
from deploy.grafana.panels import DATE, SECONDS, SHARE, USD, Column, listing, matrix, number, spread
from deploy.grafana.sources import among, rows

RUN = "nullif('$run', '')::uuid"  # none, where there is no run yet
CHOSEN = f"run_id = {RUN} AND {among('model', 'model')} AND {among('category', 'category')}"
TOTALS = f"FROM run_aggregates WHERE run_id = {RUN} AND {among('model', 'model')}"


def build(public_url: str) -> Dashboard:
    return frame.frame(
        "run",
        "Run detail",
        "One run, finished or under way, from the database. The time range plays no part.",
        [
            frame.choice_of_rows(
                "run",
                "Run",
                """SELECT r.id::text AS __value, concat_ws(' · ', s.name || ' v' || v.version, r.kind,
                r.state, to_char(r.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI'),
                left(r.id::text, 8)) AS __text FROM runs r JOIN suite_versions v ON v.id = r.suite_version_id
                JOIN suites s ON s.id = v.suite_id ORDER BY r.created_at DESC LIMIT 500""",
            ),
            frame.choice_of_rows(
                "model", "Model", f"SELECT unnest(models) FROM runs WHERE id = {RUN} ORDER BY 1", many=True
            ),
            frame.choice_of_rows(
                "category",
                "Category",
                f"""SELECT DISTINCT q.category FROM questions q JOIN runs r USING (suite_version_id)
                WHERE r.id = {RUN} ORDER BY 1""",
                many=True,
            ),
        ],
        {
            "The run": [_asked(), _closed(), _spent(), _lasted(), _run()],
            "By model": [_models(), _categories(), _outcomes()],
            "Question by question": [_questions(), _seconds(), _scores()],
        },
        public_url=public_url,
        since="now-30d",
    )


def _asked() -> AnyPanel:
    return number(
        "Planned pairs",
        "suffix:pairs",
        "Questions, times models, times repeats. Nothing: the run was not planned yet.",
        rows(f"SELECT planned_pairs FROM runs WHERE id = {RUN}"),
        absent="not planned yet",
        width=6,
    )


def _closed() -> AnyPanel:
    return number(
        "Closed, and scored",
        "suffix:pairs",
        """Pairs that are over, and those of them with a score. What is closed without a score is left out
        of accuracy, never counted as wrong; the table of outcomes tells why.""",
        rows(
            f"""SELECT count(closed_at) AS closed, count(score) AS scored FROM results
            WHERE run_id = {RUN}"""
        ),
        width=6,
    )


def _spent() -> AnyPanel:
    return number(
        "Spent",
        USD,
        "On answers and on judging, by LiteLLM's price list. Calls without a known price are not in it.",
        rows(f"SELECT spent_usd::float8 AS spent FROM runs WHERE id = {RUN}"),
        width=6,
    )


def _lasted() -> AnyPanel:
    return number(
        "Took",
        SECONDS,
        "From the submission to the end, or until now while it runs.",
        rows(
            f"""SELECT extract(epoch FROM coalesce(finished_at, now()) - created_at)::float8 AS took
            FROM runs WHERE id = {RUN}"""
        ),
        width=6,
    )


def _run() -> AnyPanel:
    return listing(
        "What was asked",
        "The suite in its version, the judge, and how it went. Only a completed run is a measurement.",
        rows(
            f"""SELECT r.state, r.kind, s.name AS suite, v.version, j.name || ' v' || j.version AS judge,
            r.repeats, r.sample, r.created_at AS submitted, r.finished_at AS finished,
            r.git_commit AS commit, r.error, r.id::text AS run
            FROM runs r JOIN suite_versions v ON v.id = r.suite_version_id JOIN suites s ON s.id = v.suite_id
            LEFT JOIN judges j ON j.id = r.judge_id WHERE r.id = {RUN}"""
        ),
        columns=[
            Column("submitted", DATE),
            Column("finished", DATE),
            Column("run", links=[("Its page", frame.RUN_PAGE)]),
        ],
        absent="",
        height=4,
    )


def _models() -> AnyPanel:
    return listing(
        "Models",
        """The whole suite, by model. Lower and upper: 95 % interval for other questions of this kind;
        models whose intervals overlap widely are a tie. Coverage: the share of planned pairs that have a
        score. An empty accuracy was not measured; an empty cost has no known price. No rows until a first
        pair is summed up.""",
        rows(
            f"""SELECT model, accuracy, accuracy_lower AS lower, accuracy_upper AS upper, coverage, perfect,
            partial, failed, unscored, latency_p50_seconds AS p50, latency_p95_seconds AS p95,
            cost_usd::float8 AS cost, judge_cost_usd::float8 AS judging {TOTALS} AND category = 'all'
            ORDER BY accuracy DESC NULLS LAST, model"""
        ),
        columns=[
            Column("model", links=[("Its page", frame.MODEL_PAGE)]),
            *(Column(name, SHARE) for name in ("accuracy", "lower", "upper", "coverage")),
            *(Column(name, SECONDS) for name in ("p50", "p95")),
            *(Column(name, USD) for name in ("cost", "judging")),
        ],
    )


def _categories() -> AnyPanel:
    return matrix(
        "Accuracy by model and category",
        SHARE,
        """A category has fewer questions than the suite: with 30 of them, differences under 12 points are a
        tie. An empty cell was not measured.""",
        rows(
            f"""SELECT model, category, accuracy {TOTALS} AND {among("category", "category")}
            ORDER BY model, category"""
        ),
        row="model",
        column="category",
        value="accuracy",
        width=14,
    )


def _outcomes() -> AnyPanel:
    return listing(
        "Outcomes",
        """How many pairs ended how, by model. Unscored: an answer is there and no score; failed: no answer
        came after all attempts; skipped: the run was cut short; pending: not over yet.""",
        rows(
            f"""SELECT model, coalesce(error_kind, state) AS outcome, count(*) AS pairs FROM results
            WHERE {CHOSEN} GROUP BY 1, 2 ORDER BY 1, 3 DESC"""
        ),
        columns=[Column("pairs", "suffix:pairs")],
        width=10,
    )


def _questions() -> AnyPanel:
    return listing(
        "Questions",
        """The worst 500 pairs of the chosen models and categories: lowest score first, those without a
        score last. An empty score was not given: it is not 0. The run's own page has all of them, with
        filters.""",
        rows(
            f"""SELECT question, category, model, repeat, state, score, reason, error_kind AS "why not",
            left(response, 500) AS answer, left(target, 500) AS reference, served_model AS "served by",
            latency_seconds AS seconds, cost_usd::float8 AS cost FROM results WHERE {CHOSEN}
            ORDER BY score NULLS LAST, model, position, repeat LIMIT 500"""
        ),
        columns=[
            Column("question", width=120),
            Column(
                "score", steps=colours.thresholds(colours.DRIFT, (0.001, colours.WATCH), (1, colours.QUIET))
            ),
            Column("seconds", SECONDS),
            Column("cost", USD),
        ],
        absent="",
        height=14,
    )


def _seconds() -> AnyPanel:
    return spread(
        "Seconds for an answer",
        SECONDS,
        "How many of the run's answers took how long. Answers that never came are not in it.",
        rows(
            f"""SELECT latency_seconds AS seconds FROM results
            WHERE {CHOSEN} AND latency_seconds IS NOT NULL LIMIT 20000"""
        ),
    )


def _scores() -> AnyPanel:
    return spread(
        "Scores",
        "none",
        "How many pairs have which score, from 0 to 1. Pairs without a score are not in it.",
        rows(f"SELECT score FROM results WHERE {CHOSEN} AND score IS NOT NULL LIMIT 20000"),
    )

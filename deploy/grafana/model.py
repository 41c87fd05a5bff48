"""Model: one model of a suite over its nights, from the measurements that the database keeps."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from deploy.grafana import colours, frame
from deploy.grafana.frame import AnyPanel
from deploy.grafana.panels import (
    DATE,
    POINTS,
    SECONDS,
    SHARE,
    USD,
    Column,
    banded,
    evidence,
    listing,
    name_states,
    number,
    stacked,
    timeline,
    trend,
)
from deploy.grafana.sources import among, now, of_any_replica, over_time, points, rows
from deploy.grafana.states import STATES, state_of

MEASURED = 'suite="$suite",model="$model"'
WATCHED = 'model="$model",schedule=~"$schedule"'
# A gate asks a candidate's configuration, and a rerun scores the answers of another night again.
HISTORY = """FROM model_history WHERE $__timeFilter(finished_at) AND suite = '$suite' AND model = '$model'
    AND kind NOT IN ('gate', 'rerun')"""


def build(public_url: str) -> Dashboard:
    return frame.frame(
        "model",
        "Model",
        "One model over its nights: accuracy, evidence by stream, categories, money, time and identity.",
        [
            frame.suite(),
            frame.choice_of_series(
                "model", "Model", 'label_values(driftwarden_accuracy_ratio{suite="$suite"}, model)'
            ),
            frame.choice_of_rows(
                "category",
                "Category",
                """SELECT DISTINCT category FROM model_history
                WHERE suite = '$suite' AND model = '$model' AND category <> 'all' ORDER BY category""",
                many=True,
            ),
            frame.schedules_of_suite(),
        ],
        {
            "Now": [_accuracy_now(), _detectable(), _coverage(), _state(), _age()],
            "Over the nights": [_accuracy(), _outcomes(), _evidence(), _states()],
            "By category": [_category()],
            "Time and money": [_seconds(), _cost()],
            "What was measured": [_runs(), _identity()],
        },
        public_url=public_url,
        since="now-30d",
        marks=[
            *frame.drift_marks("(i.model = '$model' OR i.subject <> 'model')"),
            frame.Marks(
                "Identity",
                colours.JUDGE,
                """SELECT e.at AS time, e.kind || ': ' || coalesce(e.before, 'not told') || ' → '
                || coalesce(e.after, 'not told') AS text, e.model AS tags
                FROM identity_events e WHERE $__timeFilter(e.at) AND e.model = '$model' ORDER BY 1""",
            ),
        ],
    )


def _whole_suite(metric: str) -> str:
    return of_any_replica(metric, "model", f'{MEASURED},category="all"')


def _accuracy_now() -> AnyPanel:
    return number(
        "Accuracy",
        SHARE,
        """The newest whole measurement of the suite, between the bounds of its 95 % interval for other
        questions of this kind. Not measured is not 0.""",
        *(
            now(_whole_suite(f"driftwarden_accuracy{bound}_ratio"), name)
            for bound, name in {"_lower": "at least", "": "accuracy", "_upper": "at most"}.items()
        ),
        width=10,
    )


def _detectable() -> AnyPanel:
    return number(
        "Smallest drop that shows",
        POINTS,
        """One more such measurement would show a drop of so many points in 8 of 10 cases; several nights
        together show smaller ones. Nothing: too few scores to tell.""",
        now(f"100 * {_whole_suite('driftwarden_mde_ratio')}"),
    )


def _coverage() -> AnyPanel:
    return number(
        "Coverage",
        SHARE,
        """The share of questions that have a score. The others are left out of accuracy, never counted as
        wrong.""",
        now(_whole_suite("driftwarden_coverage_ratio")),
        steps=colours.thresholds(colours.WATCH, (0.9, colours.QUIET)),
    )


def _state() -> AnyPanel:
    panel = number(
        "State",
        "short",
        """Where the watch sees the model, by schedule. On watch: too early to say. Nothing: no schedule
        asks it.""",
        now(state_of("schedule", f'subject="model",{WATCHED}'), "{{schedule}}"),
        absent="not watched",
        width=3,
    )
    return panel.mappings([name_states(STATES)])


def _age() -> AnyPanel:
    return number(
        "Since it was measured",
        SECONDS,
        """Time since the end of the newest whole measurement; all of this row is as old. Nothing: never
        measured.""",
        now(f"time() - {of_any_replica('driftwarden_measured_timestamp_seconds', 'model', MEASURED)}"),
        width=3,
    )


def _accuracy() -> AnyPanel:
    panel = trend(
        "Accuracy",
        SHARE,
        """A point for each measurement, with the band of its 95 % interval for other questions of this
        kind. Nights of an unchanged model differ far less than the band is wide: judge drift by the
        evidence below. Red marks: where a change is dated. The axis is cut because it is a line. A gap:
        nothing was scored.""",
        points(
            f"""SELECT finished_at AS time, accuracy, accuracy_lower AS lower, accuracy_upper AS upper
            {HISTORY} AND category = 'all' ORDER BY 1"""
        ),
        colour=colours.one(colours.DATA),
        width=16,
    )
    return banded(panel, "lower", "upper").axis_soft_min(0.5).axis_soft_max(1)


def _outcomes() -> AnyPanel:
    panel = trend(
        "Questions by score",
        "suffix:questions",
        """Of each measurement: questions with a mean score of 1 (perfect), between (partial), of 0
        (failed), and without a score. Unscored questions are not failed ones.""",
        points(
            f"""SELECT finished_at AS time, perfect, partial, failed, unscored
            {HISTORY} AND category = 'all' ORDER BY 1"""
        ),
        width=8,
    )
    return stacked(
        panel,
        {
            "perfect": colours.DATA,
            "partial": colours.WATCH,
            "failed": colours.DRIFT,
            "unscored": colours.UNMEASURED,
        },
    )


def _evidence() -> AnyPanel:
    return evidence(
        "Evidence by stream",
        """Every stream relative to its own alarm line, on a log axis: 1 is the alarm. What did not move is
        part of the proof. After an alarm evidence starts again, so a fall is no recovery. A gap: the stream
        took no part that night.""",
        over_time(
            of_any_replica(
                "driftwarden_drift_evidence_ratio", "schedule, stream", f'subject="model",{WATCHED}'
            ),
            "{{stream}}, {{schedule}}",
        ),
        width=16,
    )


def _states() -> AnyPanel:
    return timeline(
        "State",
        """Where the watch saw the model, by schedule. An alert lasts until it recovers or a person closes
        it, however quiet the nights are. A gap: Prometheus was not told.""",
        over_time(state_of("schedule", f'subject="model",{WATCHED}'), "{{schedule}}"),
        states=STATES,
        width=8,
        height=9,
    )


def _category() -> AnyPanel:
    panel = trend(
        "$category",
        SHARE,
        """Accuracy in this category, a point for each measurement, with the band of its 95 % interval for
        other questions of this kind; it is wide where a category has few questions. A gap: nothing was
        scored.""",
        points(
            f"""SELECT finished_at AS time, accuracy, accuracy_lower AS lower, accuracy_upper AS upper
            {HISTORY} AND {among("category", "category")} ORDER BY 1"""
        ),
        colour=colours.one(colours.DATA),
        width=24,
        height=6,
    )
    return banded(panel, "lower", "upper").axis_soft_min(0.5).axis_soft_max(1).repeat("category")


def _seconds() -> AnyPanel:
    return trend(
        "Seconds for an answer",
        SECONDS,
        """Half of a measurement's answers took at most p50, 19 of 20 at most p95. Answers that never came
        are not in it.""",
        points(
            f"""SELECT finished_at AS time, latency_p50_seconds AS p50, latency_p95_seconds AS p95
            {HISTORY} AND category = 'all' ORDER BY 1"""
        ),
    )


def _cost() -> AnyPanel:
    return trend(
        "Cost of a measurement",
        USD,
        """What the model's answers cost, and what judging them cost. Nothing: no price is known, which is
        not 0.""",
        points(
            f"""SELECT finished_at AS time, cost_usd::float8 AS answers, judge_cost_usd::float8 AS judge
            {HISTORY} AND category = 'all' ORDER BY 1"""
        ),
    )


def _runs() -> AnyPanel:
    return listing(
        "Measurements",
        """Completed runs that asked the model, newest first. Runs cut short by a budget or a person are not
        measurements and not listed. Lower and upper: 95 % interval for other questions of this kind.""",
        rows(
            f"""SELECT finished_at AS finished, kind, accuracy, accuracy_lower AS lower,
            accuracy_upper AS upper, coverage, scored, planned, cost_usd::float8 AS cost,
            judge || ' v' || judge_version AS judge, suite_version AS version, run_id::text AS run
            {HISTORY} AND category = 'all' ORDER BY finished_at DESC LIMIT 200"""
        ),
        columns=[
            Column("finished", DATE),
            Column("accuracy", SHARE),
            Column("lower", SHARE),
            Column("upper", SHARE),
            Column("coverage", SHARE),
            Column("cost", USD),
            Column("run", links=[("Its dashboard", frame.RUN_DASHBOARD), ("Its page", frame.RUN_PAGE)]),
        ],
        width=16,
    )


def _identity() -> AnyPanel:
    return listing(
        "What the provider says it serves",
        """Each time the served model, its fingerprint or the model's own word changed; newest first. A
        provider can change a model without telling. Empty: it never told a change.""",
        rows(
            """SELECT at, kind, before, after FROM identity_events
            WHERE model = '$model' ORDER BY at DESC LIMIT 100"""
        ),
        columns=[Column("at", DATE)],
        absent="not told",
        width=8,
    )

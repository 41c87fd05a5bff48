"""Fleet overview: is anything drifting, how sure, since when, and how good is every model now?"""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from deploy.grafana import colours, frame
from deploy.grafana.frame import AnyPanel
from deploy.grafana.panels import (
    DATE,
    POINTS,
    SECONDS,
    SHARE,
    TIMES_LINE,
    USD,
    Column,
    banded,
    call,
    evidence,
    listing,
    listing_now,
    matrix,
    number,
    trend,
)
from deploy.grafana.sources import now, of_any_replica, over_time, rows, rows_now
from deploy.grafana.states import CODES, STATES, state_of

ANCHORS = 'anchors="$suite"'  # anchors are called by their suite
WATCHED = 'schedule=~"$schedule"'
MEASURED = 'suite="$suite",model=~"$model",category="$category"'


def build(public_url: str) -> Dashboard:
    return frame.frame(
        "fleet",
        "Fleet overview",
        "Every model of a suite: its state, its newest measurement, and the evidence against it.",
        [
            frame.suite(),
            frame.choice_of_series(
                "model", "Model", 'label_values(driftwarden_accuracy_ratio{suite="$suite"}, model)', many=True
            ),
            frame.choice_of_series(
                "category",
                "Category",
                'label_values(driftwarden_accuracy_ratio{suite="$suite"}, category)',
                start="all",
            ),
            frame.schedules_of_suite(),
        ],
        {
            "Is anything drifting?": [
                _states(),
                _incidents_open(),
                _nearest_to_alarm(),
                _since_last_night(),
                _incidents(),
            ],
            "The fleet now": [_fleet()],
            "Evidence": [_evidence()],
            "Accuracy, model by model": [_accuracy()],
            "Categories, and the judge": [_categories(), _agreement(), _anchor_shift()],
        },
        public_url=public_url,
        since="now-30d",
        marks=frame.drift_marks(),
    )


def _states() -> AnyPanel:
    by_state = of_any_replica(
        "driftwarden_drift_state", "schedule, subject, model, state", f'subject="model",{WATCHED}'
    )
    panel = number(
        "Models by state",
        "suffix:models",
        """How many of the watched models stand where. On watch: too early to say, the suite is being run
        again. Not measured: the newest night has too few answers to tell; that is neither good nor bad.
        Nothing at all: no schedule watches this suite.""",
        now(f"sum by (state) ({by_state})", "{{state}}"),
        width=10,
        absent="nothing is watched",
    )
    for state, code in CODES.items():
        word, colour = STATES[code]
        panel.override_by_name(*call(state, word, colours.thresholds(colours.QUIET, (1, colour))))
    return panel


def _incidents_open() -> AnyPanel:
    open_now = of_any_replica("driftwarden_incidents_open", "schedule, subject, severity", WATCHED)
    return number(
        "Open incidents",
        "suffix:incidents",
        """Alarms that nobody has closed yet, of models, of the judge and of the measuring itself. Nothing:
        no schedule watches this suite.""",
        now(f"sum({open_now})"),
        steps=colours.thresholds(colours.QUIET, (1, colours.DRIFT)),
        absent="nothing is watched",
    )


def _nearest_to_alarm() -> AnyPanel:
    strongest = of_any_replica(
        "driftwarden_drift_evidence_ratio", "schedule, subject, model, stream", WATCHED
    )
    return number(
        "Nearest to the alarm",
        TIMES_LINE,
        """The strongest evidence of all streams, relative to its alarm line: 1 is the alarm. After an
        alarm evidence starts again. Nothing: no night was seen yet.""",
        now(f"max({strongest})"),
        steps=colours.alarm_line(),
        width=5,
    )


def _since_last_night() -> AnyPanel:
    finished = of_any_replica("driftwarden_last_night_timestamp_seconds", "schedule", WATCHED)
    return number(
        "Since the last completed night",
        SECONDS,
        """Time since a night of each schedule was completed. What is shown above is as old as this.
        Nothing: no night was completed yet.""",
        now(f"time() - {finished}", "{{schedule}}"),
        steps=colours.thresholds(colours.QUIET, (36 * 3600, colours.WATCH)),
        absent="no night yet",
        width=5,
    )


def _incidents() -> AnyPanel:
    return listing(
        "Open incidents in words",
        """What moved, most recent first; the incident's own page has the evidence and who probably did it.
        An empty table: no alarm is open for this suite, which is not a proof that nothing changed.""",
        rows(
            """SELECT opened_at AS opened, subject, model, severity, incident_status AS status, headline,
            incident_id::text AS incident FROM standings t JOIN schedules s ON s.id = t.schedule_id
            WHERE s.suite = '$suite' AND incident_id IS NOT NULL ORDER BY opened_at DESC"""
        ),
        columns=[
            Column("opened", DATE, width=180),
            Column("subject", width=90),
            Column("model", width=200),
            Column("severity", width=130),
            Column("status", width=120),
            Column("headline", links=[("Read the incident", frame.INCIDENT_PAGE)]),
            Column("incident", width=120),
        ],
        absent="",
        height=6,
    )


def _fleet() -> AnyPanel:
    def measured(metric: str) -> str:
        return of_any_replica(metric, "model", MEASURED)

    watched = f'subject="model",model=~"$model",{WATCHED}'
    evidence_of_all = of_any_replica("driftwarden_drift_evidence_ratio", "model", watched)
    one_run = 'suite="$suite",model=~"$model"'
    return listing_now(
        "The fleet",
        """Each model's newest whole measurement of the suite, the strongest evidence first. Lower and
        upper: the 95 % interval for other questions of this kind; models whose intervals overlap widely are
        a tie. Can detect: the drop that one more such measurement would show in 8 of 10 cases. Evidence:
        of the model's strongest stream, 1 is the alarm. Coverage: the share of questions with a score; the
        others are left out of accuracy, never counted as wrong. An empty cell was not measured.""",
        {
            "state": f"max by (model) ({state_of('schedule, model', watched)})",
            "accuracy": measured("driftwarden_accuracy_ratio"),
            "lower": measured("driftwarden_accuracy_lower_ratio"),
            "upper": measured("driftwarden_accuracy_upper_ratio"),
            "can detect": f"100 * {measured('driftwarden_mde_ratio')}",
            "evidence": evidence_of_all,
            "coverage": measured("driftwarden_coverage_ratio"),
            "cost": of_any_replica("driftwarden_run_cost_usd", "model", one_run),
            "age": f"time() - {of_any_replica('driftwarden_measured_timestamp_seconds', 'model', one_run)}",
        },
        columns=[
            Column("model", links=[("Its dashboard", frame.MODEL_DASHBOARD), ("Its page", frame.MODEL_PAGE)]),
            Column("state", states=STATES),
            Column("accuracy", SHARE),
            Column("lower", SHARE),
            Column("upper", SHARE),
            Column("can detect", POINTS),
            Column("evidence", TIMES_LINE, steps=colours.alarm_line()),
            Column("coverage", SHARE, steps=colours.thresholds(colours.WATCH, (0.9, colours.QUIET))),
            Column("cost", USD),
            Column("age", SECONDS),
        ],
        worst="evidence",
    )


def _evidence() -> AnyPanel:
    strongest = of_any_replica(
        "driftwarden_drift_evidence_ratio", "model", f'subject="model",model=~"$model",{WATCHED}'
    )
    return evidence(
        "Evidence against the alarm line",
        """Each model's strongest stream, relative to its alarm line, on a log axis: 1 is the alarm. Over
        all schedules, chance crosses it once in as many nights as the false-alarm budget names. After an
        alarm evidence starts again, so a fall is no recovery. A gap: the night took no part.""",
        over_time(strongest, "{{model}}"),
    )


def _accuracy() -> AnyPanel:
    panel = trend(
        "$model",
        SHARE,
        """Accuracy of each newest measurement in the chosen category, with the band of its 95 % interval
        for other questions of this kind. Nights of an unchanged model differ far less than the band is
        wide: judge drift by the evidence. The axis is cut because it is a line. A gap: not measured.""",
        *(
            over_time(of_any_replica(f"driftwarden_accuracy{bound}_ratio", "model", MEASURED), name)
            for bound, name in {"": "accuracy", "_lower": "lower", "_upper": "upper"}.items()
        ),
        width=24,
        height=7,
    )
    return banded(panel, "lower", "upper").axis_soft_min(0.5).axis_soft_max(1).repeat("model")


def _categories() -> AnyPanel:
    by_category = of_any_replica(
        "driftwarden_accuracy_ratio", "model, category", 'suite="$suite",model=~"$model"'
    )
    return matrix(
        "Accuracy by model and category",
        SHARE,
        """The newest measurement of each model; `all` is the whole suite. A category has fewer questions
        than the suite: with 30 of them, differences under 12 points are a tie. An empty cell was not
        measured.""",
        rows_now(by_category),
        row="model",
        column="category",
        value="Value",
        width=14,
    )


def _agreement() -> AnyPanel:
    return trend(
        "Judge against people",
        SHARE,
        """How often the judge grades its anchors as people labelled them (agreement), and the same beyond
        chance (kappa): 1 is full agreement, kappa 0 is chance. Nothing: nobody has labelled anchors.""",
        over_time(
            of_any_replica("driftwarden_judge_agreement_ratio", "judge", ANCHORS), "agreement, {{judge}}"
        ),
        over_time(of_any_replica("driftwarden_judge_kappa_ratio", "judge", ANCHORS), "kappa, {{judge}}"),
        colour=colours.shades(colours.JUDGE),
        width=5,
        height=9,
    )


def _anchor_shift() -> AnyPanel:
    shift = of_any_replica("driftwarden_anchor_shift_ratio", "schedule, judge", WATCHED)
    return trend(
        "Shift of the judge",
        POINTS,
        """How much more (above 0) or less (below 0) the judge gives the same frozen answers than at first,
        in points. A model that moves by as much has not moved. Nothing: no anchors, or judged only once.""",
        over_time(f"100 * {shift}", "{{judge}}, {{schedule}}"),
        colour=colours.shades(colours.JUDGE),
        width=5,
        height=9,
    )

"""Every metric that a process exports, in base units, with labels that stay few.

What a process does is counted where it happens. What is true of the whole installation is read from
PostgreSQL and Redis whenever somebody looks (`Measure`), so that every process that tells it tells the same.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version

from prometheus_client import Counter, Gauge, Histogram, Info, disable_created_metrics
from prometheus_client.core import GaugeMetricFamily

from shared.domain.errors import ErrorKind
from shared.domain.runs import Answer, RunState

# Prometheus' text format has no place for when a counter began: it would be a series of its own.
disable_created_metrics()  # type: ignore[no-untyped-call]

MOST_MODELS = 100  # models with series of their own, in one process
OTHER = "other"
PASSING = (ErrorKind.RATE_LIMITED, ErrorKind.TIMEOUT, ErrorKind.UNAVAILABLE, ErrorKind.JUDGE_UNPARSABLE)

# The buckets that OpenTelemetry's GenAI conventions give for `gen_ai.client.operation.duration`.
REQUEST_SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)

# What workers do.
ANSWERS = Counter(
    "driftwarden_answers_total",
    "Pairs (a question put to a model once) that workers closed. The outcome is `scored`, or the reason why"
    " there is no score.",
    ["model", "outcome"],
)
REQUEST_DURATION = Histogram(
    "driftwarden_request_duration_seconds",
    "Seconds from a call of a provider to its whole answer; calls without an answer are not in it."
    " The role is `answer` or `judge`.",
    ["model", "role"],
    buckets=REQUEST_SECONDS,
)
TOKENS = Counter(
    "driftwarden_tokens_total",
    "Tokens of type `input` or `output`, as far as providers report them.",
    ["model", "type", "role"],
)
COST = Counter(
    "driftwarden_cost_usd_total",
    "US dollars spent, by the price of the model; absent where no price is known.",
    ["model", "role"],
)
RETRIES = Counter(
    "driftwarden_retries_total",
    "Calls that failed in passing, and judgements that could not be read: what is tried again while attempts"
    " are left. The model is the one that was called.",
    ["model", "reason"],
)
RUNS_CLOSED = Counter("driftwarden_runs_closed_total", "Runs that ended, by their final state.", ["state"])

# What the scheduler does.
DELIVERIES = Counter(
    "driftwarden_deliveries_total",
    "Attempts to reach people, by kind of channel (or callback) and what came of them: delivered, retried,"
    " dead, or lost to another sender.",
    ["channel_kind", "outcome"],
)

INVARIANTS_BROKEN = Gauge(
    "driftwarden_invariants_broken",
    "Runs that break what must hold of every run, as looked at every five minutes; 0 where all is well.",
    ["invariant"],
)
DETECTION = Histogram(
    "driftwarden_detect_seconds",
    "Seconds that the watch took for the entries that were new; turns that found none are not in it.",
    buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 600),
)

# What the API does.
HTTP_DURATION = Histogram(
    "driftwarden_http_request_duration_seconds",
    "Seconds from a request to the first byte of its answer. The route is a template, or `unmatched`.",
    ["method", "route", "status"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
BUILD = Info("driftwarden_build", "Version of Driftwarden and of LiteLLM; always 1.")


@dataclass(frozen=True, slots=True)
class Measure:
    """A gauge that nobody keeps: its values are read where they are true whenever they are asked for."""

    name: str
    help: str
    labels: tuple[str, ...] = ()

    def tell(self, values: Iterable[tuple[Sequence[str], float | None]]) -> GaugeMetricFamily:
        """The gauge with these values by their labels; None, which is not measured, has no sample."""
        family = GaugeMetricFamily(self.name, self.help, labels=self.labels)
        for labels, value in values:
            if value is not None:
                family.add_metric(labels, value)
        return family


_MEASURED = ("model", "suite", "category")
_NEWEST = " in the newest measurement; the category `all` is the whole suite"
ACCURACY = Measure(
    "driftwarden_accuracy_ratio",
    f"Mean score, from 0 to 1,{_NEWEST}. Absent: nothing was scored.",
    _MEASURED,
)
ACCURACY_LOWER = Measure(
    "driftwarden_accuracy_lower_ratio", f"Lower end of the accuracy's 95 % interval{_NEWEST}.", _MEASURED
)
ACCURACY_UPPER = Measure(
    "driftwarden_accuracy_upper_ratio", f"Upper end of the accuracy's 95 % interval{_NEWEST}.", _MEASURED
)
DETECTABLE = Measure(
    "driftwarden_mde_ratio",
    "Minimum detectable effect: the drop of accuracy, from 0 to 1, that one more such measurement would show"
    " in 8 of 10 cases. Absent: too few scores to tell.",
    _MEASURED,
)
COVERAGE = Measure(
    "driftwarden_coverage_ratio",
    f"Share of the planned answers that have a score{_NEWEST}.",
    _MEASURED,
)
PASS_RATE = Measure(
    "driftwarden_pass_rate_ratio",
    f"Share of the scored answers that passed{_NEWEST}. Absent: nothing was scored.",
    _MEASURED,
)
MEASURED_AT = Measure(
    "driftwarden_measured_timestamp_seconds",
    "When the newest measurement ended, in seconds since 1970. Absent: never measured.",
    ("model", "suite"),
)
RUN_COST = Measure(
    "driftwarden_run_cost_usd",
    "US dollars that the newest measurement cost: the model's answers and the judge's scores."
    " Absent: no price is known.",
    ("model", "suite"),
)
EVIDENCE = Measure(
    "driftwarden_drift_evidence_ratio",
    "Evidence that a stream has become worse, over the threshold of its alarm, after its last entry: from 1"
    " on it alarms, and begins anew. Absent: the last entry told nothing of the stream.",
    ("schedule", "subject", "model", "stream"),
)
STATE = Measure(
    "driftwarden_drift_state",
    "1 for the state that a watched thing is in, 0 for the others: ok, watch, alert, no_data, paused.",
    ("schedule", "subject", "model", "state"),
)
INCIDENTS = Measure(
    "driftwarden_incidents_open",
    "Incidents that are not closed, acknowledged ones included, by what they are about and how bad it is.",
    ("schedule", "subject", "severity"),
)
AGREEMENT = Measure(
    "driftwarden_judge_agreement_ratio",
    "Share of the hand-labelled anchors on which judge and people agree that they pass or fail."
    " The anchors are named by their suite. Absent: nobody has labelled any.",
    ("judge", "anchors"),
)
KAPPA = Measure(
    "driftwarden_judge_kappa_ratio",
    "Cohen's kappa of judge and people over the hand-labelled anchors: 1 is full agreement, 0 is chance."
    " Absent: it has no meaning yet, for there are no labels, or all are alike.",
    ("judge", "anchors"),
)
ANCHOR_SHIFT = Measure(
    "driftwarden_anchor_shift_ratio",
    "Mean of what the judge gave its frozen anchors on the newest night that asked it, less what they had"
    " when they were chosen, from -1 to 1: below 0 it has become stricter. Absent: no anchors.",
    ("schedule", "judge"),
)
LAST_NIGHT = Measure(
    "driftwarden_last_night_timestamp_seconds",
    "When the last completed night of a schedule ended, in seconds since 1970. Absent: none was completed.",
    ("schedule",),
)
NIGHT_DUE = Measure(
    "driftwarden_night_due_timestamp_seconds",
    "When the newest night of a schedule that should have begun by now was due, in seconds since 1970."
    " Absent: none was due since the schedule was made or resumed, or it is paused.",
    ("schedule",),
)
NIGHTS_MISSED = Measure(
    "driftwarden_nights_missed", "Nights of a schedule that came due and did not take place.", ("schedule",)
)
RUNS_OPEN = Measure("driftwarden_runs_open", "Runs that were submitted and have not ended.")
MODELS_LEFT_OUT = Measure(
    "driftwarden_models_left_out",
    f"Models without series here, because there are more than {MOST_MODELS}: those measured longest ago.",
)
QUALITY_UP = Measure(
    "driftwarden_quality_up",
    "1: what is told here of quality, drift and schedules was read from the database within 15 seconds."
    " 0: the database does not answer, and none of it is told.",
)

_WHICH = " The model `control` is the queue of plans and closings."
QUEUE_DEPTH = Measure(
    "driftwarden_queue_depth", f"Jobs that wait and that nobody runs yet.{_WHICH}", ("model",)
)
QUEUE_OLDEST = Measure(
    "driftwarden_queue_oldest_job_seconds",
    f"Age of the job that is next in line, in seconds.{_WHICH} Absent: none waits.",
    ("model",),
)
IN_FLIGHT = Measure(
    "driftwarden_pairs_in_flight",
    f"Jobs that workers hold right now, all workers together.{_WHICH}",
    ("model",),
)
SLOTS = Measure(
    "driftwarden_model_slots",
    "Pairs of a model that may be in flight at once, all workers together: in-flight over slots is how far"
    " its limit is used.",
    ("model",),
)
LEARNED_SLOTS = Measure(
    "driftwarden_model_slots_learned",
    "Of these slots, how many the model's replies have shown it to bear. Absent: nothing was learned lately.",
    ("model",),
)
QUEUE_UP = Measure(
    "driftwarden_queue_up",
    "1: what is told here of the queues was read from Redis within 5 seconds. 0: Redis does not answer, and"
    " none of it is told.",
)


class ModelLabels:
    """Which models have series of their own: the first that are named, so many that Prometheus bears them."""

    def __init__(self, most: int = MOST_MODELS) -> None:
        self._most = most
        self._named: set[str] = set()

    def name(self, model: str) -> str:
        """The model's own name, or `other`."""
        if len(self._named) < self._most:
            self._named.add(model)
        return model if model in self._named else OTHER


_labels = ModelLabels()


def expect(role: str, models: Iterable[str], *, priced: Collection[str]) -> None:
    """Begin the counters of models that will be called in a role with 0, so that their first increase shows.

    `priced` are those whose calls have a price.
    """
    for model in models:
        name = _labels.name(model)
        REQUEST_DURATION.labels(name, role)
        for kind in ("input", "output"):
            TOKENS.labels(name, kind, role)
        if model in priced:
            COST.labels(name, role)
        for reason in PASSING:
            RETRIES.labels(name, reason)
        for outcome in ("scored", *ErrorKind) if role == "answer" else ():
            ANSWERS.labels(name, outcome)
    for state in RunState:
        if state.is_final:
            RUNS_CLOSED.labels(state)


def count_answer(model: str, outcome: str) -> None:
    ANSWERS.labels(_labels.name(model), outcome).inc()


def count_call(model: str, role: str, answer: Answer) -> None:
    """Count a provider's answer; what it does not report, or what has no price, is not counted as 0."""
    name = _labels.name(model)
    REQUEST_DURATION.labels(name, role).observe(answer.latency_seconds)
    if answer.input_tokens is not None:
        TOKENS.labels(name, "input", role).inc(answer.input_tokens)
    if answer.output_tokens is not None:
        TOKENS.labels(name, "output", role).inc(answer.output_tokens)
    if answer.cost_usd is not None:
        COST.labels(name, role).inc(float(answer.cost_usd))


def count_retry(model: str, reason: ErrorKind) -> None:
    RETRIES.labels(_labels.name(model), reason).inc()


def tell_build() -> None:
    BUILD.info({"version": version("driftwarden"), "litellm": version("litellm")})

"""Pipeline health: do the parts run, does work flow, and does anything fail?"""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from deploy.grafana import colours, frame, service
from deploy.grafana.frame import AnyPanel
from deploy.grafana.panels import DATE, SECONDS, SHARE, Column, bars, listing_now, name_states, number, trend
from deploy.grafana.sources import now, of_any_replica, over_time

WANTED = 'outcome!~"cancelled|budget"'
CHOSEN = 'model=~"$model"'
ANY_MODEL = '{__name__=~"driftwarden_(answers_total|queue_depth|model_slots)"}'


def build(public_url: str) -> Dashboard:
    return frame.frame(
        "pipeline",
        "Pipeline health",
        "The machine room: processes, queues, workers, providers' errors, the API, and the nights.",
        [frame.choice_of_series("model", "Model", f"label_values({ANY_MODEL}, model)", many=True)],
        {
            "Does it run?": [
                _up(),
                _sources(),
                _runs_open(),
                _oldest_job(),
                _errors_now(),
                _invariants(),
                _alerts(),
            ],
            "Work": [_queues(), _in_flight(), _answers(), _failed(), _retries(), _runs_closed()],
            "The API": service.panels(),
            "The nights": [_nights(), _left_out(), _versions()],
        },
        public_url=public_url,
        since="now-6h",
    )


def _up() -> AnyPanel:
    return number(
        "Processes that answer",
        "short",
        """Of each kind, how many processes Prometheus reaches. 0: it knows of them and none answers. A kind
        that is not there is not among Prometheus's targets.""",
        now('sum by (job) (up{job=~"driftwarden-.*"})', "{{job}}"),
        steps=colours.thresholds(colours.DRIFT, (1, colours.QUIET)),
        absent="no target",
        width=6,
    )


def _sources() -> AnyPanel:
    panel = number(
        "Where the numbers come from",
        "short",
        """Whether the API could read PostgreSQL (quality, drift, schedules) and Redis (queues). While one is
        away its numbers are not told, rather than told as they were. Nothing: the API is not scraped.""",
        now("min(driftwarden_quality_up)", "PostgreSQL"),
        now("min(driftwarden_queue_up)", "Redis"),
        absent="not told",
        width=4,
    )
    return panel.mappings([name_states({0: ("away", colours.DRIFT), 1: ("answers", colours.QUIET)})])


def _runs_open() -> AnyPanel:
    return number(
        "Open runs",
        "suffix:runs",
        "Runs that are not finished. 0 by day is usual. Nothing: the API is not scraped.",
        now("max(driftwarden_runs_open)"),
        steps=colours.thresholds(colours.QUIET),
        absent="not told",
        width=3,
    )


def _oldest_job() -> AnyPanel:
    return number(
        "Oldest waiting job",
        SECONDS,
        """How long the job that waits longest has been waiting, over all queues. Minutes mean that the
        models' slots are full or no worker runs. 0: nothing waits. Nothing: Redis is away.""",
        now("max(driftwarden_queue_oldest_job_seconds) or 0 * max(driftwarden_queue_depth)"),
        steps=colours.thresholds(colours.QUIET, (600, colours.WATCH), (3600, colours.DRIFT)),
        absent="not told",
        width=4,
    )


def _unscored_share(by: str, window: str) -> str:
    """The share of closed pairs without a score; nothing where none was closed. What a stopped run left
    unasked is not among them.
    """

    def closed(more: str = "") -> str:
        return f"sum{by} (rate(driftwarden_answers_total{{{CHOSEN},{WANTED}{more}}}[{window}]))"

    unscored = closed(',outcome!="scored"')
    return f"({unscored} or 0 * {closed()}) / ({closed()} > 0)"


def _errors_now() -> AnyPanel:
    return number(
        "Closed without a score",
        SHARE,
        """In this time: the share of pairs that ended without a score, for whatever reason. They are left
        out of accuracy, never counted as wrong. Nothing: no pair was closed.""",
        now(_unscored_share("", "$__range")),
        steps=colours.thresholds(colours.QUIET, (0.05, colours.WATCH), (0.2, colours.DRIFT)),
        absent="nothing was asked",
    )


def _invariants() -> AnyPanel:
    return number(
        "Broken invariants",
        "suffix:runs",
        """Runs that break what must hold of every run, as the scheduler last looked. Anything but 0 is a
        fault of Driftwarden itself, and worth a report. Nothing: no scheduler is scraped.""",
        now("sum(max by (invariant) (driftwarden_invariants_broken))"),
        steps=colours.thresholds(colours.QUIET, (1, colours.DRIFT)),
        absent="not looked at",
        width=3,
    )


def _alerts() -> AnyPanel:
    return bars(
        "Alerts that fire",
        "short",
        """Prometheus's alerts by name, as deploy/prometheus has them. Empty: none fires, or Prometheus has
        not loaded the rules.""",
        now('sum by (alertname) (ALERTS{alertstate="firing"})', "{{alertname}}"),
        width=24,
        height=5,
    ).no_value("none fires")


def _queues() -> AnyPanel:
    return trend(
        "Waiting jobs",
        "suffix:jobs",
        """Jobs in each model's queue; `control` has the jobs that are not of a model. A queue that only
        grows has no worker. Nothing: the queues are empty.""",
        over_time(of_any_replica("driftwarden_queue_depth", "model", CHOSEN), "{{model}}"),
    )


def _in_flight() -> AnyPanel:
    def told(metric: str) -> str:
        return of_any_replica(metric, "model", CHOSEN)

    return trend(
        "Use of the models' slots",
        SHARE,
        """Pairs in flight over the limit for the model, over all workers. At 1 the limit is what makes a
        run slow.""",
        over_time(
            f"{told('driftwarden_pairs_in_flight')} / ({told('driftwarden_model_slots')} > 0)", "{{model}}"
        ),
    )


def _answers() -> AnyPanel:
    return trend(
        "Closed pairs per second",
        "suffix:pairs/s",
        "By outcome: scored, or why there is no score. A gap: none.",
        over_time(
            f"sum by (outcome) (rate(driftwarden_answers_total{{{CHOSEN}}}[$__rate_interval])) > 0",
            "{{outcome}}",
        ),
    )


def _failed() -> AnyPanel:
    return trend(
        "Closed without a score, by model",
        SHARE,
        "The share of each model's pairs that ended without a score. A gap: none was closed.",
        over_time(_unscored_share(" by (model)", "$__rate_interval"), "{{model}}"),
        colour=colours.shades(colours.DRIFT),
    )


def _retries() -> AnyPanel:
    return trend(
        "Retries per second",
        "suffix:retries/s",
        """Attempts that failed in passing and were made again, by reason. Rate limits are usual when slots
        are many; timeouts are the provider's. A gap: none.""",
        over_time(
            f"sum by (reason) (rate(driftwarden_retries_total{{{CHOSEN}}}[$__rate_interval])) > 0",
            "{{reason}}",
        ),
        colour=colours.shades(colours.WATCH),
    )


def _runs_closed() -> AnyPanel:
    return bars(
        "Runs that ended in this time",
        "suffix:runs",
        """By final state. Only completed ones are measurements. Nothing: none ended since the workers
        started.""",
        now("sum by (state) (increase(driftwarden_runs_closed_total[$__range]))", "{{state}}"),
    )


def _nights() -> AnyPanel:
    def told(metric: str) -> str:
        return of_any_replica(metric, "schedule")

    due = told("driftwarden_night_due_timestamp_seconds")
    return listing_now(
        "Schedules",
        """When the last night was completed, when the newest one was due, and how many were missed: nobody
        was there to run them. No due night: paused, or none has come due. No last night: none was
        completed.""",
        {
            "missed": told("driftwarden_nights_missed"),
            "last night": f"1000 * {told('driftwarden_last_night_timestamp_seconds')}",
            "was due": f"1000 * {due}",
        },
        columns=[
            Column("schedule", links=[("Its page", "${driftwarden}/schedules/${__data.fields.schedule}")]),
            Column("missed", "suffix:nights"),
            Column("last night", DATE),
            Column("was due", DATE),
        ],
        worst="missed",
        height=7,
        width=12,
    )


def _left_out() -> AnyPanel:
    return number(
        "Models left out of these dashboards",
        "suffix:models",
        """Quality is told of so many models and no more; those beyond are counted here, and as `other` in
        counters. They are measured and watched all the same: the product's pages have them.""",
        now("max(driftwarden_models_left_out)"),
        steps=colours.thresholds(colours.QUIET, (1, colours.WATCH)),
        absent="not told",
        width=6,
        height=7,
    )


def _versions() -> AnyPanel:
    return number(
        "Processes by version",
        "short",
        """How many API processes run which version of Driftwarden. Two versions at once: an update is under
        way.""",
        now("count by (version) (driftwarden_build_info)", "{{version}}"),
        steps=colours.thresholds(colours.QUIET),
        absent="not told",
        width=6,
        height=7,
    )

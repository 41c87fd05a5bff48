"""Cost and latency: what is spent, on what, and how long the providers take."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from deploy.grafana import colours, frame
from deploy.grafana.frame import AnyPanel
from deploy.grafana.panels import SECONDS, SHARE, USD, Column, bars, density, listing_now, number, trend
from deploy.grafana.sources import among, buckets, now, of_any_replica, over_time, points

CHOSEN = 'model=~"$model"'
ONE_RUN = f'suite="$suite",{CHOSEN}'


def build(public_url: str) -> Dashboard:
    return frame.frame(
        "cost",
        "Cost and latency",
        "Money, tokens and seconds: what the workers spend and wait for now, and what each measurement took.",
        [
            frame.suite(),
            frame.choice_of_series(
                "model", "Model", "label_values(driftwarden_request_duration_seconds_count, model)", many=True
            ),
        ],
        {
            "Money": [_spent(), _spent_on_judging(), _spending(), _spent_by_model(), _tokens(), _prices()],
            "Seconds": [_half(), _most(), _durations(), _calls(), _by_night()],
        },
        public_url=public_url,
        since="now-7d",
    )


def _spent() -> AnyPanel:
    return number(
        "Spent in this time",
        USD,
        """On answers and on judging, of the chosen models, as LiteLLM's price list prices the tokens that
        providers report. Calls without a known price are not in it. Counted by the workers since they
        started, so a worker that died before it was scraped is missing: the ledger is in the database.
        Nothing: no call yet.""",
        now(f"sum(increase(driftwarden_cost_usd_total{{{CHOSEN}}}[$__range]))"),
        absent="no call yet",
        width=12,
    )


def _spent_on_judging() -> AnyPanel:
    def spent(more: str = "") -> str:
        return f"sum(increase(driftwarden_cost_usd_total{{{more}}}[$__range]))"

    return number(
        "Share of it for judging",
        SHARE,
        """What part of all spending went to judges' calls, of all models. Nothing: nothing was spent, or
        without known prices.""",
        now(f"""{spent('role="judge"')} / ({spent()} > 0)"""),
        absent="nothing was judged",
        width=12,
    )


def _spending() -> AnyPanel:
    return trend(
        "USD per hour",
        USD,
        """The pace of spending by model, answers and judging together. A night is a hill; a plateau is a
        run that repeats itself. 0: the worker made no call; a gap: no worker was scraped.""",
        over_time(
            f"3600 * sum by (model) (rate(driftwarden_cost_usd_total{{{CHOSEN}}}[$__rate_interval]))",
            "{{model}}",
        ),
        width=14,
    )


def _spent_by_model() -> AnyPanel:
    spent = f"increase(driftwarden_cost_usd_total{{{CHOSEN}}}[$__range])"
    return bars(
        "Spent in this time, by model and role",
        USD,
        """On what it went: a model's answers, or its calls as a judge. A model that is not there made no
        call.""",
        now(f"sort_desc(sum by (model, role) ({spent}) > 0)", "{{model}}, {{role}}"),
        width=10,
    )


def _tokens() -> AnyPanel:
    return trend(
        "Tokens per second",
        "suffix:tokens/s",
        """As providers report them, by type. More output tokens for the same questions cost more and can be
        drift by themselves: the watch has a stream for it. A gap: no worker was scraped.""",
        over_time(
            f"sum by (type) (rate(driftwarden_tokens_total{{{CHOSEN}}}[$__rate_interval]))", "{{type}}"
        ),
    )


def _prices() -> AnyPanel:
    return listing_now(
        "What a measurement costs, and what it brings",
        """Each model's newest whole measurement of the suite: its cost, its accuracy with the bounds of the
        95 % interval for other questions of this kind. An empty cost: no price is known, which is not 0.""",
        {
            "cost": of_any_replica("driftwarden_run_cost_usd", "model", ONE_RUN),
            "accuracy": _accuracy(""),
            "lower": _accuracy("_lower"),
            "upper": _accuracy("_upper"),
        },
        columns=[
            Column("model", links=[("Its dashboard", frame.MODEL_DASHBOARD), ("Its page", frame.MODEL_PAGE)]),
            Column("cost", USD),
            Column("accuracy", SHARE),
            Column("lower", SHARE),
            Column("upper", SHARE),
        ],
        worst="cost",
        height=8,
        width=12,
    )


def _accuracy(bound: str) -> str:
    return of_any_replica(f"driftwarden_accuracy{bound}_ratio", "model", f'{ONE_RUN},category="all"')


def _quantile(share: float) -> str:
    rate = f'rate(driftwarden_request_duration_seconds_bucket{{{CHOSEN},role="answer"}}[$__rate_interval])'
    return f"histogram_quantile({share}, sum by (le, model) ({rate}))"


def _half() -> AnyPanel:
    return trend(
        "Half of the answers took at most",
        SECONDS,
        """The median time of a provider's call for an answer, by model; read off buckets that double, so
        true within a factor. A gap: no call was made.""",
        over_time(_quantile(0.5), "{{model}}"),
    )


def _most() -> AnyPanel:
    return trend(
        "19 of 20 answers took at most",
        SECONDS,
        """The 95th percentile of a provider's call for an answer, by model; read off buckets that double,
        so true within a factor. A line at 82 s means at least that. A gap: no call was made.""",
        over_time(_quantile(0.95), "{{model}}"),
    )


def _durations() -> AnyPanel:
    rate = f"increase(driftwarden_request_duration_seconds_bucket{{{CHOSEN}}}[$__rate_interval])"
    return density(
        "All calls by their time",
        SECONDS,
        """How many calls, for answers and judging, took how long: the darker, the more. Two bands are two
        kinds of calls. White: no call.""",
        buckets(f"sum by (le) ({rate})"),
    )


def _calls() -> AnyPanel:
    calls = f"rate(driftwarden_request_duration_seconds_count{{{CHOSEN}}}[$__rate_interval])"
    return trend(
        "Calls per second",
        "suffix:calls/s",
        "Provider calls that came to an end, by role. 0: none; a gap: no worker was scraped.",
        over_time(f"sum by (role) ({calls})", "{{role}}"),
    )


def _by_night() -> AnyPanel:
    return trend(
        "Seconds for an answer, by measurement",
        SECONDS,
        """The 95th percentile of each completed run of the suite, one line for each model, from the
        database: it goes back to the first night. Answers that never came are not in it.""",
        points(
            f"""SELECT finished_at AS time, model AS metric, latency_p95_seconds AS p95 FROM model_history
            WHERE $__timeFilter(finished_at) AND suite = '$suite' AND {among("model", "model")}
            AND category = 'all' AND kind NOT IN ('gate', 'rerun') ORDER BY 1"""
        ),
        colour=colours.shades(colours.DATA),
        width=24,
    )

"""Runs as tables: many in a list, one in full, and one that has not been started yet."""

from collections.abc import Iterator

from rich.console import Group, RenderableType

from services.cli.numbers import (
    count,
    interval,
    many,
    moment,
    ordinal,
    plain,
    seconds,
    share,
    tally,
    usd,
    usd_range,
)
from services.cli.render import facts, more, sentence, state, table
from services.cli.server import Json

WHOLE_SUITE = "all"
ESTIMATE_HEADS = (">accuracy", ">interval", ">coverage")


def describe_runs(page: Json) -> Iterator[RenderableType]:
    """Runs in the order of the page, each on one line."""
    if not page["items"]:
        yield sentence("No run matches.")
        return
    yield table(
        ["run", "state", "~suite or night", "created (UTC)"],
        [
            [
                run["id"],
                state(run["state"]),
                _name_night(run) or f"{run['suite']} v{run['suite_version']}",
                moment(run["created_at"]),
            ]
            for run in page["items"]
        ],
    )
    if page.get("next_cursor"):
        yield more()


def _name_night(run: Json) -> str | None:
    """Where a schedule's run stands: `nightly, 2026-11-21`; None for a run of no schedule."""
    if run["schedule"] is None:
        return None
    again = f" ({ordinal(run['attempt'])} confirmation)" if run["attempt"] else ""
    return f"{run['schedule']}, {run['night']}{again}"


def describe_run(run: Json) -> Iterator[RenderableType]:
    """What was asked for, how it went, and the results as far as there are any."""
    labels = ", ".join(f"{key}={value}" for key, value in sorted(run["labels"].items()))
    limit = f" of {usd(run['max_cost_usd'])}" if run["max_cost_usd"] is not None else ""
    yield facts(
        [
            ("run", run["id"]),
            ("state", state(run["state"])),
            ("why", run["error"]),
            ("stops", _name_stop(run)),
            ("kind", run["kind"]),
            ("night", _name_night(run)),
            ("suite", f"{run['suite']} v{run['suite_version']}"),
            ("questions", f"a sample of {count(run['sample'])}" if run["sample"] else None),
            ("repeats", count(run["repeats"]) if run["repeats"] > 1 else None),
            ("judge", f"{run['judge']} v{run['judge_version']}" if run["judge"] else None),
            ("prompt", f"{run['prompt']} v{run['prompt_version']}" if run["prompt"] else None),
            ("commit", run["git_commit"]),
            ("labels", labels or None),
            ("created", f"{moment(run['created_at'])} UTC"),
            ("finished", f"{moment(run['finished_at'])} UTC" if run["finished_at"] else None),
            ("spent", f"{usd(run['spent_usd'])}{limit} USD"),
        ]
    )
    if run.get("aggregates"):
        yield from describe_aggregates(run["aggregates"])
    elif run.get("progress"):
        yield describe_progress(run["progress"])


def _name_stop(run: Json) -> str | None:
    if run["stop_reason"] is None or run["finished_at"] is not None:
        return None
    return "soon: " + (
        "it was cancelled" if run["stop_reason"] == "cancelled" else "its allowance is used up"
    )


def describe_progress(progress: list[Json]) -> RenderableType:
    """How many pairs of each model are in which state, while the run is open."""
    return table(
        ["~model", ">waiting", ">answered", ">scored", ">not measured"],
        [
            [
                row["model"],
                count(row["pending"]),
                count(row["answered"]),
                count(row["scored"]),
                count(row["unscored"] + row["failed"] + row["skipped"]),
            ]
            for row in progress
        ],
    )


def describe_aggregates(aggregates: list[Json]) -> Iterator[RenderableType]:
    """A row for each model over the whole suite, then its categories where there is more than one."""
    whole = [row for row in aggregates if row["category"] == WHOLE_SUITE]
    notes = any(row["errors"] for row in whole)
    yield sentence("Accuracy with its 95 % interval:")
    yield table(
        ["~model", *ESTIMATE_HEADS, ">p95 s", ">USD", *(["~not measured"] if notes else [])],
        [
            [
                row["model"],
                *_write_estimate(row),
                seconds(row["latency_p95_seconds"]),
                usd(row["cost_usd"]),
                *([tally(row["errors"])] if notes else []),
            ]
            for row in whole
        ],
    )
    by_category = [row for row in aggregates if row["category"] != WHOLE_SUITE]
    if len({row["category"] for row in by_category}) > 1:
        yield _describe_categories(by_category)


def _describe_categories(rows: list[Json]) -> RenderableType:
    notes = any(row["accuracy"] is None for row in rows)
    return table(
        ["~model", "~category", *ESTIMATE_HEADS, ">questions", *(["~note"] if notes else [])],
        [
            [
                row["model"],
                row["category"],
                *_write_estimate(row),
                count(row["questions"]),
                *([tally(row["errors"]) if row["accuracy"] is None else ""] if notes else []),
            ]
            for row in rows
        ],
    )


def _write_estimate(row: Json) -> list[str]:
    return [
        share(row["accuracy"]),
        interval(row["accuracy_lower"], row["accuracy_upper"]),
        share(row["coverage"]),
    ]


def describe_estimate(estimate: Json) -> Iterator[RenderableType]:
    """What a run would take, before it is started."""
    judge = estimate.get("judge")
    rows = [*estimate["models"], *([{**judge, "model": f"{judge['model']} (judge)"}] if judge else [])]
    notes = any(row.get("note") for row in rows)
    yield table(
        ["~model", ">calls", ">tokens in", ">tokens out", ">USD", *(["~note"] if notes else [])],
        [
            [
                row["model"],
                count(row.get("pairs")),
                count(row.get("input_tokens")),
                count(row.get("output_tokens")),
                usd_range(row.get("cost_usd")),
                *([plain(row.get("note") or "")] if notes else []),
            ]
            for row in rows
        ],
    )
    total = estimate["total_usd"]
    cost = "at a cost that is not known" if total is None else f"for {usd_range(total)} USD"
    duration = estimate["duration_seconds"]
    takes = "" if duration is None else f", in about {many(max(1, round(duration / 60)), 'minute')}"
    yield sentence(f"In all {many(estimate['pairs'], 'answer')} {cost}{takes}.")
    difference = f"{100 * estimate['detectable_difference']:.1f} points"
    yield sentence(f"It can detect {difference} between two such runs, or two of the models, 8 of 10 times.")
    yield Group(*map(sentence, estimate["assumptions"]))

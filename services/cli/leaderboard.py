"""How models compare and how they have done over time, as tables."""

from collections.abc import Iterator

from rich.console import RenderableType

from services.cli.numbers import count, interval, moment, plain, rank, seconds, share, usd
from services.cli.render import sentence, table
from services.cli.server import Json


def describe_leaderboard(board: Json) -> Iterator[RenderableType]:
    """Ranked models first, then those that were not measured, with the reason."""
    if not board["items"]:
        yield sentence("No run has been completed yet. Start one with `driftwarden run --suite NAME`.")
        return
    yield sentence(f"{board['suite']}, {_name_category(board['category'])}; accuracy with its 95 % interval")
    notes = any(item["note"] for item in board["items"])
    heads = [">rank", "~model", ">accuracy", ">interval", ">coverage", ">mean s", ">USD"]
    rows = [
        [
            rank(item["rank_best"], item["rank_worst"]),
            item["model"],
            share(item["accuracy"]),
            interval(item["accuracy_lower"], item["accuracy_upper"]),
            share(item["coverage"]),
            seconds(item["latency_mean_seconds"]),
            usd(item["cost_usd"]),
            *([plain(item["note"] or "")] if notes else []),
        ]
        for item in board["items"]
    ]
    yield table([*heads, *(["~note"] if notes else [])], rows)
    if any(item["tied"] for item in board["items"]):
        yield sentence("A rank such as 2–4 leaves open which of these places it is.")


def describe_history(history: Json) -> Iterator[RenderableType]:
    """A model's finished runs, newest first."""
    if not history["items"]:
        yield sentence("This model has no completed run.")
        return
    yield table(
        ["finished (UTC)", ">accuracy", ">interval", ">n", ">coverage", ">p95 s", ">USD", "~suite"],
        [
            [
                moment(item["finished_at"]),
                share(item["accuracy"]),
                interval(item["accuracy_lower"], item["accuracy_upper"]),
                count(item["questions"]),
                share(item["coverage"]),
                seconds(item["latency_p95_seconds"]),
                usd(item["cost_usd"]),
                f"{item['suite']} v{item['suite_version']}",
            ]
            for item in history["items"]
        ],
    )


def _name_category(category: str) -> str:
    return "all categories" if category == "all" else f"category {category}"

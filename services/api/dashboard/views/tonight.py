"""What else a night came to: scores, hard questions, seconds, and the machine room."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby

from arq.connections import ArqRedis
from redis.exceptions import RedisError

from services.api.dashboard import numbers
from services.api.dashboard.charts.frame import Frame
from services.api.dashboard.charts.trends import Level, Tick
from services.api.dashboard.views.fleet import add_costs
from shared.db.measured_nights import MeasuredNight
from shared.queue import count_alive, queue_states


@dataclass(frozen=True, slots=True)
class Scores:
    model: str
    perfect: int
    partial: int
    failed: int
    unscored: int


@dataclass(frozen=True, slots=True)
class SecondsDrawing:
    frame: Frame
    mean: str
    p95: str
    mean_at: float
    p95_at: float
    ticks: tuple[Tick, ...]
    levels: tuple[Level, ...]


@dataclass(frozen=True, slots=True)
class Seconds:
    """Time per answer by night: the mean over all answers, and the highest 95th percentile of a model."""

    wide: SecondsDrawing
    narrow: SecondsDrawing
    told: str
    last_mean: float
    last_p95: float


@dataclass(frozen=True, slots=True)
class Totals:
    runs: int
    answers: int
    cost_usd: float | None
    unpriced: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the installation; `mark` is passed, watch or failed."""

    name: str
    mark: str
    word: str
    detail: str


def list_scores(measured: Sequence[MeasuredNight]) -> tuple[Scores, ...]:
    """The last night's questions by outcome, best model first; those without any score last."""
    last = max((one.night for one in measured), default=None)
    tonight = [one for one in measured if one.night == last]
    ordered = sorted(tonight, key=lambda one: (one.accuracy is None, -(one.accuracy or 0), one.model))
    return tuple(Scores(one.model, one.perfect, one.partial, one.failed, one.unscored) for one in ordered)


def add_up(measured: Sequence[MeasuredNight]) -> Totals:
    """What the nights came to together. A cost is known only where each model's is."""
    costs = [add_costs(one) for one in measured]
    unpriced = sorted({one.model for one, cost in zip(measured, costs, strict=True) if cost is None})
    return Totals(
        len({one.run_id for one in measured}),
        sum(one.answered for one in measured),
        None if unpriced else sum(cost for cost in costs if cost is not None),
        tuple(unpriced),
    )


def draw_seconds(measured: Sequence[MeasuredNight]) -> Seconds | None:
    """None with fewer than two nights that have answers."""
    mean: dict[date, float] = {}
    p95: dict[date, float] = {}
    for night, group in groupby(sorted(measured, key=lambda one: one.night), key=lambda one: one.night):
        timed = [one for one in group if one.latency_mean_seconds is not None]
        answers = sum(one.answered for one in timed)
        if answers:
            mean[night] = sum((one.latency_mean_seconds or 0) * one.answered for one in timed) / answers
            p95[night] = max(one.latency_p95_seconds or 0 for one in timed)
    if len(mean) < 2:
        return None
    last = max(mean)
    return Seconds(
        _draw(mean, p95, 560, 190),
        _draw(mean, p95, 350, 160),
        f"Seconds per answer: mean {numbers.seconds(mean[last])}, slowest model's 95th percentile"
        f" {numbers.seconds(p95[last])} on the last night",
        mean[last],
        p95[last],
    )


def _draw(
    mean: Mapping[date, float], p95: Mapping[date, float], width: float, height: float
) -> SecondsDrawing:
    step, top = _round_up(max(p95.values()))
    frame = Frame(width, height, 40, 10, 40, 24, min(mean), max(mean), 0, top)
    last = max(mean)
    mean_at, p95_at = frame.y(mean[last]) + 4, frame.y(p95[last]) + 4
    if mean_at - p95_at < 14:
        mean_at, p95_at = mean_at + 7, p95_at - 7
    return SecondsDrawing(
        frame, frame.path(list(mean.items())), frame.path(list(p95.items())), mean_at, p95_at,
        tuple(Tick(frame.x(night), night) for night in frame.ticks(3)),
        tuple(Level(frame.y(step * place), step * place) for place in range(round(top / step) + 1)),
    )  # fmt: skip


def _round_up(highest: float) -> tuple[float, float]:
    """A step of the axis, 1, 2 or 5 times a power of ten, and how many of them reach the highest value."""
    step = 0.001
    while step * 4 < highest:
        step *= 2.5 if str(step).strip("0.").startswith("2") else 2
    return step, step * max(1, -int(-highest // step))


async def look_into_machine_room(redis: ArqRedis, measured: Sequence[MeasuredNight]) -> tuple[Part, ...]:
    """What works and what does not, as far as this process sees it. That the page is there shows that API
    and database do.
    """
    parts = [
        Part("API", "passed", "works", "answered this page"),
        Part("PostgreSQL", "passed", "works", "answered this page"),
    ]
    try:
        states = await queue_states(redis)
        workers, scheduler = await count_alive(redis)
    except (RedisError, OSError):
        parts.append(Part("Redis", "failed", "away", "no job starts until it is back; nothing is lost"))
    else:
        waiting, running = sum(one.waiting for one in states), sum(one.running for one in states)
        oldest = max((one.oldest_seconds or 0 for one in states), default=0)
        line = f"{numbers.count(waiting)} waiting" + (
            f", oldest {numbers.lasting(oldest)}" if waiting else ""
        )
        parts.append(Part("Redis", "passed", "works", "holds the queue"))
        parts.append(
            Part(
                "Queue",
                "passed",
                "empty" if not waiting + running else "works",
                f"{line}, {numbers.count(running)} running",
            )
        )
        parts += [_describe_workers(workers), _describe_scheduler(scheduler)]
    last = max((one.night for one in measured), default=None)
    for one in measured:
        if one.night == last and one.answered == 0:
            parts.append(
                Part(
                    one.model,
                    "failed",
                    "failing",
                    f"no answer on {numbers.night(one.night)}: {numbers.tally(one.errors)}",
                )
            )
    return tuple(parts)


def _describe_workers(alive: int) -> Part:
    if not alive:
        return Part("Workers", "failed", "away", "none has been heard of: what is queued waits for one")
    return Part("Workers", "passed", "work", f"{numbers.count(alive)} heard of just now")


def _describe_scheduler(alive: bool) -> Part:
    if not alive:
        return Part("Scheduler", "failed", "away", "not heard of: no night begins, and nothing is watched")
    return Part("Scheduler", "passed", "works", "heard of just now")

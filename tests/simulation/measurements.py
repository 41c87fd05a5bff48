"""Everything that is measured, the targets it is held against, and the tables that show both."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import TypeAlias

from shared.domain.causes.suspects import Suspect
from shared.domain.figures.comparison import GateVerdict
from tests.simulation.experiments import FLEET, MONTHLY, OURS, YEAR, Watched, gate, watch, watch_latency
from tests.simulation.judges import Move, accuse, watch_judge
from tests.simulation.rules import RULES
from tests.simulation.world import REFERENCE_NIGHTS, NoiseOn, Scenario

Values: TypeAlias = Mapping[str, float]
Measured: TypeAlias = Mapping[str, Mapping[str, Values]]  # section -> row -> column -> value

WITHIN, WITHIN_MONTHS = (1, 3, 7, 14, 30), (30, 60, 90, 330)  # nights


@dataclass(frozen=True, slots=True)
class Target:
    """A number that must be at least or at most so large."""

    section: str
    row: str
    column: str
    at_least: float = float("-inf")
    at_most: float = float("inf")

    def is_met(self, measured: Measured) -> bool:
        return self.at_least <= measured[self.section][self.row][self.column] <= self.at_most

    @property
    def bound(self) -> str:
        return f">= {self.at_least:g}" if self.at_least > float("-inf") else f"<= {self.at_most:g}"


MONTH_LATER = REFERENCE_NIGHTS + 30

# What is simulated, and for how many models.
FALSE_ALARMS = {
    "200 questions": (Scenario(200, YEAR), 300),
    "200 questions, night noise 2 points": (Scenario(200, YEAR, night_noise=0.02), 300),
    "200 questions, night noise 2 points on each chance": (
        Scenario(200, YEAR, night_noise=0.02, noise_on=NoiseOn.EACH_CHANCE),
        300,
    ),
    "200 questions, night noise 2 points on doubtful answers": (
        Scenario(200, YEAR, night_noise=0.02, noise_on=NoiseOn.DOUBTFUL),
        300,
    ),
    "200 questions, night noise 2 points on each measured chance": (
        Scenario(200, YEAR, night_noise=0.02, noise_on=NoiseOn.EACH_MEASURED),
        300,
    ),
    "200 questions, graded answers": (Scenario(200, YEAR, is_graded=True), 50),
    "50 questions": (Scenario(50, YEAR), 300),
    "50 questions, night noise 2 points": (Scenario(50, YEAR, night_noise=0.02), 300),
    "50 questions, confirmation runs": (Scenario(50, YEAR, has_confirmations=True), 100),
    "200 questions, night noise 2 points that lasts (lag 1: 0.5)": (
        Scenario(200, YEAR, night_noise=0.02, lag_1=0.5),
        100,
    ),
}
DETECTION = {
    "200 questions, -10 points": (Scenario(200, MONTH_LATER, 0.10), 300),
    "200 questions, -5 points": (Scenario(200, MONTH_LATER, 0.05), 300),
    "200 questions, -3 points": (Scenario(200, MONTH_LATER, 0.03), 300),
    "200 questions, -30 points in a category of 7": (
        Scenario(200, MONTH_LATER, 0.30, in_category=True),
        600,
    ),
    "200 questions, -5 points, confirmation runs": (
        Scenario(200, MONTH_LATER, 0.05, has_confirmations=True),
        300,
    ),
    "200 questions, -5 points, night noise 2 points": (
        Scenario(200, MONTH_LATER, 0.05, night_noise=0.02),
        300,
    ),
    "200 questions, graded answers, -5 points": (Scenario(200, MONTH_LATER, 0.05, is_graded=True), 300),
    "50 questions, -10 points": (Scenario(50, MONTH_LATER, 0.10), 300),
    "50 questions, -5 points": (Scenario(50, MONTH_LATER, 0.05), 300),
    "50 questions, -3 points": (Scenario(50, MONTH_LATER, 0.03), 300),
}
YEAR_LATER = REFERENCE_NIGHTS + 330
DECAY = {
    "200 questions, -0.2 points a night": Scenario(200, YEAR_LATER, decay=0.002),
    "200 questions, -0.1 points a night": Scenario(200, YEAR_LATER, decay=0.001),
    "200 questions, -0.1 points a night, night noise 2 points": Scenario(
        200, YEAR_LATER, decay=0.001, night_noise=0.02
    ),
    "200 questions, -0.02 points a night": Scenario(200, YEAR_LATER, decay=0.0002),
    "50 questions, -0.1 points a night": Scenario(50, YEAR_LATER, decay=0.001),
}
# Rows of the above, looked at again.
WATCH = ["200 questions", "200 questions, night noise 2 points", "50 questions"]
ATTRIBUTION = [
    "200 questions, -30 points in a category of 7",
    "200 questions, -10 points",
    "200 questions, -5 points",
]
# Questions, and the candidate's true change.
GATE = {
    "200 questions, nothing changed": (200, 0.0),
    "200 questions, exactly at the margin": (200, 0.03),
    "500 questions, exactly at the margin": (500, 0.03),
    "200 questions, -10 points": (200, 0.10),
}
# What the model loses, and what the judge takes off borderline and off clear answers.
JUDGE_OR_MODEL = {
    "judge -5 points on all answers": Move(0.0, 0.05, 0.05),
    "judge -5 points, all of it on borderline answers": Move(0.0, 0.05 / 0.30, 0.0),
    "model -5 points": Move(0.05, 0.0, 0.0),
    "model -10 points and judge -20 on borderline answers": Move(0.10, 0.20, 0.0),
}
# The correlation of the nights' noise from night to night.
LATENCY = {"nights independent": 0.0, "nights alike (lag 1: 0.5)": 0.5}

NULLS = [row for row in FALSE_ALARMS if "lasts" not in row and "confirmation" not in row]
TARGETS = [
    *(Target("false alarms", row, "alarms", at_most=18) for row in NULLS),
    Target("false alarms", "50 questions, confirmation runs", OURS, at_most=0.06),
    Target("false alarms", "200 questions", "latest < best - 3 points", at_least=200),
    Target("detection", "200 questions, -10 points", f"{OURS}, 3 nights", at_least=0.95),
    Target("detection", "200 questions, -5 points", f"{OURS}, 7 nights", at_least=0.80),
    Target("detection", "200 questions, -5 points", f"{OURS}, 14 nights", at_least=0.98),
    Target("detection", "200 questions, -3 points", f"{OURS}, 14 nights", at_least=0.55),
    Target("detection", "200 questions, -30 points in a category of 7", f"{OURS}, 14 nights", at_least=0.90),
    Target("detection", "200 questions, -5 points, confirmation runs", f"{OURS}, 3 nights", at_least=0.65),
    Target("detection", "50 questions, -10 points", f"{OURS}, 7 nights", at_least=0.70),
    Target("detection", "200 questions, -10 points", "dated", at_least=0.90),
    Target("detection", "200 questions, -5 points", "dated", at_least=0.90),
    Target("gate", "200 questions, nothing changed", "fail", at_most=0.055),
    Target("gate", "200 questions, exactly at the margin", "pass", at_most=0.055),
    Target("gate", "500 questions, exactly at the margin", "pass", at_most=0.055),
    Target("judge or model", "judge -5 points on all answers", "model", at_most=0.02),
    Target("judge or model", "judge -5 points, all of it on borderline answers", "model", at_most=0.02),
    Target("judge or model", "model -10 points and judge -20 on borderline answers", "judge", at_most=0.0),
    Target("latency", "nights independent", OURS, at_most=0.00429),
    Target("anchors' false alarms", "90 anchors", "stricter", at_most=0.05),
    *(
        Target("false alarms", row, MONTHLY, at_most=0.005)
        for row in ("200 questions", "200 questions, night noise 2 points")
    ),
    Target(
        "judge or model, from the detector on",
        "judge -5 points on all answers",
        "model, at once",
        at_most=0.02,
    ),
    Target(
        "judge or model, from the detector on",
        "judge -5 points, all of it on borderline answers",
        "model, at once",
        at_most=0.02,
    ),
    Target("slow decay", "200 questions, -0.2 points a night", "either, 60 nights", at_least=0.95),
    Target(
        "attribution", "200 questions, -30 points in a category of 7", "small category named", at_least=0.9
    ),
    Target(
        "attribution", "200 questions, -30 points in a category of 7", "named categories false", at_most=0.1
    ),
]


def measure_false_alarms(row: str, models: int | None = None) -> Values:
    """Alarms per model-year while nothing changes."""
    scenario, full = FALSE_ALARMS[row]
    watched = watch(row, scenario, models or full)
    rates = {rule: watched.per_year(rule) for rule in (OURS, MONTHLY, *RULES)}
    alarms = int(watched.alarms[OURS].sum())
    return {"model-years": (models or full) * scenario.nights / YEAR, "alarms": alarms, **rates}


def measure_detection(row: str, models: int | None = None) -> Values:
    """The shares caught within so many nights; of the alarms `dated` within 3 nights of the truth."""
    scenario, full = DETECTION[row]
    watched = watch(row, scenario, models or full)
    caught = {rule: _caught(watched, rule, WITHIN, rule) for rule in (OURS, *RULES)}
    shares = {column: share for columns in caught.values() for column, share in columns.items()}
    return {"changes": models or full, "dated": watched.dated_within_three, **shares}


def measure_decay(row: str, models: int = 100) -> Values:
    """The shares caught within 30, 60, 90 and 330 nights, night by night, by the months, and by either."""
    watched = watch(row, DECAY[row], models)
    ours = _caught(watched, "nightly detector", WITHIN_MONTHS, OURS)
    monthly = _caught(watched, MONTHLY, WITHIN_MONTHS, MONTHLY)
    either = _caught(watched, "either", WITHIN_MONTHS, OURS, MONTHLY)
    return {"changes": models, **ours, **monthly, **either}


def _caught(watched: Watched, name: str, within: Iterable[int], *rules: str) -> Values:
    return {f"{name}, {nights} nights": watched.caught_within(nights, *rules) for nights in within}


def measure_watch(row: str, models: int | None = None) -> Values:
    """The share of nights on which a model is watched, and on which one of ten is, if nothing changes."""
    scenario, full = FALSE_ALARMS[row]
    watched = watch(row, scenario, models or full).is_watched
    fleets = watched.reshape(len(watched), -1, FLEET).any(axis=2)
    return {
        "model-years": models or full,
        "one model": float(watched.mean()),
        "one of ten models": float(fleets.mean()),
    }


def measure_attribution(row: str, models: int | None = None) -> Values:
    """What the alarms within 30 nights named, each at once, from the night of the alarm."""
    scenario, full = DETECTION[row]
    located = watch(row, scenario, models or full).located
    return {
        "alarms": len(located),
        "small category named": fmean(one.category_named for one in located),
        "named categories false": fmean(one.categories_false for one in located),
        "changed questions named": fmean(one.questions_found for one in located),
        "named questions false": fmean(one.questions_false for one in located),
    }


def measure_gate(row: str, pairs: int = 10_000) -> Values:
    shares = gate(row, *GATE[row], repeats=pairs)
    return {"pairs of runs": pairs, **{verdict.value: shares[verdict] for verdict in GateVerdict}}


def measure_suspects(row: str, incidents: int = 2_000) -> Values:
    shares = accuse(row, JUDGE_OR_MODEL[row], incidents)
    return {"incidents": incidents, **{suspect.value: shares[suspect] for suspect in Suspect}}


def measure_anchors(row: str, models: int = 300) -> Values:
    """The suite's and the anchors' alarms within so many nights; whom the anchors accused at the former."""
    judged = watch_judge(row, JUDGE_OR_MODEL[row], models)
    suite = {f"suite, {nights} nights": judged.caught_within(nights) for nights in WITHIN}
    anchors = {f"anchors, {nights} nights": judged.anchors_caught_within(nights) for nights in WITHIN}
    accused = {
        f"{s}, {when}": verdicts.count(s) / len(verdicts)
        for s in Suspect
        for when, verdicts in (("at once", judged.at_once), ("a week later", judged.a_week_later))
    }
    return {"changes": models, **suite, **anchors, **accused}


def measure_anchor_alarms(row: str, models: int = 100) -> Values:
    """Alarms of the anchors a year while nothing changes."""
    judged = watch_judge(row, Move(0.0, 0.0, 0.0), models, nights=YEAR)
    return {
        "years": models,
        "stricter": float(judged.anchors_worse.sum() / models),
        "milder": float(judged.anchors_better.sum() / models),
    }


def measure_latency(row: str, models: int = 300) -> Values:
    return {"model-years": models, OURS: watch_latency(row, models, LATENCY[row])}


SECTIONS: Mapping[str, tuple[Callable[[str], Values], Iterable[str]]] = {
    "false alarms": (measure_false_alarms, FALSE_ALARMS),
    "detection": (measure_detection, DETECTION),
    "slow decay": (measure_decay, DECAY),
    "watched quiet nights": (measure_watch, WATCH),
    "attribution": (measure_attribution, ATTRIBUTION),
    "gate": (measure_gate, GATE),
    "judge or model": (measure_suspects, JUDGE_OR_MODEL),
    "judge or model, from the detector on": (measure_anchors, JUDGE_OR_MODEL),
    "anchors' false alarms": (measure_anchor_alarms, ["90 anchors"]),
    "latency": (measure_latency, LATENCY),
}


def show(measured: Measured) -> str:
    """The tables as Markdown: what was measured, then each target."""
    tables = [
        _table(name, {row: _gather_nights(values) for row, values in rows.items()})
        for name, rows in measured.items()
    ]
    return "\n\n".join([*tables, _show_targets(measured)])


def _gather_nights(values: Values) -> Mapping[str, str]:
    """One cell for all the shares that were caught within so many nights."""
    cells: dict[str, str] = {}
    for column, value in values.items():
        name, found, _ = column.rpartition(", ")
        if found and name in cells:
            cells[name] += f" {value:.2f}"
        else:
            cells[name or column] = f"{value:.2f}" if found else _number(value)
    return cells


def _table(name: str, rows: Mapping[str, Mapping[str, str]]) -> str:
    columns = list(next(iter(rows.values())))
    lines = [f"| {name} | " + " | ".join(columns) + " |", "|---|" + "---:|" * len(columns)]
    lines += [f"| {row} | " + " | ".join(values[c] for c in columns) + " |" for row, values in rows.items()]
    return "\n".join(lines)


def _show_targets(measured: Measured) -> str:
    lines = ["| target | wanted | measured | |", "|---|---:|---:|---|"]
    for target in TARGETS:
        if target.row in measured.get(target.section, {}):
            value = _number(measured[target.section][target.row][target.column])
            verdict = "met" if target.is_met(measured) else "**missed**"
            lines.append(f"| {target.row}: {target.column} | {target.bound} | {value} | {verdict} |")
    return "\n".join(lines)


def _number(value: float) -> str:
    return (
        f"{value:.0f}" if value == int(value) and abs(value) > 1 else f"{value:.3f}".rstrip("0").rstrip(".")
    )

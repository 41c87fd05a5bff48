"""Everything that is measured, the targets it is held against, and the tables that show both."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from shared.domain.comparison import GateVerdict
from shared.domain.suspects import Suspect
from tests.simulation.experiments import WITHIN, YEAR, accuse, gate, watch, watch_latency
from tests.simulation.rules import RULES
from tests.simulation.world import REFERENCE_NIGHTS, NoiseOn, Scenario

Values: TypeAlias = Mapping[str, float]
Measured: TypeAlias = Mapping[str, Mapping[str, Values]]  # section -> row -> column -> value

OURS = "driftwarden"


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
    "50 questions, -10 points": (Scenario(50, MONTH_LATER, 0.10), 300),
    "50 questions, -5 points": (Scenario(50, MONTH_LATER, 0.05), 300),
    "50 questions, -3 points": (Scenario(50, MONTH_LATER, 0.03), 300),
}
# Questions, and the candidate's true change.
GATE = {
    "200 questions, nothing changed": (200, 0.0),
    "200 questions, exactly at the margin": (200, 0.03),
    "500 questions, exactly at the margin": (500, 0.03),
    "200 questions, -10 points": (200, 0.10),
}
# What the model loses, and what the judge takes off borderline and clear answers.
JUDGE_OR_MODEL = {
    "judge -5 points on all answers": (0.0, 0.05, 0.05),
    "judge -5 points, all of it on borderline answers": (0.0, 0.05 / 0.30, 0.0),
    "model -5 points": (0.05, 0.0, 0.0),
    "model -10 points and judge -20 on borderline answers": (0.10, 0.20, 0.0),
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
]


def measure_false_alarms(row: str, models: int | None = None) -> Values:
    """Alarms per model-year while nothing changes."""
    scenario, full = FALSE_ALARMS[row]
    watched = watch(row, scenario, models or full)
    rates = {rule: watched.per_year(rule) for rule in (OURS, *RULES)}
    alarms = int(watched.alarms[OURS].sum())
    return {"model-years": (models or full) * scenario.nights / YEAR, "alarms": alarms, **rates}


def measure_detection(row: str, models: int | None = None) -> Values:
    """The shares caught within so many nights; of the alarms `dated` within 3 nights of the truth."""
    scenario, full = DETECTION[row]
    watched = watch(row, scenario, models or full)
    caught = {
        f"{rule}, {nights} nights": watched.caught_within(rule, nights)
        for rule in (OURS, *RULES)
        for nights in WITHIN
    }
    return {"changes": models or full, "dated": watched.dated_within_three, **caught}


def measure_gate(row: str, pairs: int = 10_000) -> Values:
    shares = gate(row, *GATE[row], repeats=pairs)
    return {"pairs of runs": pairs, **{verdict.value: shares[verdict] for verdict in GateVerdict}}


def measure_suspects(row: str, incidents: int = 2_000) -> Values:
    model_drop, borderline, clear = JUDGE_OR_MODEL[row]
    shares = accuse(row, model_drop, {"borderline": borderline, "clear": clear}, incidents)
    return {"incidents": incidents, **{suspect.value: shares[suspect] for suspect in Suspect}}


def measure_latency(row: str, models: int = 300) -> Values:
    return {"model-years": models, OURS: watch_latency(row, models, LATENCY[row])}


SECTIONS: Mapping[str, tuple[Callable[[str], Values], Iterable[str]]] = {
    "false alarms": (measure_false_alarms, FALSE_ALARMS),
    "detection": (measure_detection, DETECTION),
    "gate": (measure_gate, GATE),
    "judge or model": (measure_suspects, JUDGE_OR_MODEL),
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
    """One cell per rule for the shares caught within 1, 3, 7, 14 and 30 nights."""
    cells = {column: _number(value) for column, value in values.items() if ", " not in column}
    for rule in (OURS, *RULES):
        shares = [f"{values[f'{rule}, {n} nights']:.2f}" for n in WITHIN if f"{rule}, {n} nights" in values]
        if shares:
            cells[rule] = " ".join(shares)
    return cells


def _table(name: str, rows: Mapping[str, Mapping[str, str]]) -> str:
    columns = list(next(iter(rows.values())))
    lines = [f"| {name} | " + " | ".join(columns) + " |", "|---|" + "---:|" * len(columns)]
    lines += [f"| {row} | " + " | ".join(values[c] for c in columns) + " |" for row, values in rows.items()]
    return "\n".join(lines)


def _show_targets(measured: Measured) -> str:
    lines = ["| target | wanted | measured | |", "|---|---:|---:|---|"]
    for target in TARGETS:
        if target.section in measured:
            value = _number(measured[target.section][target.row][target.column])
            verdict = "met" if target.is_met(measured) else "**missed**"
            lines.append(f"| {target.row}: {target.column} | {target.bound} | {value} | {verdict} |")
    return "\n".join(lines)


def _number(value: float) -> str:
    return (
        f"{value:.0f}" if value == int(value) and abs(value) > 1 else f"{value:.3f}".rstrip("0").rstrip(".")
    )

"""What a gate has found: values that every report is built from."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from services.cli.server import Json
from shared.domain.figures.gate import Criterion, Deciding, Finding
from shared.domain.figures.gate_cases import Case

EXIT_CODES = {Finding.PASS: 0, Finding.FAIL: 1, Finding.INCONCLUSIVE: 3, Finding.NOT_MEASURED: 3}


@dataclass(frozen=True, slots=True)
class GateOutcome:
    """The finding and what led to it.

    `baseline` and `candidate` are runs, `comparison` is that of the two, as the API tells them; None: there
    is none. `notes` say what was not measured and what to do about it. `deciding`: only where it is open.
    """

    finding: Finding
    exit_code: int
    criteria: Sequence[Criterion] = ()
    baseline: Json | None = None
    candidate: Json | None = None
    comparison: Json | None = None
    deciding: Deciding | None = None
    cases: Sequence[Case] = ()
    notes: Sequence[str] = field(default=())


def as_json(outcome: GateOutcome) -> Json:
    """All of it but the cases, for machines; costs as numbers of US dollars."""
    return {
        "finding": outcome.finding,
        "exit_code": outcome.exit_code,
        "notes": list(outcome.notes),
        "criteria": [asdict(criterion) for criterion in outcome.criteria],
        "deciding": None if outcome.deciding is None else _plain(asdict(outcome.deciding)),
        "baseline": outcome.baseline,
        "candidate": outcome.candidate,
        "comparison": outcome.comparison,
    }


def _plain(members: dict[str, Any]) -> Json:
    usd = {name: None if value is None else float(value) for name, value in members.items() if "usd" in name}
    return {**members, **usd}

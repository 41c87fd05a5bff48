"""What /submit shows: the form of a run, and what the run would take."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import uuid4

from services.api.dashboard import numbers
from services.api.dashboard.forms import Filled
from services.api.schemas.estimates import PayerEstimate, RunEstimate
from shared.db import judges, suites
from shared.db.pool import Connection
from shared.db.suites import SuiteVersion
from shared.models import Catalogue

LABELS = {
    "suite": "Suite",
    "models": "Models",
    "more_models": "Other models",
    "judge": "Judge",
    "prompt": "Prompt",
    "allow_self_judging": "The judge may judge its own answers, too",
    "repeats": "Repeats",
    "sample": "Questions, at most",
    "max_cost_usd": "Stop at cost, USD",
    "labels": "Labels",
    "once": "This form",
}


@dataclass(frozen=True, slots=True)
class Told:
    """What a run would take. `verdict` begins the message; `payers` are the rows behind it."""

    verdict: str
    detects: str
    payers: tuple[PayerEstimate, ...]
    judge: PayerEstimate | None
    assumptions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Submit:
    """The form with its choices: pairs of a value and its text. `once` makes a second press harmless."""

    form: Filled
    suites: tuple[tuple[str, str], ...]
    models: tuple[tuple[str, str], ...]
    judges: tuple[tuple[str, str], ...]
    once: str
    told: Told | None = None
    why_not: str = ""


async def read_submit(connection: Connection, catalogue: Catalogue, form: Filled) -> Submit:
    stored = [one for one in await suites.list_suites(connection) if one.is_runnable]
    return Submit(
        form,
        tuple((one.name, name_suite(one)) for one in stored),
        name_models(catalogue, form.values.get("models", ())),
        await read_judges(connection, catalogue, form.text("judge")),
        form.text("once") or str(uuid4()),
    )  # fmt: skip


def name_suite(suite: SuiteVersion) -> str:
    return f"{suite.name} v{suite.version}, {numbers.many(suite.questions, 'question')}"


def without_database(catalogue: Catalogue, form: Filled) -> Submit:
    """The form as it was sent, when the database does not even tell the suites."""
    suite, judge = form.text("suite"), form.text("judge")
    return Submit(
        form.unsaved(), ((suite, suite),), name_models(catalogue, form.values.get("models", ())),
        ((judge, judge or "the default one"),), form.text("once") or str(uuid4()),
    )  # fmt: skip


def name_models(catalogue: Catalogue, chosen: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """The models to choose from: those of models.yaml but its judge and controls, and others chosen."""
    offered = [
        entry.name
        for entry in catalogue.entries.values()
        if not entry.is_control and entry.name != catalogue.default_judge
    ]
    return tuple((name, name) for name in dict.fromkeys([*offered, *chosen]))


async def read_judges(
    connection: Connection, catalogue: Catalogue, chosen: str
) -> tuple[tuple[str, str], ...]:
    """The judges to choose from: the default one, the stored ones, and every model of models.yaml."""
    default = catalogue.default_judge
    stored = {one.judge.name: one for one in reversed(await judges.list_judges(connection))}
    texts = {"": f"the default one, {default}" if default else "none, if no question asks one"}
    texts |= {name: f"{name} v{one.version}, {one.judge.model}" for name, one in sorted(stored.items())}
    texts |= {name: f"{name}, with the default prompt" for name in catalogue.entries if name not in stored}
    if chosen not in texts:
        texts[chosen] = chosen
    return tuple(texts.items())


def tell(estimated: RunEstimate) -> Told:
    cost, took = estimated.total_usd, estimated.duration_seconds
    unpriced = [payer.model for payer in _payers(estimated) if payer.cost_usd is None]
    whose = ", ".join(unpriced) if len(unpriced) < 3 else numbers.many(len(unpriced), "model")
    costs = (
        f"about {numbers.usd(cost.expected)} USD{' with judging' if estimated.judge else ''}"
        if cost is not None
        else f"cost not known (no price for {whose})"
    )
    unmeasured = "time not known (a model was never measured)"
    lasts = unmeasured if took is None else f"about {numbers.lasting(took)}"
    return Told(
        f"{numbers.many(estimated.pairs, 'pair')}, {costs}, {lasts}.",
        f"Can detect {numbers.size(estimated.detectable_difference)} points between two such runs, or two of"
        " the models, 8 of 10 times.",
        tuple(estimated.models),
        estimated.judge,
        (
            *estimated.assumptions,
            "What can be detected is told for answers that are right in"
            f" {numbers.share(estimated.expected_accuracy)} of cases; steady ones show smaller differences.",
            "Time is that of the newest answers of each model, if nothing else runs.",
        ),
    )


def _payers(estimated: RunEstimate) -> list[PayerEstimate]:
    return [*estimated.models, *([estimated.judge] if estimated.judge else [])]

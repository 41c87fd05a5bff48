"""What is asked for in a run: checked in full, then stored as one row, whoever asks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from importlib.metadata import version
from types import MappingProxyType
from uuid import uuid4

from shared.db import judges, prompts, runs, suites
from shared.db.judges import StoredJudge
from shared.db.pool import Connection
from shared.db.prompts import StoredPrompt
from shared.db.runs import NewRun
from shared.db.suites import SuiteVersion
from shared.domain.answers.judging import Judge
from shared.domain.errors import InvalidInput
from shared.domain.questions.prompts import split_reference
from shared.domain.runs import RunId, RunKind
from shared.models import Catalogue
from shared.settings import Settings

MAX_PAIRS = 1_000_000
CLIENT_VERSIONS = {"driftwarden": version("driftwarden"), "litellm": version("litellm")}


class JudgesItself(InvalidInput):
    """The judge is one of the models under test."""


@dataclass(frozen=True, slots=True)
class Order:
    """A run as it is asked for. None: the newest version, all models, the default judge, the
    question alone, no limit."""

    suite: str
    suite_version: int | None = None
    models: Sequence[str] | None = None
    judge: str | None = None
    prompt: str | None = None
    repeats: int = 1
    sample: int | None = None
    max_cost_usd: Decimal | None = None
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    git_commit: str | None = None
    allow_self_judging: bool = False


@dataclass(frozen=True, slots=True)
class CheckedOrder:
    """An order that can be run; nothing is stored yet. Without a judge: no question asks one."""

    order: Order
    suite: SuiteVersion
    models: list[str]
    judge: Judge | StoredJudge | None
    prompt: StoredPrompt | None

    @property
    def pairs(self) -> int:
        questions = min(self.order.sample or self.suite.questions, self.suite.questions)
        return questions * len(self.models) * self.order.repeats


@dataclass(frozen=True, slots=True)
class NightPlace:
    """Where a schedule's run stands: in its night, attempt 0 is the nightly run, the others confirm it."""

    schedule_id: int
    night: date
    attempt: int


async def check_order(connection: Connection, catalogue: Catalogue, order: Order) -> CheckedOrder:
    """Check in full what is asked for.

    Raises:
        InvalidInput: it can't be run; the field says why.
    """
    suite = await _find_suite(connection, order)
    models = choose_models(catalogue, order.models)
    judge = await _choose_judge_for(connection, catalogue, order, suite, models)
    checked = CheckedOrder(order, suite, models, judge, await _find_prompt(connection, order.prompt))
    if checked.pairs > MAX_PAIRS:
        makes = f"makes {checked.pairs:,} pairs with these models and questions"
        problem = f"{makes}; a run has {MAX_PAIRS:,} at most."
        raise InvalidInput("repeats", problem, "Ask for less, or in several runs.")
    return checked


async def place_order(
    connection: Connection,
    settings: Settings,
    checked: CheckedOrder,
    kind: RunKind,
    *,
    place: NightPlace | None = None,
    idempotency_key: str | None = None,
    request_hash: str = "",
) -> RunId | None:
    """Store the run; None when its idempotency key, or its place in a night, is already taken."""
    order, judge = checked.order, checked.judge
    if isinstance(judge, Judge):
        async with connection.transaction():
            judge = await judges.store_judge(connection, judge)
    new = NewRun(
        id=RunId(uuid4()),
        kind=kind,
        suite_version_id=checked.suite.id,
        judge_id=judge.id if judge else None,
        prompt_id=checked.prompt.id if checked.prompt else None,
        models=checked.models,
        repeats=order.repeats,
        sample=order.sample,
        parameters=answer_parameters(settings),
        max_cost_usd=order.max_cost_usd,
        labels=dict(order.labels),
        git_commit=order.git_commit,
        client_versions=CLIENT_VERSIONS,
        idempotency_key=idempotency_key,
        request_hash=request_hash,
        schedule_id=place.schedule_id if place else None,
        night=place.night if place else None,
        attempt=place.attempt if place else None,
    )
    return await runs.submit_run(connection, new)


async def _find_prompt(connection: Connection, reference: str | None) -> StoredPrompt | None:
    if reference is None:
        return None
    name, version = split_reference(reference)
    found = await prompts.find_prompt(connection, name, version)
    if found is None:
        newest = await prompts.find_prompt(connection, name, None)
        remedy = f"Its newest version is {newest.version}." if newest else "Store it first: POST /prompts."
        raise InvalidInput("prompt", f"{reference!r} is not stored here.", remedy)
    return found


async def _find_suite(connection: Connection, order: Order) -> SuiteVersion:
    suite = await suites.find_suite(connection, order.suite, order.suite_version)
    if suite is None:
        newest = await suites.find_suite(connection, order.suite)
        if newest is None:
            problem = f"{order.suite!r} is not stored here."
            raise InvalidInput("suite", problem, "Import it first, or correct its name.")
        problem = f"{order.suite!r} has no version {order.suite_version}."
        raise InvalidInput("suite_version", problem, f"Its newest one is {newest.version}.")
    if not suite.is_runnable:
        problem = f"{order.suite!r} came with imported results; some questions' input or target is unknown."
        raise InvalidInput("suite", problem, "Import the suite's own file.")
    return suite


def choose_models(catalogue: Catalogue, named: Sequence[str] | None) -> list[str]:
    """The models of a run: those named, else all of models.yaml but its judge and its controls.

    Raises:
        InvalidInput: a name is unknown or given twice, or there is no model at all.
    """
    if named is None:
        chosen = [
            entry.name
            for entry in catalogue.entries.values()
            if not entry.is_control and entry.name != catalogue.default_judge
        ]
        if not chosen:
            problem = "is missing, and models.yaml names none to test."
            raise InvalidInput("models", problem, "Name the models.")
        return chosen
    for position, name in enumerate(named):
        where = f"models[{position}]"
        if name in named[:position]:
            raise InvalidInput(where, f"{name!r} is named twice.", "Use repeats to ask it more than once.")
        try:
            catalogue.resolve(name)
        except InvalidInput as error:
            raise InvalidInput(where, error.problem, error.remedy) from None
    return list(named)


async def _choose_judge_for(
    connection: Connection,
    catalogue: Catalogue,
    order: Order,
    suite: SuiteVersion,
    models: Sequence[str],
) -> Judge | StoredJudge | None:
    """The judge of a run, stored or to be stored; None when no question asks one."""
    name = order.judge or (catalogue.default_judge if suite.asks_judge else None)
    if name is None:
        if suite.asks_judge:
            problem = "is missing: questions of this suite ask a judge, and models.yaml names no default one."
            raise InvalidInput("judge", problem, "Name a stored judge or a model.")
        return None
    judge = await choose_judge(
        connection,
        catalogue,
        name,
        models if suite.asks_judge else (),
        allow_self_judging=order.allow_self_judging,
    )
    return judge if suite.asks_judge else None


async def choose_judge(
    connection: Connection,
    catalogue: Catalogue,
    name: str,
    models: Sequence[str],
    *,
    allow_self_judging: bool,
) -> Judge | StoredJudge:
    """The judge of this name, stored or to be stored, for the answers of these models.

    Raises:
        InvalidInput: it is not known, or is one of the models itself without leave to be.
    """
    stored = await judges.find_judge(connection, name)
    judge = stored.judge if stored else Judge(name, model=name)
    identity = _identify(catalogue, judge.model)
    if identity in [_identify(catalogue, model) for model in models] and not allow_self_judging:
        problem = f"{name!r} judges with {judge.model}, which is one of the models under test."
        raise JudgesItself("judge", problem, "Name another judge, or set allow_self_judging.")
    return stored or judge


def _identify(catalogue: Catalogue, model: str) -> tuple[str, str | None]:
    """What answers under this name, whatever other names it has."""
    try:
        entry = catalogue.resolve(model)
    except InvalidInput as error:
        raise InvalidInput("judge", error.problem, error.remedy) from None
    return entry.litellm_model, entry.api_base


def answer_parameters(settings: Settings) -> dict[str, int]:
    """What every model is asked with, so that what changes from night to night is not the request."""
    return {"temperature": 0, "max_tokens": settings.max_output_tokens}

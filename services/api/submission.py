"""Submitting a run: checked in full, stored as one row, then one job that plans it, whatever its size."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from importlib.metadata import version
from uuid import uuid4

from services.api.desk import Desk
from services.api.problems import KeyReused
from services.api.schemas.runs import RunRequest
from shared.db import judges, runs, suites
from shared.db.judges import StoredJudge
from shared.db.pool import Connection
from shared.db.runs import NewRun, Run
from shared.db.suites import SuiteVersion
from shared.domain.errors import InvalidInput
from shared.domain.judging import Judge
from shared.domain.runs import RunId, RunKind
from shared.domain.suites import fingerprint
from shared.models import Catalogue
from shared.settings import Settings

MAX_PAIRS = 1_000_000
CLIENT_VERSIONS = {"driftwarden": version("driftwarden"), "litellm": version("litellm")}


async def submit(desk: Desk, request: RunRequest, idempotency_key: str | None) -> Run:
    """Accept a run and have it planned; the same request under the same key is accepted once.

    Raises:
        InvalidInput: what is asked for can't be run; the field says why.
        KeyReused: the key came with another request before.
    """
    request_hash = fingerprint(request.model_dump(mode="json"))
    async with desk.connection() as connection:
        if twin := await _find_twin(connection, idempotency_key, request_hash):
            return twin
        new = await _prepare(connection, desk, request, idempotency_key, request_hash)
        if await runs.submit_run(connection, new) is None:
            run = await _find_twin(connection, idempotency_key, request_hash)
        else:
            run = await runs.find_run(connection, new.id)
    assert run is not None, "it is stored, by this request or by its twin"
    await desk.enqueue("plan_run", run.id)
    return run


async def _find_twin(connection: Connection, idempotency_key: str | None, request_hash: str) -> Run | None:
    """The run that came of the same request under the same key, if any."""
    if idempotency_key is None:
        return None
    twin = await runs.find_run_by_idempotency_key(connection, idempotency_key)
    if twin is not None and twin.request_hash != request_hash:
        raise KeyReused(f"This Idempotency-Key came with another request: run {twin.id}. Use a new key.")
    return twin


@dataclass(frozen=True, slots=True)
class Order:
    """What a request asks for, checked; nothing is stored yet. Without a judge: no question asks one."""

    suite: SuiteVersion
    models: list[str]
    judge: Judge | StoredJudge | None


async def check_request(connection: Connection, catalogue: Catalogue, request: RunRequest) -> Order:
    """Check in full what a request asks for.

    Raises:
        InvalidInput: it can't be run; the field says why.
    """
    suite = await _find_suite(connection, request)
    models = choose_models(catalogue, request.models)
    questions = min(request.sample or suite.questions, suite.questions)
    pairs = questions * len(models) * request.repeats
    if pairs > MAX_PAIRS:
        problem = f"makes {pairs:,} pairs with these models and questions; a run has {MAX_PAIRS:,} at most."
        raise InvalidInput("repeats", problem, "Ask for less, or in several runs.")
    return Order(suite, models, await _choose_judge(connection, catalogue, request, suite, models))


async def _prepare(
    connection: Connection, desk: Desk, request: RunRequest, idempotency_key: str | None, request_hash: str
) -> NewRun:
    order = await check_request(connection, desk.catalogue, request)
    judge = order.judge
    if isinstance(judge, Judge):
        async with connection.transaction():
            judge = await judges.store_judge(connection, judge)
    return NewRun(
        id=RunId(uuid4()),
        kind=RunKind(request.kind),
        suite_version_id=order.suite.id,
        judge_id=judge.id if judge else None,
        models=order.models,
        repeats=request.repeats,
        sample=request.sample,
        parameters=answer_parameters(desk.settings),
        max_cost_usd=None if request.max_cost_usd is None else Decimal(str(request.max_cost_usd)),
        labels=request.labels,
        git_commit=request.git_commit,
        client_versions=CLIENT_VERSIONS,
        idempotency_key=idempotency_key,
        request_hash=request_hash,
    )


async def _find_suite(connection: Connection, request: RunRequest) -> SuiteVersion:
    suite = await suites.find_suite(connection, request.suite, request.suite_version)
    if suite is None:
        newest = await suites.find_suite(connection, request.suite)
        if newest is None:
            problem = f"{request.suite!r} is not stored here."
            raise InvalidInput("suite", problem, "Import it first, or correct its name.")
        problem = f"{request.suite!r} has no version {request.suite_version}."
        raise InvalidInput("suite_version", problem, f"Its newest one is {newest.version}.")
    if not suite.is_runnable:
        problem = f"{request.suite!r} came with imported results; some questions' input or target is unknown."
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
        field = f"models[{position}]"
        if name in named[:position]:
            raise InvalidInput(field, f"{name!r} is named twice.", "Use repeats to ask it more than once.")
        try:
            catalogue.resolve(name)
        except InvalidInput as error:
            raise InvalidInput(field, error.problem, error.remedy) from None
    return list(named)


async def _choose_judge(
    connection: Connection,
    catalogue: Catalogue,
    request: RunRequest,
    suite: SuiteVersion,
    models: Sequence[str],
) -> Judge | StoredJudge | None:
    """The judge of a run, stored or to be stored; None when no question asks one."""
    name = request.judge or (catalogue.default_judge if suite.asks_judge else None)
    if name is None:
        if suite.asks_judge:
            problem = "is missing: questions of this suite ask a judge, and models.yaml names no default one."
            raise InvalidInput("judge", problem, "Name a stored judge or a model.")
        return None
    stored = await judges.find_judge(connection, name)
    judge = stored.judge if stored else Judge(name, model=name)
    identity = _identify(catalogue, judge.model)
    if not suite.asks_judge:
        return None
    if identity in [_identify(catalogue, model) for model in models] and not request.allow_self_judging:
        problem = f"{name!r} judges with {judge.model}, which is one of the models under test."
        raise InvalidInput("judge", problem, "Name another judge, or set allow_self_judging.")
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

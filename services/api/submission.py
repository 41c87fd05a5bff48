"""Submitting a run over HTTP: the same request under the same key is accepted once, whatever its size."""

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType

from pydantic import SecretStr

from services.api.callbacks import seal_callback
from services.api.desk import Desk
from services.api.problems import KeyReused, TooManyRequests
from services.api.provider_keys import seal_provider_keys
from services.api.schemas.runs import RunRequest
from shared.db import audit, runs
from shared.db.judges import StoredJudge
from shared.db.pool import Connection
from shared.db.provider_keys import store_provider_keys
from shared.db.runs import Run
from shared.domain.questions.suites import fingerprint
from shared.domain.runs import RunKind
from shared.orders import CheckedOrder, Order, check_order, place_order

FULL_SECONDS = 60  # after which who was refused may try again
NO_KEYS: Mapping[str, SecretStr] = MappingProxyType({})


async def submit(
    desk: Desk,
    actor: str,
    request: RunRequest,
    idempotency_key: str | None,
    provider_keys: Mapping[str, SecretStr] = NO_KEYS,
) -> Run:
    """Accept a run and have it planned; the same request under the same key is accepted once.

    The run's own keys to providers are those that came with the request that was accepted.

    Raises:
        InvalidInput: what is asked for can't be run; the field says why.
        KeyReused: the key came with another request before.
        TooManyRequests: too much is open already.
    """
    request_hash = fingerprint(request.model_dump(mode="json"))
    callback = await seal_callback(desk, request.callback_url)
    async with desk.connection() as connection:
        if twin := await find_twin(connection, idempotency_key, request_hash):
            return twin
        checked = await check_order(connection, desk.catalogue, read_order(request))
        await _refuse_beyond_room(connection, desk.settings.max_open_pairs, checked)
        sealed = seal_provider_keys(desk, provider_keys, _list_asked(checked))
        async with connection.transaction():
            run_id = await place_order(
                connection,
                desk.settings,
                checked,
                RunKind(request.kind),
                idempotency_key=idempotency_key,
                request_hash=request_hash,
            )
            if run_id is not None:
                if callback is not None:
                    await callback.store(connection, run_id)
                await store_provider_keys(connection, run_id, sealed)
                facts = {"suite": request.suite, "models": checked.models, "own_keys_to": sorted(sealed)}
                await audit.record(connection, actor, "run.submitted", str(run_id), facts)
        if run_id is None:
            run = await find_twin(connection, idempotency_key, request_hash)
        else:
            run = await runs.find_run(connection, run_id)
    assert run is not None, "it is stored, by this request or by its twin"
    await desk.enqueue("plan_run", run.id)
    return run


async def _refuse_beyond_room(connection: Connection, most: int, checked: CheckedOrder) -> None:
    unfinished = await runs.count_unfinished_pairs(connection)
    if unfinished + checked.pairs > most:
        told = f"{unfinished:,} pairs are in runs that are not finished, and {most:,} may be."
        remedy = f"This run has {checked.pairs:,}: submit it when others are done."
        raise TooManyRequests(f"{told} {remedy}", headers={"Retry-After": str(FULL_SECONDS)})


def _list_asked(checked: CheckedOrder) -> list[str]:
    """Every model that such a run asks."""
    match checked.judge:
        case None:
            return checked.models
        case StoredJudge(judge=judge):
            return [*checked.models, judge.model]
        case judge:
            return [*checked.models, judge.model]


async def find_twin(connection: Connection, idempotency_key: str | None, request_hash: str) -> Run | None:
    """The run that came of the same request under the same key, if any."""
    if idempotency_key is None:
        return None
    twin = await runs.find_run_by_idempotency_key(connection, idempotency_key)
    if twin is not None and twin.request_hash != request_hash:
        raise KeyReused(f"This Idempotency-Key came with another request: run {twin.id}. Use a new key.")
    return twin


def read_order(request: RunRequest) -> Order:
    """What a request asks for, in the words that the scheduler shares."""
    return Order(
        suite=request.suite,
        suite_version=request.suite_version,
        models=request.models,
        judge=request.judge,
        prompt=request.prompt,
        repeats=request.repeats,
        sample=request.sample,
        max_cost_usd=None if request.max_cost_usd is None else Decimal(str(request.max_cost_usd)),
        labels=request.labels,
        git_commit=request.git_commit,
        allow_self_judging=request.allow_self_judging,
    )

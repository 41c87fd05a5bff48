"""Submitting a run over HTTP: the same request under the same key is accepted once, whatever its size."""

from decimal import Decimal

from services.api.desk import Desk
from services.api.problems import KeyReused
from services.api.schemas.runs import RunRequest
from shared.db import runs
from shared.db.pool import Connection
from shared.db.runs import Run
from shared.domain.runs import RunKind
from shared.domain.suites import fingerprint
from shared.orders import Order, check_order, place_order


async def submit(desk: Desk, request: RunRequest, idempotency_key: str | None) -> Run:
    """Accept a run and have it planned; the same request under the same key is accepted once.

    Raises:
        InvalidInput: what is asked for can't be run; the field says why.
        KeyReused: the key came with another request before.
    """
    request_hash = fingerprint(request.model_dump(mode="json"))
    async with desk.connection() as connection:
        if twin := await find_twin(connection, idempotency_key, request_hash):
            return twin
        run_id = await place_order(
            connection,
            desk.settings,
            await check_order(connection, desk.catalogue, read_order(request)),
            RunKind(request.kind),
            idempotency_key=idempotency_key,
            request_hash=request_hash,
        )
        if run_id is None:
            run = await find_twin(connection, idempotency_key, request_hash)
        else:
            run = await runs.find_run(connection, run_id)
    assert run is not None, "it is stored, by this request or by its twin"
    await desk.enqueue("plan_run", run.id)
    return run


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
        repeats=request.repeats,
        sample=request.sample,
        max_cost_usd=None if request.max_cost_usd is None else Decimal(str(request.max_cost_usd)),
        labels=request.labels,
        git_commit=request.git_commit,
        allow_self_judging=request.allow_self_judging,
    )

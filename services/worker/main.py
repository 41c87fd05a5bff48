"""The whole worker on one screen: the jobs it knows, what it opens, how it runs."""

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any
from uuid import UUID

import structlog
from arq.worker import Retry
from redis.exceptions import RedisError
from structlog.contextvars import bound_contextvars

from services.worker.anchors import judge_anchors as judge
from services.worker.bench import Bench
from services.worker.check import check_models as check
from services.worker.claim import ClaimingWorker
from services.worker.evaluate import TryAgain, Turn
from services.worker.evaluate import evaluate_pair as evaluate
from services.worker.finalize import finalize_and_tell
from services.worker.finalize import finalize_run as finalize
from services.worker.giving_up import give_model_up
from services.worker.openai_route import use_transport
from services.worker.pace import Allowance, Pace
from services.worker.plan import plan_run as plan
from services.worker.probe import probe_identity as probe
from services.worker.provider import warm_up
from services.worker.stop import stop_for_budget
from services.worker.stop import stop_run as stop
from services.worker.writes import ResultWriter
from shared import metrics
from shared.db.pool import DATABASE_ERRORS, open_pool
from shared.domain.runs import PairKey, RunId
from shared.health import Vitals, serve_probes
from shared.models import Catalogue
from shared.queue import open_redis
from shared.redis_pool import check_redis
from shared.secrets import open_vault
from shared.settings import Settings

DATABASE_RETRY_SECONDS = 5.0

log = structlog.get_logger()
Context = dict[Any, Any]


async def evaluate_pair(ctx: Context, run_id: str, model: str, question_id: int, repeat: int) -> None:
    with bound_contextvars(run=run_id, model=model, question_id=question_id, repeat=repeat):
        key = PairKey(RunId(UUID(run_id)), model, question_id, repeat)
        turn = Turn(ctx["job_try"], partial(ctx["worker"].pass_on, key))
        async with _retrying():
            await evaluate(ctx["bench"], key, turn)


async def plan_run(ctx: Context, run_id: str) -> None:
    async with _retrying():
        await plan(ctx["bench"].pool, ctx["redis"], RunId(UUID(run_id)))


async def stop_run(ctx: Context, run_id: str) -> None:
    async with _retrying():
        await stop(ctx["bench"].pool, ctx["redis"], RunId(UUID(run_id)))


async def finalize_run(ctx: Context, run_id: str) -> None:
    async with _retrying():
        await finalize(ctx["bench"].pool, RunId(UUID(run_id)))


async def probe_identity(ctx: Context, run_id: str) -> None:
    async with _retrying():
        await probe(ctx["bench"].pool, ctx["bench"].catalogue, RunId(UUID(run_id)))


async def judge_anchors(ctx: Context, run_id: str, repeats: int = 1) -> None:
    async with _retrying():
        await judge(ctx["bench"], ctx["redis"], RunId(UUID(run_id)), repeats)


async def check_models(ctx: Context, check_id: str, models: list[str]) -> None:
    await check(ctx["bench"].catalogue, ctx["redis"], check_id, models)


@asynccontextmanager
async def _retrying() -> AsyncIterator[None]:
    """What may pass becomes arq's Retry; arq gives up on everything else."""
    try:
        yield
    except TryAgain as again:
        raise Retry(defer=again.seconds) from again
    except (*DATABASE_ERRORS, RedisError) as error:
        log.warning("job.database_is_away", error=repr(error))
        raise Retry(defer=DATABASE_RETRY_SECONDS) from error


@asynccontextmanager
async def open_worker(settings: Settings, *, burst: bool = False) -> AsyncIterator[ClaimingWorker]:
    """Open all that a worker needs, close it in reverse. In burst mode it ends when no job is left."""
    catalogue = Catalogue.load(settings.models_file, os.environ)
    use_transport(settings.transport)
    _expect_calls(catalogue)
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(open_pool(settings))
        redis = await stack.enter_async_context(open_redis(settings.redis_url.get_secret_value()))

        async def stop_spent(run_id: RunId) -> None:
            async with pool.acquire() as connection:
                await stop_for_budget(connection, redis, run_id)

        def allowance_of(model: str) -> Allowance:
            return Allowance(
                catalogue.max_parallel_requests(model) or settings.model_slots,
                *catalogue.per_minute(model),
            )

        writer = ResultWriter(pool, on_closed=partial(finalize_and_tell, pool, redis), on_spent=stop_spent)
        await stack.enter_async_context(writer.writing())
        pace = Pace(allowance_of, settings.outage_patience_seconds)
        bench = Bench(settings, catalogue, pool, redis, pace, writer, open_vault(settings))
        yield ClaimingWorker(
            [evaluate_pair, plan_run, stop_run, finalize_run, judge_anchors, probe_identity, check_models],
            redis=redis,
            pace=pace,
            on_given_up=partial(give_model_up, bench),
            max_jobs=settings.worker_slots,
            drain_seconds=settings.drain_seconds,
            burst=burst,
            handle_signals=not burst,
            ctx={"bench": bench},
        )


def _expect_calls(catalogue: Catalogue) -> None:
    judges = [catalogue.default_judge] if catalogue.default_judge else []
    for role, models in (("answer", catalogue.names()), ("judge", judges)):
        priced = [name for name in models if catalogue.resolve(name).prices is not None]
        metrics.expect(role, models, priced=priced)


async def run(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM, then drain."""
    await check_redis(settings.redis_url.get_secret_value())
    async with open_worker(settings) as worker:
        await warm_up()
        vitals = Vitals(
            worker.ctx["bench"].pool, worker.pool, worker.pulse, lambda: not worker.allow_pick_jobs
        )
        log.info("worker.started", slots=settings.worker_slots, metrics_port=serve_probes(settings, vitals))
        await worker.main()
        await worker.close()

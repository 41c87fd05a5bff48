"""Having stored answers scored again by another judge: no model is asked, and the original stays as it is."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from uuid import UUID, uuid4

from pydantic import SecretStr

from services.api.desk import Desk
from services.api.lookup import find_run
from services.api.problems import NotFound, Problem
from services.api.provider_keys import seal_provider_keys
from services.api.schemas.rejudging import RejudgeNightsRequest, RejudgeRequest
from services.api.submission import find_twin
from shared.db import audit, judges, rejudging, retention, runs, schedules
from shared.db.judges import StoredJudge
from shared.db.pool import Connection
from shared.db.provider_keys import store_provider_keys
from shared.db.runs import NewRun, Run
from shared.domain.answers.judging import Judge
from shared.domain.errors import InvalidInput
from shared.domain.questions.suites import fingerprint
from shared.domain.runs import RunId, RunKind, RunState
from shared.models import Catalogue
from shared.orders import CLIENT_VERSIONS, choose_judge


class NotRejudgeable(Problem):
    status, title = HTTPStatus.CONFLICT, "Not rejudgeable"


async def rejudge_run(
    desk: Desk,
    actor: str,
    run_id: UUID,
    request: RejudgeRequest,
    idempotency_key: str | None,
    provider_keys: Mapping[str, SecretStr],
) -> Run:
    """Store a run in which the judge scores a completed run's answers, and have it planned.

    Raises:
        NotFound, NotRejudgeable: there is no such run, or nothing in it for a judge to score.
        InvalidInput: the judge can't be this one.
        KeyReused: the key came with another request before.
    """
    request_hash = fingerprint({"rejudges": str(run_id), **request.model_dump(mode="json")})
    async with desk.connection() as connection, connection.transaction():
        if twin := await find_twin(connection, idempotency_key, request_hash):
            return twin
        source = await find_run(connection, run_id)
        _refuse_unjudged(source)
        judge = await _settle_judge(desk, connection, request, source.models)
        sealed = seal_provider_keys(desk, provider_keys, [judge.judge.model])
        rerun = await _store_rerun(connection, source, judge, idempotency_key, request_hash)
        await store_provider_keys(connection, rerun.id, sealed)
        facts = {"judge": judge.judge.name, "judge_version": judge.version, "rerun": str(rerun.id)}
        await audit.record(connection, actor, "run.rejudged", str(source.id), facts)
    await desk.enqueue("plan_run", rerun.id)
    return rerun


async def rejudge_nights(desk: Desk, actor: str, name: str, request: RejudgeNightsRequest) -> list[Run]:
    """Store such a run for each run of a schedule's last nights that does not count as scored by the judge.

    Where the judge is at it already, that run is named instead; so asking twice is paid for once.
    """
    async with desk.connection() as connection, connection.transaction():
        schedule = await schedules.find_schedule(connection, name)
        if schedule is None:
            raise NotFound(f"There is no schedule {name!r}.")
        await schedules.lock_schedule(connection, schedule.id)
        judge = await _settle_judge(desk, connection, request, schedule.models or ())
        reruns = []
        for entry in await rejudging.list_unscored_by(connection, schedule.id, judge.id, request.nights):
            if entry.rerun_id is not None:
                reruns.append(await find_run(connection, entry.rerun_id))
                continue
            source = await find_run(connection, entry.run_id)
            await _settle_judge(desk, connection, request, source.models)
            reruns.append(await _store_rerun(connection, source, judge, None, ""))
        facts = {"judge": judge.judge.name, "judge_version": judge.version, "runs": len(reruns)}
        await audit.record(connection, actor, "schedule.rejudged", name, facts)
    for rerun in reruns:
        await desk.enqueue("plan_run", rerun.id)
    return reruns


def _refuse_unjudged(source: Run) -> None:
    if source.state is not RunState.COMPLETED:
        raise NotRejudgeable(f"Run {source.id} is {source.state}. Only a completed run can be judged again.")
    if source.kind is RunKind.IMPORTED:
        raise NotRejudgeable(f"Run {source.id} is imported: its answers were graded elsewhere.")
    if source.judge_id is None:
        raise NotRejudgeable(f"No question of run {source.id} asks a judge: its scores depend on none.")


async def _settle_judge(
    desk: Desk, connection: Connection, request: RejudgeRequest, models: Sequence[str]
) -> StoredJudge:
    """The judge, if it is not among those of the models that are still known."""
    known = [model for model in models if _is_known(desk.catalogue, model)]
    judge = await choose_judge(
        connection, desk.catalogue, request.judge, known, allow_self_judging=request.allow_self_judging
    )
    return await judges.store_judge(connection, judge) if isinstance(judge, Judge) else judge


def _is_known(catalogue: Catalogue, model: str) -> bool:
    try:
        catalogue.resolve(model)
    except InvalidInput:
        return False
    return True


async def _store_rerun(
    connection: Connection, source: Run, judge: StoredJudge, idempotency_key: str | None, request_hash: str
) -> Run:
    """All but the judge is the source's own, its allowance too. Answers that were copied have one source."""
    new = NewRun(
        id=RunId(uuid4()),
        kind=RunKind.RERUN,
        suite_version_id=source.suite_version_id,
        judge_id=judge.id,
        prompt_id=source.prompt_id,
        models=source.models,
        repeats=source.repeats,
        sample=source.sample,
        parameters=source.parameters,
        max_cost_usd=source.max_cost_usd,
        labels=source.labels,
        git_commit=source.git_commit,
        client_versions=CLIENT_VERSIONS,
        idempotency_key=idempotency_key,
        request_hash=request_hash,
        rejudges=source.rejudges or source.id,
    )
    stored = await runs.submit_run(connection, new)
    if stored is None:
        twin = await find_twin(connection, idempotency_key, request_hash)
        assert twin is not None, "only its key can have been taken"
        return twin
    # Asked now, since nobody removes answers of a run that an open run judges again.
    if await retention.has_lost_texts(connection, new.rejudges or source.id):
        raise NotRejudgeable(
            f"The answers of run {source.id} were removed by their age: only their scores are left."
            " DRIFTWARDEN_KEEP_RESPONSES_DAYS, or `driftwarden prune`, says how long they are kept."
        )
    return await find_run(connection, stored)

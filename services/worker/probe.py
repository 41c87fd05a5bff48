"""The probe: each model of a night is asked who it is. Nothing waits for it; without it that is unknown."""

import asyncio

import structlog

from services.worker.check import check_model
from shared.db import identity
from shared.db.identity import Probe
from shared.db.pool import Pool
from shared.domain.runs import RunId
from shared.models import Catalogue

log = structlog.get_logger()


async def probe_identity(pool: Pool, catalogue: Catalogue, run_id: RunId) -> None:
    """Ask those models of a run that were not asked yet, all at once; that one failed is stored, too."""
    async with pool.acquire() as connection:
        models = await identity.list_unprobed(connection, run_id)
    if not models:
        return
    async with asyncio.TaskGroup() as tasks:
        asked = [tasks.create_task(_probe(catalogue, model)) for model in models]
    probes = [task.result() for task in asked]
    async with pool.acquire() as connection:
        await identity.store_probes(connection, run_id, probes)
    failed = sum(probe.error is not None for probe in probes)
    log.info("run.probed", run=str(run_id), models=len(probes), failed=failed)


async def _probe(catalogue: Catalogue, model: str) -> Probe:
    finding = await check_model(catalogue, model)
    return Probe(
        model,
        says_it_is=_text(finding.get("says_it_is")),
        served_model=_text(finding.get("served_model")),
        system_fingerprint=_text(finding.get("system_fingerprint")),
        error=_text(finding["error"]),
    )


def _text(value: object) -> str | None:
    return str(value) if value else None

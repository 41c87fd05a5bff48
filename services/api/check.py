"""The connection test: a worker asks the models, for only workers speak to providers; we wait for it here."""

import asyncio
import time
from collections.abc import Sequence
from uuid import uuid4

import orjson
from redis.exceptions import RedisError

from services.api.desk import Desk
from services.api.problems import Unavailable
from services.api.schemas.models import CheckedModel
from shared.queue import check_key, enqueue_check

WAIT_SECONDS = 90.0
LOOK_SECONDS = 0.2


async def check_models(
    desk: Desk, models: Sequence[str], wait_seconds: float = WAIT_SECONDS
) -> list[CheckedModel]:
    """Have every model asked who it is; one that no worker has told of in time is reported as such.

    Raises:
        Unavailable: Redis, over which the workers are reached, does not answer.
    """
    check_id = str(uuid4())
    try:
        await enqueue_check(desk.redis, check_id, models, wait_seconds)
        found = await _collect(desk, check_id, set(models), wait_seconds)
    except (RedisError, OSError) as error:
        raise Unavailable("Redis does not answer, so no worker can be asked. See /readyz.") from error
    return [found.get(model) or _missing(model, wait_seconds) for model in models]


async def _collect(
    desk: Desk, check_id: str, wanted: set[str], wait_seconds: float
) -> dict[str, CheckedModel]:
    """Take findings as they come. A blocking pop would keep one of the few connections for all that time."""
    found: dict[str, CheckedModel] = {}
    deadline = time.monotonic() + wait_seconds
    while found.keys() != wanted and time.monotonic() < deadline:
        for finding in await desk.redis.lpop(check_key(check_id), len(wanted)) or ():  # type: ignore[misc]
            checked = CheckedModel.model_validate(orjson.loads(finding))
            found[checked.model] = checked
        if found.keys() != wanted:
            await asyncio.sleep(LOOK_SECONDS)
    return found


def _missing(model: str, wait_seconds: float) -> CheckedModel:
    error = f"no worker answered within {wait_seconds:g} s. Is one running?"
    return CheckedModel(model=model, ok=False, error_kind="no_worker", error=error)

"""The connection test: does each model answer, and who does it say it is?"""

import asyncio
import os
from collections.abc import Sequence

import orjson
from arq.connections import ArqRedis

from services.worker.provider import Permanent, Transient, complete
from shared.domain.errors import ErrorKind, InvalidInput
from shared.domain.questions.suites import Json
from shared.models import Catalogue
from shared.queue import check_key

QUESTION = [{"role": "user", "content": "Which language model are you, and who made you? One sentence."}]
ANSWER_TOKENS = 60
TIMEOUT_SECONDS = 30.0
KEPT_SECONDS = 600


async def check_models(catalogue: Catalogue, redis: ArqRedis, check_id: str, models: Sequence[str]) -> None:
    """Ask every model who it is, all at once, and push each finding to the list that the asker waits on."""

    async def check(model: str) -> None:
        finding = orjson.dumps(await check_model(catalogue, model))
        async with redis.pipeline() as pipe:
            pipe.rpush(check_key(check_id), finding)
            pipe.expire(check_key(check_id), KEPT_SECONDS)
            await pipe.execute()

    async with asyncio.TaskGroup() as tasks:
        for model in models:
            tasks.create_task(check(model))


async def check_model(catalogue: Catalogue, name: str) -> dict[str, Json]:
    """Ask one model; a failure is a finding, too. What a model says it is proves nothing by itself."""
    try:
        model = catalogue.resolve(name)
        answer = await complete(
            QUESTION,
            {"max_tokens": ANSWER_TOKENS, "temperature": 0, **model.call_parameters(os.environ)},
            model.timeout_seconds or TIMEOUT_SECONDS,
        )
    except InvalidInput as fault:
        return {"model": name, "ok": False, "error_kind": "configuration", "error": str(fault)}
    except (Transient, Permanent) as fault:
        return {"model": name, "ok": False, "error_kind": fault.kind, "error": fault.detail}
    said = answer.response.strip()
    return {
        "model": name,
        "ok": bool(said),
        "error": None if said else f"It returned no text (finish reason: {answer.finish_reason}).",
        "error_kind": None if said else ErrorKind.EMPTY,
        "latency_seconds": round(answer.latency_seconds, 4),
        "served_model": answer.served_model,
        "system_fingerprint": answer.system_fingerprint,
        "says_it_is": said,
    }

"""/healthz, /readyz and /metrics of a process that has no HTTP server of its own.

They are answered by a thread beside the event loop, so that a loop that is stuck can still be told.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from socket import AF_INET6
from socketserver import ThreadingMixIn
from threading import Thread
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import orjson
from arq.connections import ArqRedis
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from redis.exceptions import RedisError

from shared.db.pool import DATABASE_ERRORS, Pool
from shared.metrics import tell_build
from shared.settings import Settings

READY_SECONDS = 2.0  # within which PostgreSQL and Redis are to answer
STUCK_SECONDS = 60.0  # longer than any turn of a loop takes, with Redis away and each attempt timing out

OK = "ok"
ADVICE = {
    "database": "See whether PostgreSQL runs and DATABASE_URL leads to it. What was written is safe.",
    "redis": "See whether Redis runs and REDIS_URL leads to it. Work waits and goes on by itself.",
    "process": "See its log; /healthz tells whether it has to be restarted.",
}


class Pulse:
    """When the loops of a process last made a turn."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._turned_at: dict[str, float] = {}

    def beat(self, loop_name: str) -> None:
        self._turned_at[loop_name] = self._clock()

    def stuck(self) -> dict[str, float]:
        """The loops that have not turned for STUCK_SECONDS, and for how many seconds they have not."""
        now = self._clock()
        still = {name: now - turned_at for name, turned_at in self._turned_at.copy().items()}
        return {name: seconds for name, seconds in still.items() if seconds > STUCK_SECONDS}


@dataclass(frozen=True, slots=True)
class Vitals:
    """What is asked of a process: it is made in the event loop that it is about."""

    pool: Pool
    redis: ArqRedis
    pulse: Pulse
    is_draining: Callable[[], bool] = lambda: False
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)


async def ask_database(pool: Pool) -> str:
    """`ok`, or why PostgreSQL, migrated, does not answer within READY_SECONDS."""

    async def ask() -> None:
        async with pool.acquire() as connection:
            await connection.fetchval("SELECT 1 FROM runs LIMIT 1")

    return await _ask(ask())


async def ask_redis(redis: ArqRedis) -> str:
    """`ok`, or why Redis does not answer within READY_SECONDS."""
    return await _ask(redis.ping())


async def _ask(question: Awaitable[object]) -> str:
    try:
        async with asyncio.timeout(READY_SECONDS):
            await question
    except TimeoutError:
        return f"no answer within {READY_SECONDS:g} s"
    except (*DATABASE_ERRORS, RedisError) as error:
        return f"{type(error).__name__}: {error}"
    return OK


def serve_probes(settings: Settings, vitals: Vitals) -> int:
    """Serve /healthz, /readyz and /metrics on DRIFTWARDEN_METRICS_PORT; return the port that it has."""
    tell_build()
    kind = _SixServer if ":" in settings.host else _Server
    server = make_server(settings.host, settings.metrics_port, _answer_about(vitals), kind, _Silent)
    Thread(target=server.serve_forever, daemon=True, name="probes").start()
    return int(server.server_port)


def tell_health(vitals: Vitals) -> tuple[int, dict[str, Any]]:
    """Whether the process lives: its loops turn. A database that is away is no reason to restart it."""
    if not (stuck := vitals.pulse.stuck()):
        return 200, {"status": OK}
    told = ", ".join(f"{name} for {seconds:.0f} s" for name, seconds in sorted(stuck.items()))
    return _problem("Stuck", f"These loops have made no progress: {told}. Restart the process.", {})


def tell_readiness(vitals: Vitals) -> tuple[int, dict[str, Any]]:
    """Whether the process can work: PostgreSQL and Redis answer it, and it was not told to stop."""
    if vitals.is_draining():
        told = "It was told to stop: it finishes what it has begun and takes nothing new."
        return _problem("Not ready", told, {"process": "draining"})
    parts = {"process": OK, **_ask_from_outside(vitals)}
    if wrong := [part for part, state in parts.items() if state != OK]:
        told = " ".join(
            f"{part} does not answer: {parts[part].rstrip('.')}. {ADVICE[part]}" for part in wrong
        )
        return _problem("Not ready", told[0].upper() + told[1:], parts)
    return 200, parts


def _ask_from_outside(vitals: Vitals) -> Mapping[str, str]:
    """Have the event loop ask both, from another thread; it may be too busy to do so."""

    async def ask_both() -> dict[str, str]:
        database, redis = await asyncio.gather(ask_database(vitals.pool), ask_redis(vitals.redis))
        return {"database": database, "redis": redis}

    asking: Future[dict[str, str]] = asyncio.run_coroutine_threadsafe(ask_both(), vitals.loop)
    try:
        return asking.result(READY_SECONDS + 1)
    except TimeoutError:
        asking.cancel()
        return {"process": f"its event loop has not turned for {READY_SECONDS + 1:g} s"}


def _problem(title: str, detail: str, parts: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
    return 503, {"type": "about:blank", "title": title, "status": 503, "detail": detail, **parts}


def _answer_about(vitals: Vitals) -> Callable[[Mapping[str, Any], Any], Iterable[bytes]]:
    probes = {"/healthz": tell_health, "/readyz": tell_readiness}

    def answer(environment: Mapping[str, Any], start_response: Any) -> Iterable[bytes]:
        path = environment["PATH_INFO"]
        if path == "/metrics":
            start_response("200 OK", [("Content-Type", CONTENT_TYPE_LATEST)])
            return [generate_latest()]
        if path not in probes:
            start_response("404 Not Found", [("Content-Type", "text/plain")])
            return [b"Here are /healthz, /readyz and /metrics.\n"]
        status, told = probes[path](vitals)
        kind = "application/json" if status == 200 else "application/problem+json"
        start_response("200 OK" if status == 200 else "503 Service Unavailable", [("Content-Type", kind)])
        return [orjson.dumps(told)]

    return answer


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _SixServer(_Server):
    address_family = AF_INET6


class _Silent(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass

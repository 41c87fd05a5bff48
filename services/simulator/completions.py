"""POST /v1/chat/completions: the path that every simulated call takes, so a bare ASGI application."""

import time
from uuid import uuid4

from starlette.types import Receive, Scope, Send

from services.simulator import faults
from services.simulator.fleet import Malformed, Silence
from services.simulator.simulation import Simulation
from services.simulator.wire import Completion, Fault, Headers, read_request


class ChatCompletions:
    """Answers one request; a client that hangs up meanwhile is counted as abandoned."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        reply = await self._reply(scope, receive)
        if reply is not None:
            await _send(send, reply)

    async def _reply(self, scope: Scope, receive: Receive) -> Completion | Fault | Malformed | None:
        """What to send; None: nobody is there any more."""
        fleet = self._simulation.fleet
        if scope["method"] != "POST":
            return faults.not_a_post()
        if not _may_ask(scope, fleet.config.api_key):
            return faults.wrong_key()
        request = read_request(await _body(receive))
        if isinstance(request, Fault):
            return request
        refusal = fleet.refuse(request, time.monotonic())
        if refusal is not None:
            fleet.count_reply(request.model, refusal)
            return refusal
        with fleet.visit(request.model):
            planned = fleet.plan(request)
            seconds = None if isinstance(planned, Silence) else planned.wait_seconds
            if seconds != 0 and not await self._simulation.is_client_there_after(seconds, receive):
                fleet.count_abandoned(request.model)
                return None
            if isinstance(planned, Silence):
                return faults.stopping()
            fleet.count_reply(request.model, planned.reply)
            return planned.reply


def _may_ask(scope: Scope, api_key: str | None) -> bool:
    if api_key is None:
        return True
    return (b"authorization", f"Bearer {api_key}".encode()) in scope["headers"]


async def _body(receive: Receive) -> bytes:
    body: bytes = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body


async def _send(send: Send, reply: Completion | Fault | Malformed) -> None:
    request_id = uuid4().hex
    status = 200
    headers: Headers = [(b"content-type", b"application/json"), (b"x-request-id", request_id.encode())]
    match reply:
        case Completion():
            body = reply.encode(request_id, int(time.time()))
        case Fault():
            status, body = reply.status, reply.encode()
            headers += reply.headers()
        case Malformed():
            body = reply.body
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})

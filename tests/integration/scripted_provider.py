"""A provider on a socket that sends exactly the bytes a test wants, and keeps what it was sent."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Send: TypeAlias = Callable[[asyncio.StreamWriter], Any]


@dataclass(slots=True)
class Request:
    path: str
    headers: dict[str, str]
    body: Any


@dataclass(slots=True)
class ScriptedProvider:
    """`script` writes the reply to each request; the connection stays open if it returns True."""

    script: Send
    url: str = ""
    requests: list[Request] = field(default_factory=list)
    server: asyncio.Server | None = None

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                self.requests.append(Request(head[0].split()[1], headers, json.loads(body) if body else None))
                if not await self.script(writer):
                    return
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


def http(
    status: int, body: bytes | str | Mapping[str, Any], content_type: str = "application/json", **headers: str
) -> Send:
    """A whole reply; an underscore in a header's name stands for a hyphen."""
    content = (
        body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
    )
    lines = {"content-type": content_type, "content-length": str(len(content)), **headers}
    head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in lines.items())

    async def send(writer: asyncio.StreamWriter) -> bool:
        writer.write(f"HTTP/1.1 {status} Scripted\r\n{head}\r\n".encode() + content)
        return True

    return send


def raw(*parts: bytes, seconds_between: float = 0.0) -> Send:
    """These bytes, and then the end of the connection."""

    async def send(writer: asyncio.StreamWriter) -> bool:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(seconds_between)
        return False

    return send


async def reset(writer: asyncio.StreamWriter) -> bool:
    writer.transport.abort()
    return False


async def hang(writer: asyncio.StreamWriter) -> bool:
    await asyncio.sleep(3600)
    return False


@asynccontextmanager
async def serve_script(script: Send) -> AsyncIterator[ScriptedProvider]:
    provider = ScriptedProvider(script)
    conversations: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        conversations.add(asyncio.create_task(provider.converse(reader, writer)))

    provider.server = await asyncio.start_server(accept, "127.0.0.1", 0, limit=2**20)
    host, port = provider.server.sockets[0].getsockname()[:2]
    provider.url = f"http://{host}:{port}/v1"
    try:
        yield provider
    finally:
        provider.server.close()
        for task in conversations:
            task.cancel()
        await asyncio.gather(*conversations, return_exceptions=True)

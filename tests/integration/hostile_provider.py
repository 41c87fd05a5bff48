"""A provider that means no good: it says any bytes at all, at any pace, in place of an answer."""

import asyncio
import gzip
import json
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

Say = Callable[[asyncio.StreamWriter], Awaitable[None]]

GOOD: dict[str, Any] = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "42"}}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
}
LARGE = 5_000_000


class HostileProvider:
    """Says `reply` to whoever asks. `asked` are the heads of requests, `url` is where it listens."""

    def __init__(self) -> None:
        self.url = ""
        self.reply: bytes | Say = speak(GOOD)
        self.asked: list[str] = []

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.asked.append(head)
            lines = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if line)
            await reader.readexactly(int(lines.get("content-length", "0")))
            if callable(self.reply):
                await self.reply(writer)
            else:
                writer.write(self.reply)
            await writer.drain()
        writer.close()


@asynccontextmanager
async def open_hostile_provider() -> AsyncIterator[HostileProvider]:
    provider = HostileProvider()
    server = await asyncio.start_server(provider.answer, "127.0.0.1", 0)
    provider.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    try:
        yield provider
    finally:
        server.close()


def speak(
    body: object = b"", status: str = "200 OK", content_type: str = "application/json", **headers: str
) -> bytes:
    """A reply in HTTP; a body that isn't bytes is sent as JSON, halves of surrogate pairs and all."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {content_type}", f"Content-Length: {len(content)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode() + content


def changed(**fields: Any) -> dict[str, Any]:
    return {**GOOD, **fields}


def without(field: str) -> dict[str, Any]:
    return {name: value for name, value in GOOD.items() if name != field}


def choosing(**fields: Any) -> dict[str, Any]:
    return changed(choices=[{**GOOD["choices"][0], **fields}])


def saying(**fields: Any) -> dict[str, Any]:
    return choosing(message={**GOOD["choices"][0]["message"], **fields})


def counting(prompt_tokens: Any, completion_tokens: Any) -> dict[str, Any]:
    return changed(
        usage={"prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens, "total_tokens": 1}
    )


def refuse(message: object, status: str = "400 Bad Request", **headers: str) -> bytes:
    return speak({"error": {"message": message}}, status, **headers)


def swell(megabytes: int) -> bytes:
    """A good reply whose answer is so many megabytes, in a thousandth of that on the wire."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    begin, end = json.dumps(saying(content="CUT")).encode().split(b"CUT")
    packed = [packer.compress(begin)]
    packed += [packer.compress(b"a" * 10**6) for _ in range(megabytes)]
    return speak(b"".join([*packed, packer.compress(end), packer.flush()]), Content_Encoding="gzip")


def keep_saying(piece: bytes, head: bytes, pause_seconds: float) -> Say:
    async def say(writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while True:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause_seconds)

    return say


async def say_nothing(_: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


_JSON_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"

ODD_FIELDS: dict[str, object] = {
    "nothing": b"",
    "null": None,
    "a list": [],
    "a text": "x",
    "a number": 1,
    "an empty object": {},
    "no choices": without("choices"),
    "no usage": without("usage"),
    "no model": without("model"),
    "no id": without("id"),
    "choices empty": changed(choices=[]),
    "choices null": changed(choices=None),
    "choices text": changed(choices="x"),
    "choices object": changed(choices={"0": 1}),
    "choice null": changed(choices=[None]),
    "a thousand choices": changed(choices=GOOD["choices"] * 1000),
    "no message": changed(choices=[{"index": 0, "finish_reason": "stop"}]),
    "message text": choosing(message="hi"),
    "content null": saying(content=None),
    "content number": saying(content=7),
    "content true": saying(content=True),
    "content list": saying(content=[{"type": "text", "text": "hi"}]),
    "content object": saying(content={"a": 1}),
    "content surrogate and NUL": saying(content="a\ud800b\x00c"),
    "content bidi and zero-width": saying(content="\u202e\u2066\u200b\ufeff42"),
    "role number": saying(role=7),
    "tool calls text": saying(content=None, tool_calls="x"),
    "tool calls odd": saying(content=None, tool_calls=[{"id": 1}]),
    "refusal number": saying(content=None, refusal=5),
    "reasoning object": saying(reasoning_content={"a": 1}),
    "annotations text": saying(annotations="x"),
    "finish number": choosing(finish_reason=7),
    "finish list": choosing(finish_reason=["stop"]),
    "finish surrogate": choosing(finish_reason="st\ud800op\x00"),
    "finish long": choosing(finish_reason="x" * 20_000),
    "model number": changed(model=7),
    "model list": changed(model=["x"]),
    "model object": changed(model={"a": 1}),
    "model surrogate and NUL": changed(model="m\ud800\x00"),
    "model long": changed(model="x" * 20_000),
    "id number": changed(id=7),
    "id object": changed(id={"a": 1}),
    "id surrogate and NUL": changed(id="m\ud800\x00"),
    "fingerprint number": changed(system_fingerprint=7),
    "fingerprint list": changed(system_fingerprint=[1]),
    "fingerprint surrogate and NUL": changed(system_fingerprint="f\ud800\x00"),
    "usage null": changed(usage=None),
    "usage text": changed(usage="x"),
    "usage list": changed(usage=[]),
    "usage details odd": changed(usage={**GOOD["usage"], "prompt_tokens_details": "x"}),
    "tokens text": counting("3", "x"),
    "tokens null": counting(None, None),
    "tokens true": counting(True, False),
    "tokens negative": counting(-3, -1),
    "tokens beyond an integer": counting(2**31, 2**63),
    "tokens beyond any integer": counting(2**80, 10**400),
    "tokens broken": counting(1.5, 1e300),
    "error in a 200": {"error": {"message": "in a 200"}},
    "NaN": json.dumps(GOOD).replace("5}", "NaN}").encode(),
    "digits without end": json.dumps(GOOD).replace("5}", "9" * 10_000 + "}").encode(),
    "deep lists": b'{"choices":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "deep objects": b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    "cut off": json.dumps(GOOD).encode()[:-9],
    "not UTF-8": b'{"x":"\xff\xfe"}',
    "UTF-16": json.dumps(GOOD).encode("utf-16"),
}

_CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: application/json\r\n\r\n"

ODD_REPLIES: dict[str, bytes] = {
    "HTML": speak(b"<html><h1>502</h1></html>", content_type="text/html"),
    "an image": speak(b"\x89PNG\r\n", content_type="image/png"),
    "plain text": speak(GOOD, content_type="text/plain"),
    "unknown charset": speak(GOOD, content_type="application/json; charset=nonsense"),
    "events": speak(b"data: {}\n\ndata: [DONE]\n\n", content_type="text/event-stream"),
    "no content type": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}",
    "fewer bytes than announced": speak(GOOD)[:-10],
    "no HTTP": b"SSH-2.0-OpenSSH_9.6\r\n",
    "noise": b"\x00\xff" * 100,
    "hanging up": b"",
    "no status": b"HTTP/1.1 abc\r\n\r\n",
    "status 99": speak(GOOD, "99 x"),
    "status 204": b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n",
    "status 304": b"HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n",
    "status 418": refuse("teapot", "418 Teapot"),
    "status 1000": speak(GOOD, "1000 x"),
    "broken chunks": _CHUNKED + b"zz\r\n",
    "5,000 headers": b"HTTP/1.1 200 OK\r\n" + b"X-A: y\r\n" * 5000 + b"\r\n{}",
    "a header of 2 MB": b"HTTP/1.1 200 OK\r\nX: " + b"y" * 2 * 10**6 + b"\r\n\r\n{}",
    "no gzip": speak(b"no gzip", Content_Encoding="gzip"),
    "half a gzip": speak(gzip.compress(json.dumps(GOOD).encode())[:-9], Content_Encoding="gzip"),
    "unknown encoding": speak(GOOD, Content_Encoding="zork"),
    "error object": refuse({"a": [1]}),
    "error text": speak({"error": "no"}, "400 Bad Request"),
    "error null": speak({"error": None}, "400 Bad Request"),
    "error empty": speak(b"", "400 Bad Request"),
    "error surrogate and NUL": refuse("a\ud800\x00"),
    "error with line breaks": refuse('x\n{"event": "forged"}\r\n\x1b[2J'),
    "Retry-After soon": refuse("x", "429 Too Many", Retry_After="soon"),
    "Retry-After inf": refuse("x", "429 Too Many", Retry_After="inf"),
    "Retry-After NaN": refuse("x", "429 Too Many", Retry_After="nan"),
    "Retry-After negative": refuse("x", "429 Too Many", Retry_After="-5"),
    "Retry-After huge": refuse("x", "429 Too Many", Retry_After="1e300"),
    "Retry-After 503": refuse("x", "503 Busy", Retry_After="-1e999"),
}

ENDLESS: dict[str, Say] = {
    "silence": say_nothing,
    "a byte now and then": keep_saying(b"x", _JSON_HEAD + b'{"a":"', 0.05),
    "spaces": keep_saying(b" " * 1000, _JSON_HEAD, 0.05),
    "headers": keep_saying(b"X: y\r\n", b"HTTP/1.1 200 OK\r\n", 0.05),
    "100 Continue": keep_saying(b"HTTP/1.1 100 Continue\r\n\r\n", b"", 0.01),
}
TORRENT = keep_saying(b"x" * 10**6, _JSON_HEAD + b'{"a":"', 0.0)

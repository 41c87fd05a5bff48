"""Results as a file: written while they are read, so that their number does not matter."""

import asyncio
import csv
import io
import re
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from typing import Any

import orjson
from anyio import CancelScope
from starlette.responses import StreamingResponse
from starlette.types import Message, Send

from services.api.desk import Desk
from shared.db.results import Result, ResultFilter, stream_results
from shared.domain.runs import RunId

STALLED_SECONDS = 60.0
COLUMNS = tuple(field.name for field in fields(Result) if field.name != "question_id")
# Behind space and in full width, too: which of it is a formula differs between spreadsheets.
FORMULA = re.compile(r"[\s\ufeff\u200b]*[=+\-@＝＋－＠]|[\t\r\n]")


@dataclass(frozen=True, slots=True)
class Format:
    """A way to write results, batch by batch."""

    media_type: str
    begin: bytes
    between: bytes
    end: bytes
    encode: Callable[[Sequence[Result]], bytes]


class Download(StreamingResponse):
    """A streamed file. A client that stops reading is cut off: it keeps a database connection busy."""

    def __init__(self, desk: Desk, run_id: RunId, wanted: ResultFilter, form: str) -> None:
        self._chunks = _write(desk, run_id, wanted, FORMATS[form])
        super().__init__(
            self._chunks,
            media_type=FORMATS[form].media_type,
            headers={"Content-Disposition": f'attachment; filename="run-{run_id}.{form}"'},
        )

    async def stream_response(self, send: Send) -> None:
        async def send_in_time(message: Message) -> None:
            async with asyncio.timeout(STALLED_SECONDS):
                await send(message)

        try:
            await super().stream_response(send_in_time)
        finally:
            with CancelScope(shield=True):  # the connection goes back now, also when the client is gone
                await self._chunks.aclose()


async def _write(
    desk: Desk, run_id: RunId, wanted: ResultFilter, form: Format
) -> AsyncGenerator[bytes, None]:
    async with desk.exports, desk.connection() as connection, connection.transaction(readonly=True):
        yield form.begin
        between = b""
        async for batch in stream_results(connection, run_id, wanted):
            yield between + await asyncio.to_thread(form.encode, batch)
            between = form.between
        yield form.end


def _as_json(result: Result) -> bytes:
    members = {name: getattr(result, name) for name in COLUMNS}
    return orjson.dumps(members, default=_as_number, option=orjson.OPT_UTC_Z)


def _as_number(value: Any) -> float:
    assert isinstance(value, Decimal), "everything else is JSON's own"
    return float(value)


def _as_lines(batch: Sequence[Result]) -> bytes:
    return b"".join(_as_json(result) + b"\n" for result in batch)


def _as_items(batch: Sequence[Result]) -> bytes:
    return b",\n".join(map(_as_json, batch))


def _as_rows(batch: Sequence[Result]) -> bytes:
    return _as_csv([[_as_cell(getattr(result, name)) for name in COLUMNS] for result in batch])


def _as_csv(rows: Sequence[Sequence[str]]) -> bytes:
    table = io.StringIO()
    csv.writer(table).writerows(rows)
    return table.getvalue().encode()


def _as_cell(value: Any) -> str:
    """A cell's text. What a spreadsheet would run as a formula gets an apostrophe in front."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case str():
            return f"'{value}" if FORMULA.match(value) else value
        case Decimal():
            return f"{value:f}"
        case datetime():
            return value.isoformat()
        case Mapping():
            return orjson.dumps(value).decode()
        case _:
            return str(value)


FORMATS: Mapping[str, Format] = {
    "csv": Format("text/csv; charset=utf-8", _as_csv([COLUMNS]), b"", b"", _as_rows),
    "json": Format("application/json", b"[\n", b",\n", b"\n]\n", _as_items),
    "jsonl": Format("application/jsonl", b"", b"", b"", _as_lines),
}

"""A wire between the processes and a server, which can be cut, and be slow."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import StrEnum
from pathlib import Path
from time import monotonic

CHUNK_BYTES = 65536
# With these, closing a socket sends a reset instead of a goodbye.
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Cut(StrEnum):
    """How a network goes away."""

    RESET = "reset"  # connections are torn down, new ones are refused
    STALLED = "stalled"  # nothing comes through until it is mended; then what was sent arrives, late
    LOST = "lost"  # nothing comes through; old connections stay silent for good, on either side


class Wire:
    """Forwards a port of loopback to a server's socket. Both ends of a lost connection believe in it."""

    def __init__(self, target: Path, port: int) -> None:
        self._target = target
        self._port = port
        self._listener: asyncio.Server | None = None
        self._pairs: set[_Connection] = set()
        self._flows = asyncio.Event()
        self._flows.set()
        self.delay_seconds = 0.0  # in each direction

    @property
    def port(self) -> int:
        return self._port

    async def cut(self, how: Cut) -> None:
        if how is Cut.RESET:
            await self._stop_listening()
            for connection in list(self._pairs):
                connection.reset()
            return
        self._flows.clear()
        if how is Cut.LOST:
            for connection in self._pairs:
                connection.is_lost = True

    async def mend(self) -> None:
        """From here on everything flows, at once."""
        self.delay_seconds = 0.0
        self._flows.set()
        await self._listen()

    async def _listen(self) -> None:
        if self._listener is None:
            self._listener = await asyncio.start_server(self._accept, "127.0.0.1", self._port)
            self._port = self._listener.sockets[0].getsockname()[1]

    async def _stop_listening(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    async def _accept(self, client: asyncio.StreamReader, client_writer: asyncio.StreamWriter) -> None:
        await self._flows.wait()
        try:
            server, server_writer = await asyncio.open_unix_connection(str(self._target))
        except OSError:
            _reset(client_writer)
            return
        connection = _Connection(self, client_writer, server_writer)
        self._pairs.add(connection)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(connection.pump(client, server_writer))
                tasks.create_task(connection.pump(server, client_writer))
        finally:
            self._pairs.discard(connection)
            connection.close()

    @property
    def flows(self) -> asyncio.Event:
        return self._flows

    async def close(self) -> None:
        await self._stop_listening()
        self._flows.set()
        for connection in list(self._pairs):
            connection.reset()


class _Connection:
    def __init__(self, wire: Wire, *writers: asyncio.StreamWriter) -> None:
        self._wire = wire
        self._writers = writers
        self._torn = asyncio.Event()
        self.is_lost = False

    def reset(self) -> None:
        self._torn.set()
        for writer in self._writers:
            _reset(writer)

    def close(self) -> None:
        for writer in self._writers:
            with suppress(OSError, RuntimeError):
                writer.close()

    async def pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        """Carry bytes one way, each as late as the wire is slow, in their order."""
        line: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def receive() -> None:
            chunk = b"?"
            while chunk:
                try:
                    chunk = await source.read(CHUNK_BYTES)
                except OSError:
                    chunk = b""
                line.put_nowait((monotonic() + self._wire.delay_seconds, chunk))

        receiving = asyncio.create_task(receive())
        try:
            while True:
                due_at, chunk = await line.get()
                if (wait_seconds := due_at - monotonic()) > 0:
                    await asyncio.sleep(wait_seconds)
                await self._wire.flows.wait()
                if self.is_lost:
                    await self._torn.wait()
                    return
                if not chunk:
                    with suppress(OSError):
                        target.close()
                    return
                with suppress(OSError):
                    target.write(chunk)
                    await target.drain()
        finally:
            receiving.cancel()


def _reset(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    if sock is not None and sock.family != socket.AF_UNIX:
        with suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    writer.transport.abort()


@asynccontextmanager
async def string_wire(target: Path, port: int = 0) -> AsyncIterator[Wire]:
    wire = Wire(target, port)
    await wire.mend()
    try:
        yield wire
    finally:
        await wire.close()

"""Where a demo plays: a whole instance in one folder, and the commands that a newcomer would type."""

import asyncio
import os
import shlex
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from services.standalone.errors import CannotStart
from services.standalone.instance import Client

NIGHT_SECONDS = 300.0
POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Stage:
    """An instance that is up, and the REST interface of its own commands."""

    client: Client
    rest: httpx.AsyncClient

    async def type(self, *arguments: str) -> None:
        """Show a command as one would type it, and run it against this server.

        Raises:
            CannotStart: the command failed.
        """
        print(f"\n$ driftwarden {shlex.join(arguments)}", flush=True)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "services.cli", *arguments),
            env={**os.environ, **access_of(self.client)},
            start_new_session=True,  # Ctrl-C is ours to handle
        )
        try:
            if await process.wait() != 0:
                raise CannotStart("The demo ends here: this command failed.")
        finally:
            if process.returncode is None:
                process.terminate()
                await process.wait()

    async def read(self, path: str, **parameters: str | int) -> Any:
        """What the API answers to a GET of `/api/v1` + path."""
        return accepted(await self.rest.get(path, params=parameters)).json()

    async def live_through(self, schedule: str, night: str) -> None:
        """Open the night of this date and wait until it is over and the watch has seen all of it.

        Raises:
            CannotStart: it was refused, or took more than five minutes.
        """
        accepted(await self.rest.post(f"/schedules/{schedule}/trigger", json={"night": night}))
        try:
            async with asyncio.timeout(NIGHT_SECONDS):
                # A confirmation is opened in the transaction that marks the run before it as seen.
                while not await self._is_last_night_seen(schedule):  # noqa: ASYNC110  # by another process
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            raise CannotStart(f"The night of {night} did not come to its end.") from None

    async def _is_last_night_seen(self, schedule: str) -> bool:
        page = await self.read(f"/schedules/{schedule}/nights", limit=1)
        return all(run["is_seen"] for run in page["items"][0]["runs"])


@asynccontextmanager
async def open_stage(client: Client) -> AsyncIterator[Stage]:
    headers = {"Authorization": f"Bearer {client.api_key}"}
    async with httpx.AsyncClient(
        base_url=f"{client.url}/api/v1", headers=headers, timeout=60, trust_env=False
    ) as rest:
        yield Stage(client, rest)


def access_of(client: Client) -> Mapping[str, str]:
    return {"DRIFTWARDEN_URL": client.url, "DRIFTWARDEN_API_KEY": client.api_key}


def accepted(reply: httpx.Response) -> httpx.Response:
    """The reply, if it is a good one.

    Raises:
        CannotStart: it is not; says who answered what.
    """
    if not reply.is_success:
        raise CannotStart(
            f"The demo ends here: {reply.request.url} answered {reply.status_code}: {reply.text}"
        )
    return reply

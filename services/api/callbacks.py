"""Callbacks of runs: an address that somebody names, checked, and encrypted before it is stored."""

from dataclasses import dataclass

from services.api.desk import Desk
from shared.addresses import Guard, check_reachable
from shared.db.pool import Connection
from shared.db.runs import store_callback
from shared.domain.errors import InvalidInput
from shared.domain.runs import RunId
from shared.targets import hint_at_url

FIELD = "callback_url"


@dataclass(frozen=True, slots=True)
class Callback:
    """Where a finished run is told to; `hint` is all of it that is shown."""

    url: bytes
    hint: str

    async def store(self, connection: Connection, run_id: RunId) -> None:
        await store_callback(connection, run_id, self.url, self.hint)


async def seal_callback(desk: Desk, url: str | None) -> Callback | None:
    """Check and encrypt a callback's address; None where there is none.

    Raises:
        InvalidInput: it is no address, or leads into a private network, or nothing can be encrypted here.
    """
    if url is None:
        return None
    await check_reachable(url, Guard(desk.settings.allowed_networks), FIELD)
    if desk.vault is None:
        problem = "can't be kept: this server has no DRIFTWARDEN_SECRET_KEY to encrypt it with."
        raise InvalidInput(FIELD, problem, "Set one for all its processes, or leave it out.")
    return Callback(desk.vault.seal(url), hint_at_url(url))

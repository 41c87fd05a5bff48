"""Making and revoking keys: names tell them apart in the audit log, and one admin is always left."""

from datetime import UTC, datetime
from http import HTTPStatus
from uuid import UUID

from services.api.problems import NotFound, Problem
from services.api.schemas.keys import KeyRequest
from shared.db import audit, keys
from shared.db.keys import ApiKey, Scope
from shared.db.pool import Connection
from shared.domain.errors import InvalidInput


class NameTaken(Problem):
    status, title = HTTPStatus.CONFLICT, "Name taken"


class LastAdmin(Problem):
    status, title = HTTPStatus.CONFLICT, "Last admin key"


async def make_key(connection: Connection, actor: str, request: KeyRequest) -> tuple[ApiKey, str]:
    """Make a key, in the caller's transaction; with it comes its secret.

    Raises:
        InvalidInput: it would have expired already.
        NameTaken: a valid key has this name.
    """
    if request.expires_at is not None and request.expires_at <= datetime.now(UTC):
        raise InvalidInput("expires_at", "lies in the past.", "Give a moment in the future, or none.")
    await keys.hold_keys(connection)
    if await keys.list_valid_keys(connection, name=request.name):
        raise NameTaken(f"There is a valid key {request.name!r}. Choose another name, or revoke it first.")
    key, secret = await keys.create_key(
        connection, request.name, request.scope, request.expires_at, request.requests_per_minute
    )
    facts = {"name": key.name, "begins": key.prefix, **request.model_dump(mode="json", exclude={"name"})}
    await audit.record(connection, actor, "key.created", str(key.id), facts)
    return key, secret


async def revoke_key(connection: Connection, actor: str, key_id: UUID) -> None:
    """Revoke a key, in the caller's transaction.

    Raises:
        NotFound: there is none of this id that was not revoked before.
        LastAdmin
    """
    await keys.hold_keys(connection)
    if [key.id for key in await keys.list_valid_keys(connection, scope=Scope.ADMIN)] == [key_id]:
        raise LastAdmin(
            "This is the last valid key of scope admin, and without one nobody can make keys."
            " Make another one first: `driftwarden keys create NAME --scope admin`."
        )
    revoked = await keys.revoke_key(connection, key_id)
    if revoked is None:
        raise NotFound(f"There is no key {key_id} that could be revoked.")
    facts = {"name": revoked.name, "begins": revoked.prefix, "scope": revoked.scope}
    await audit.record(connection, actor, "key.revoked", str(key_id), facts)

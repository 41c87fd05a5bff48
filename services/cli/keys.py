"""`driftwarden keys`: who may speak to the server."""

import asyncio
import json
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated

import typer
from rich.console import RenderableType

from services.cli.failures import Refused, Unreachable
from services.cli.help import examples
from services.cli.numbers import moment
from services.cli.options import AsJson
from services.cli.render import show, show_json, table, tell
from services.cli.server import Json, connect, segment

commands = typer.Typer(
    name="keys",
    help="Create, list and revoke API keys. This needs a key of scope admin.",
    epilog=examples("keys create ci --scope submit", "keys list", "keys revoke ID"),
    no_args_is_help=True,
)


class Scope(StrEnum):
    READ = "read"
    SUBMIT = "submit"
    ADMIN = "admin"


@commands.command("create", epilog=examples("keys create ci --scope submit --expires-at 2027-01-01"))
def create_key(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Who or what the key is for.")],
    scope: Annotated[
        Scope,
        typer.Option(
            metavar="read|submit|admin", help="What it may do; each scope includes those before it."
        ),
    ],
    expires_at: Annotated[
        str | None, typer.Option(metavar="TIME", help="When it ends, such as 2027-01-01T00:00Z.")
    ] = None,
    direct: Annotated[
        bool,
        typer.Option("--direct", help="Write to the database that DATABASE_URL names: for the first key."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Create a key and print it. It can't be shown again."""
    body = {"name": name, "scope": scope, **({"expires_at": expires_at} if expires_at else {})}
    if direct:
        created = asyncio.run(_create_directly(body))
    else:
        with connect() as client:
            created = client.post("/keys", body)
    if as_json:
        show_json(created)
        return
    print(created["secret"])
    tell(f"This is the key {name!r} ({scope}). Keep it now: it can't be shown again.")


async def _create_directly(body: Json) -> Json:
    """Create a key where no server can be asked for one, by whoever may write to the database anyway."""
    from asyncpg import PostgresError
    from pydantic import ValidationError

    from services.api.schemas.keys import KeyRequest
    from services.cli.processes import read_settings
    from shared.db.keys import create_key
    from shared.db.pool import open_pool

    settings = read_settings("keys")
    try:
        request = KeyRequest.model_validate_json(json.dumps(body))
    except ValidationError as error:
        raise Refused("; ".join(f"{fault['loc'][0]}: {fault['msg']}" for fault in error.errors())) from None
    try:
        async with open_pool(settings) as pool, pool.acquire() as connection:
            key, secret = await create_key(connection, request.name, request.scope, request.expires_at)
    except (OSError, PostgresError) as error:
        raise Unreachable(f"The database that DATABASE_URL names can't be written to: {error}") from error
    return {"id": str(key.id), "name": key.name, "scope": key.scope, "secret": secret}


@commands.command("list")
def list_keys(as_json: AsJson = False) -> None:
    """List all keys, those that have ended included. The keys themselves are not stored."""
    with connect() as client:
        page = client.list_items("/keys", 10_000)
    if as_json:
        show_json(page)
    else:
        show(*describe_keys(page))


@commands.command("revoke")
def revoke_key(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="The key's id, as `keys list` shows it.")],
) -> None:
    """Revoke a key: from now on it opens nothing."""
    with connect() as client:
        client.delete(f"/keys/{segment(key_id)}")
    tell("The key is revoked.")


def describe_keys(page: Json) -> Iterator[RenderableType]:
    yield table(
        ["id", "~name", "begins", "scope", "last used", "state"],
        [
            [
                key["id"],
                key["name"],
                key["prefix"],
                key["scope"],
                moment(key["last_used_at"]),
                _name_state(key),
            ]
            for key in page["items"]
        ],
    )


def _name_state(key: Json) -> str:
    if key["revoked_at"]:
        return "revoked"
    return f"until {moment(key['expires_at'])[:10]}" if key["expires_at"] else "valid"

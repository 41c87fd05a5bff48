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
from services.cli.render import show_answer, show_json, table, tell
from services.cli.server import Json, connect, segment

commands = typer.Typer(
    name="keys",
    help="Create, list and revoke API keys. This needs a key of scope admin.",
    epilog=examples("keys create ci --scope submit", "keys list", "keys revoke ID"),
    no_args_is_help=True,
)


AT_THE_DATABASE = "keys --direct"  # who acts, for the audit log


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
    requests_per_minute: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="How often it may ask [default: as set for all keys]."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Create a key and print it. It can't be shown again."""
    terms = {"expires_at": expires_at, "requests_per_minute": requests_per_minute}
    body = {
        "name": name,
        "scope": scope,
        **{term: value for term, value in terms.items() if value is not None},
    }
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

    from services.api.keyring import make_key
    from services.api.problems import Problem
    from services.api.schemas.keys import KeyRequest
    from services.cli.processes import read_settings
    from shared.db.pool import open_pool
    from shared.domain.errors import InvalidInput

    settings = read_settings("keys")
    try:
        request = KeyRequest.model_validate_json(json.dumps(body))
    except ValidationError as error:
        raise Refused("; ".join(f"{fault['loc'][0]}: {fault['msg']}" for fault in error.errors())) from None
    try:
        async with open_pool(settings) as pool, pool.acquire() as connection, connection.transaction():
            key, secret = await make_key(connection, AT_THE_DATABASE, request)
    except Problem as error:
        raise Refused(error.detail) from None
    except InvalidInput as error:
        raise Refused(str(error)) from None
    except (OSError, PostgresError) as error:
        raise Unreachable(f"The database that DATABASE_URL names can't be written to: {error}") from error
    return {"id": str(key.id), "name": key.name, "scope": key.scope, "secret": secret}


@commands.command("list")
def list_keys(as_json: AsJson = False) -> None:
    """List all keys, those that have ended included. The keys themselves are not stored."""
    with connect() as client:
        page = client.list_items("/keys", 10_000)
    show_answer(page, describe_keys, as_json)


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

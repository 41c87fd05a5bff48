"""/channels: where people and programs are told of incidents. Changing them is for keys of scope admin."""

from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Any, TypeAlias

from fastapi import APIRouter, Path, Response

from services.api.auth import Actor, needs
from services.api.desk import AtDesk, Desk
from services.api.openapi import CONFLICTING, KEYED, MISSING, WITH_BODY
from services.api.paging import Cursor, CursorText, Limit
from services.api.problems import NotFound, Problem
from services.api.routes.deliveries import tell_delivery
from services.api.schemas import channels as schemas
from services.api.schemas.fields import SuiteName
from shared.addresses import Guard
from shared.db import audit, channels, deliveries
from shared.db.channels import OF_SETTINGS, Channel, ChannelKind, ChannelState
from shared.db.keys import Scope
from shared.db.pool import Connection
from shared.domain.errors import InvalidInput
from shared.domain.telling.alerts import Trial
from shared.secrets import Vault, make_webhook_secret
from shared.targets import check_target, hint_at

router = APIRouter(prefix="/api/v1/channels", tags=["channels"], responses=KEYED)

ROTATION = timedelta(hours=24)
_by_name = Cursor[str](SuiteName)
Named: TypeAlias = Annotated[SuiteName, Path(description="The channel's name.", examples=["team"])]


class NoSecretKey(Problem):
    status, title = HTTPStatus.CONFLICT, "No secret key"


class NameTaken(Problem):
    status, title = HTTPStatus.CONFLICT, "Name taken"


class ChannelOfSettings(Problem):
    status, title = HTTPStatus.CONFLICT, "Channel of the settings"


class ChannelDisabled(Problem):
    status, title = HTTPStatus.CONFLICT, "Channel disabled"


class NoSecret(Problem):
    status, title = HTTPStatus.CONFLICT, "No secret"


@router.get("", response_model=schemas.ChannelPage, dependencies=[needs(Scope.READ)])
async def list_channels(desk: AtDesk, limit: Limit = 50, cursor: CursorText = None) -> Any:
    """List the channels by name. Of where they lead, only a hint is shown."""
    async with desk.connection() as connection:
        found = await channels.list_channels(connection, after=_by_name.read(cursor), limit=limit + 1)
    page, next_cursor = _by_name.cut(found, limit, lambda channel: channel.name)
    return {"items": [_tell(channel) for channel in page], "next_cursor": next_cursor}


@router.get("/{name}", response_model=schemas.Channel, dependencies=[needs(Scope.READ)], responses=MISSING)
async def show_channel(desk: AtDesk, name: Named) -> Any:
    """Show a channel."""
    async with desk.connection() as connection:
        return _tell(await _find(connection, name))


@router.post(
    "",
    status_code=201,
    response_model=schemas.NewChannel,
    dependencies=[needs(Scope.ADMIN)],
    responses={**CONFLICTING, **WITH_BODY},
)
async def create_channel(desk: AtDesk, actor: Actor, request: schemas.ChannelRequest) -> Any:
    """Add a channel. A webhook's secret is in this answer and nowhere else.

    Addresses in private networks are refused unless DRIFTWARDEN_ALLOWED_NETWORKS names them.
    """
    vault = require_vault(desk)
    if request.name == OF_SETTINGS:
        raise InvalidInput("name", f"{OF_SETTINGS!r} is the channel of the settings.", "Choose another.")
    await check_target(request.kind, request.target, Guard(desk.settings.allowed_networks))
    secret = make_webhook_secret() if request.kind is ChannelKind.WEBHOOK else None
    new = channels.NewChannel(
        name=request.name,
        kind=request.kind,
        target=vault.seal(request.target),
        target_hint=hint_at(request.kind, request.target),
        secret=vault.seal(secret) if secret else None,
        min_severity=request.min_severity,
        models=request.models,
        suites=request.suites,
        weekly_since=_now() if request.weekly_digest else None,
        created_by=actor,
    )
    async with desk.connection() as connection, connection.transaction():
        channel = await channels.store_channel(connection, new)
        if channel is None:
            raise NameTaken(f"There is a channel {request.name!r} already.")
        facts = request.model_dump(mode="json", exclude={"target"})
        await _record(connection, actor, "created", channel, {**facts, "target": channel.target_hint})
    return {**_tell(channel), "secret": secret}


@router.patch(
    "/{name}",
    response_model=schemas.Channel,
    dependencies=[needs(Scope.ADMIN)],
    responses={**MISSING, **CONFLICTING, **WITH_BODY},
)
async def change_channel(desk: AtDesk, actor: Actor, name: Named, request: schemas.ChannelChange) -> Any:
    """Change some of a channel: where it leads, what it is told of, or whether anything is sent over it."""
    given = request.model_dump(mode="json", exclude_unset=True)
    changes: dict[str, Any] = {
        field: given[field] for field in ("min_severity", "models", "suites") if field in given
    }
    now = _now()
    if "weekly_digest" in given:
        changes["weekly_since"] = now if given["weekly_digest"] else None
    if "is_enabled" in given:
        changes["state"] = ChannelState.ACTIVE if given["is_enabled"] else ChannelState.DISABLED
        changes["disabled_because"] = None if given["is_enabled"] else f"{actor} disabled it."
    async with desk.connection() as connection, connection.transaction():
        channel = await _find(connection, name, lock=True)
        if "target" in given:
            changes |= await _change_target(desk, channel, given["target"])
        await channels.change_channel(connection, channel.id, changes)
        if given.get("is_enabled") is False:
            await deliveries.bury_pending(connection, channel.id, changes["disabled_because"], now)
        changed = await _find(connection, name)
        facts = {**given, "target": changed.target_hint} if "target" in given else given
        await _record(connection, actor, "changed", changed, facts)
        return _tell(changed)


@router.delete(
    "/{name}",
    status_code=204,
    dependencies=[needs(Scope.ADMIN)],
    responses={**MISSING, **CONFLICTING},
)
async def remove_channel(desk: AtDesk, actor: Actor, name: Named) -> Response:
    """Remove a channel with its secrets. What was sent over it stays on record."""
    async with desk.connection() as connection, connection.transaction():
        channel = await _find(connection, name, lock=True)
        _refuse_settings(channel, "To be rid of it, unset DRIFTWARDEN_SLACK_WEBHOOK_URL and restart.")
        await channels.remove_channel(connection, channel.id)
        await deliveries.bury_pending(connection, channel.id, "The channel was removed.", _now())
        await _record(connection, actor, "removed", channel, {})
    return Response(status_code=204)


@router.post(
    "/{name}/test",
    status_code=202,
    response_model=schemas.Delivery,
    dependencies=[needs(Scope.ADMIN)],
    responses={**MISSING, **CONFLICTING},
)
async def try_channel(desk: AtDesk, actor: Actor, name: Named) -> Any:
    """Send a message that says it is a test, once. GET /deliveries/{id} tells what came of it."""
    now = _now()
    async with desk.connection() as connection, connection.transaction():
        channel = await _find(connection, name)
        if channel.state is not ChannelState.ACTIVE:
            raise ChannelDisabled(f"The channel is disabled: {channel.disabled_because}")
        trial = Trial(channel.name, actor, now)
        delivery_id = await deliveries.store_delivery(connection, "test", trial, now, channel_id=channel.id)
        assert delivery_id is not None, "a test is like no other"
        await _record(connection, actor, "tested", channel, {"delivery": str(delivery_id)})
        delivery = await deliveries.find_delivery(connection, delivery_id)
    assert delivery is not None, "it was stored"
    await desk.enqueue_delivery()
    return tell_delivery(delivery)


@router.post(
    "/{name}/rotate-secret",
    response_model=schemas.Secret,
    dependencies=[needs(Scope.ADMIN)],
    responses={**MISSING, **CONFLICTING},
)
async def rotate_secret(desk: AtDesk, actor: Actor, name: Named) -> Any:
    """Give a webhook another secret. For 24 hours its messages are signed with both."""
    vault, secret, until = require_vault(desk), make_webhook_secret(), _now() + ROTATION
    async with desk.connection() as connection, connection.transaction():
        channel = await _find(connection, name, lock=True)
        if channel.kind is not ChannelKind.WEBHOOK:
            raise NoSecret("Only webhooks are signed.")
        await channels.rotate_secret(connection, channel.id, vault.seal(secret), until)
        await _record(connection, actor, "secret_rotated", channel, {})
    return {"secret": secret, "former_secret_until": until}


def require_vault(desk: Desk) -> Vault:
    """
    Raises:
        NoSecretKey
    """
    if desk.vault is None:
        raise NoSecretKey(
            "Addresses and secrets are stored encrypted, and DRIFTWARDEN_SECRET_KEY is not set."
            " Set it for the API and the schedulers alike, long and random."
        )
    return desk.vault


async def _change_target(desk: Desk, channel: Channel, target: str) -> dict[str, Any]:
    _refuse_settings(channel, "Change DRIFTWARDEN_SLACK_WEBHOOK_URL instead.")
    await check_target(channel.kind, target, Guard(desk.settings.allowed_networks))
    return {"target": require_vault(desk).seal(target), "target_hint": hint_at(channel.kind, target)}


def _refuse_settings(channel: Channel, remedy: str) -> None:
    if channel.origin == "settings":
        raise ChannelOfSettings(f"The settings make this channel. {remedy}")


async def _find(connection: Connection, name: str, *, lock: bool = False) -> Channel:
    channel = await channels.find_channel(connection, name, lock=lock)
    if channel is None:
        raise NotFound(f"There is no channel {name!r}.")
    return channel


async def _record(
    connection: Connection, actor: str, act: str, channel: Channel, facts: dict[str, Any]
) -> None:
    await audit.record(connection, actor, f"channel.{act}", channel.name, {"kind": channel.kind, **facts})


def _tell(channel: Channel) -> dict[str, Any]:
    return {
        "name": channel.name,
        "kind": channel.kind,
        "origin": channel.origin,
        "target": channel.target_hint,
        "state": channel.state,
        "disabled_because": channel.disabled_because,
        "min_severity": channel.min_severity,
        "models": channel.models,
        "suites": channel.suites,
        "weekly_digest": channel.weekly_since is not None,
        "former_secret_until": channel.former_until,
        "created_at": channel.created_at,
        "created_by": channel.created_by,
    }


def _now() -> datetime:
    return datetime.now(UTC)

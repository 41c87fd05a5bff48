"""/deliveries: what was sent to whom, what came of it, and dead letters to be sent again."""

from dataclasses import asdict
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query

from services.api.auth import Actor, needs
from services.api.desk import AtDesk
from services.api.lookup import IdPrefix, range_of_ids
from services.api.openapi import CONFLICTING, KEYED, MISSING
from services.api.paging import BY_TIME, CursorText, Limit
from services.api.problems import NotFound, Problem
from services.api.schemas import channels as schemas
from services.api.schemas.fields import SuiteName
from shared.db import audit, channels, deliveries
from shared.db.channels import ChannelKind, ChannelState
from shared.db.deliveries import Delivery
from shared.db.keys import Scope
from shared.db.pool import Connection
from shared.domain.telling.alerts import name_type
from shared.notices import read_notice

router = APIRouter(prefix="/api/v1/deliveries", tags=["channels"], responses=KEYED)

_KNOWN_BY_ID = (ChannelKind.WEBHOOK, "callback")


class NotReplayable(Problem):
    status, title = HTTPStatus.CONFLICT, "Not replayable"


@router.get("", response_model=schemas.DeliveryPage, dependencies=[needs(Scope.READ)])
async def list_deliveries(
    desk: AtDesk,
    state: Annotated[Literal["pending", "delivered", "dead", "gathered"] | None, Query()] = None,
    channel: Annotated[SuiteName | None, Query()] = None,
    incident: Annotated[UUID | None, Query(description="Only about this incident.")] = None,
    run: Annotated[UUID | None, Query(description="Only callbacks of this run.")] = None,
    id_prefix: IdPrefix = None,
    limit: Limit = 50,
    cursor: CursorText = None,
) -> Any:
    """List deliveries, newest first. The dead letters are those of state `dead`."""
    before, ids = BY_TIME.read(cursor), range_of_ids(id_prefix)
    async with desk.connection() as connection:
        found = await deliveries.list_deliveries(
            connection, state=state, channel=channel, incident_id=incident, run_id=run, ids=ids,
            before=before, limit=limit + 1,
        )  # fmt: skip
    page, next_cursor = BY_TIME.cut(found, limit, lambda delivery: (delivery.created_at, delivery.id))
    return {"items": [tell_delivery(one) for one in page], "next_cursor": next_cursor}


@router.get(
    "/{delivery_id}",
    response_model=schemas.DeliveryDetail,
    dependencies=[needs(Scope.READ)],
    responses=MISSING,
)
async def show_delivery(desk: AtDesk, delivery_id: UUID) -> Any:
    """Show a delivery: what it tells, and every attempt at it."""
    async with desk.connection() as connection:
        delivery = await _find(connection, delivery_id)
        log = await deliveries.list_attempts(connection, delivery_id)
    return {**tell_delivery(delivery), "content": delivery.content, "log": log}


@router.post(
    "/{delivery_id}/replay",
    status_code=202,
    response_model=schemas.Delivery,
    dependencies=[needs(Scope.SUBMIT)],
    responses={**MISSING, **CONFLICTING},
)
async def replay_delivery(desk: AtDesk, actor: Actor, delivery_id: UUID) -> Any:
    """Send a dead letter again. Webhooks are also sent again when they were delivered, under the same id."""
    async with desk.connection() as connection, connection.transaction():
        delivery = await _find(connection, delivery_id, lock=True)
        reason = await _why_not(connection, delivery)
        if reason is not None:
            raise NotReplayable(reason)
        await deliveries.replay(connection, delivery_id, datetime.now(UTC))
        facts = {"channel": delivery.channel, "was": delivery.state}
        await audit.record(connection, actor, "delivery.replayed", str(delivery_id), facts)
        replayed = await _find(connection, delivery_id)
    await desk.enqueue_delivery()
    return tell_delivery(replayed)


async def _why_not(connection: Connection, delivery: Delivery) -> str | None:
    """Why a delivery can't be sent again; None if it can."""
    match delivery.state:
        case "pending":
            return "It is on its way already."
        case "gathered":
            return f"It was told in delivery {delivery.gathered_into}."
        case "delivered" if delivery.channel_kind not in _KNOWN_BY_ID:
            return "It was delivered; people would be told twice."
    if delivery.channel is None:
        return None
    channel = await channels.find_channel(connection, delivery.channel)
    if channel is None or channel.id != delivery.channel_id:
        return "Its channel was removed."
    if channel.state is not ChannelState.ACTIVE:
        return f"Its channel is disabled: {channel.disabled_because}"
    return None


async def _find(connection: Connection, delivery_id: UUID, *, lock: bool = False) -> Delivery:
    delivery = await deliveries.find_delivery(connection, delivery_id, lock=lock)
    if delivery is None:
        raise NotFound(f"There is no delivery {delivery_id}.")
    return delivery


def tell_delivery(delivery: Delivery) -> dict[str, Any]:
    event = "run.finished" if delivery.kind == "run" else name_type(read_notice(delivery.content))
    return {**asdict(delivery), "event": event}

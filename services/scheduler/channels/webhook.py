"""Webhooks, signed as the Standard Webhooks specification says."""

from collections.abc import Sequence
from datetime import datetime

import aiohttp
from standardwebhooks import Webhook

from services.scheduler.channels.road import RedirectRefused, read_failure
from shared.addresses import check_url
from shared.domain.errors import InvalidInput
from shared.domain.telling.redelivery import Outcome, Refused, read_retry_after, read_status


async def send_to_webhook(
    session: aiohttp.ClientSession,
    url: str,
    message_id: str,
    body: bytes,
    secrets: Sequence[str],
    now: datetime,
) -> Outcome:
    """Post a body under an id that stays the same however often it is sent.

    Of the answer only the head is read. It is signed with each of `secrets`, so that a receiver may know
    either of two while they are rotated.
    """
    try:
        check_url(url)
    except InvalidInput as error:
        return Refused(f"The address {error.problem}")
    try:
        async with session.post(
            url, data=body, headers=sign(message_id, body, secrets, now), allow_redirects=False
        ) as response:
            after = read_retry_after(response.headers.get("Retry-After"), now)
            return read_status(response.status, after)
    except (aiohttp.ClientError, RedirectRefused, OSError) as error:
        return read_failure(error)


def sign(message_id: str, body: bytes, secrets: Sequence[str], now: datetime) -> dict[str, str]:
    """The headers of a message."""
    signatures = (Webhook(secret).sign(message_id, now, body.decode()) for secret in secrets)
    return {
        "Content-Type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }

"""Slack, by an incoming webhook."""

import logging
from collections.abc import Mapping
from datetime import datetime

import aiohttp
from slack_sdk.webhook.async_client import AsyncWebhookClient

from services.scheduler.channels.road import RedirectRefused, read_failure
from shared.domain.telling.redelivery import Outcome, read_retry_after, read_status
from shared.domain.telling.slack_message import SlackPayload

LONGEST_REASON = 100

# At level debug the client would log the address, which is the secret.
_quiet = logging.getLogger("driftwarden.slack")
_quiet.setLevel(logging.WARNING)


async def send_to_slack(
    session: aiohttp.ClientSession, url: str, payload: SlackPayload, now: datetime
) -> Outcome:
    client = AsyncWebhookClient(url, session=session, retry_handlers=[], logger=_quiet)
    client.proxy = None
    try:
        response = await client.send(text=payload.text, blocks=payload.blocks)
    except (aiohttp.ClientError, RedirectRefused, OSError) as error:
        return read_failure(error)
    headers: Mapping[str, str] = {name.lower(): value for name, value in response.headers.items()}
    said = "".join(char for char in response.body if char.isprintable())[:LONGEST_REASON]
    return read_status(response.status_code, read_retry_after(headers.get("retry-after"), now), said)

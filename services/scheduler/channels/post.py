"""The post: puts a parcel into its channel's form and sends it there, once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import assert_never

import aiohttp
import orjson
from aiohttp.abc import AbstractResolver

from services.scheduler.channels.email import MailServer, read_mail_server, send_by_email, write_email
from services.scheduler.channels.others import send_by_apprise
from services.scheduler.channels.road import open_road
from services.scheduler.channels.slack import send_to_slack
from services.scheduler.channels.webhook import send_to_webhook
from shared.addresses import Guard
from shared.db.channels import ChannelKind
from shared.db.outbox import Parcel
from shared.domain.telling.alerts import Notice, name_type
from shared.domain.telling.email_message import build_email
from shared.domain.telling.message import write_text
from shared.domain.telling.messages import PERHAPS_AGAIN, tell
from shared.domain.telling.redelivery import Outcome, Refused, Unknown
from shared.domain.telling.slack_message import build_slack
from shared.notices import write_notice
from shared.secrets import Unreadable, Vault, open_vault
from shared.settings import Settings

SEND_SECONDS = 15.0
PAYLOAD_VERSION = 1
NO_KEY = "DRIFTWARDEN_SECRET_KEY is not set for the scheduler: the channel's address can't be read."


@dataclass(frozen=True, slots=True)
class Post:
    """All that senders need; `slack_url` is the settings' own channel, `public_url` where links lead."""

    session: aiohttp.ClientSession
    vault: Vault | None
    mail_server: MailServer | None
    slack_url: str | None = field(repr=False)
    public_url: str

    async def send(self, parcel: Parcel, notice: Notice, now: datetime) -> Outcome:
        """Send a parcel; whatever becomes of that is an outcome."""
        try:
            async with asyncio.timeout(SEND_SECONDS):
                return await self._send(parcel, notice, now)
        except Unreadable as error:
            return Refused(str(error))
        except TimeoutError:
            return Unknown(f"No answer came within {SEND_SECONDS:.0f} s.")

    async def _send(self, parcel: Parcel, notice: Notice, now: datetime) -> Outcome:
        target = self._open(parcel.target) if parcel.target else self.slack_url
        if target is None:
            return Refused(NO_KEY if parcel.target else "DRIFTWARDEN_SLACK_WEBHOOK_URL is not set.")
        if parcel.channel_kind in (ChannelKind.WEBHOOK, None):
            body = write_body(parcel, notice)
            return await send_to_webhook(
                self.session, target, f"msg_{parcel.id.hex}", body, self._secrets(parcel, now), now
            )
        message = tell(notice, self.public_url)
        aside = PERHAPS_AGAIN if parcel.is_perhaps_there else ""
        match parcel.channel_kind:
            case ChannelKind.SLACK:
                return await send_to_slack(self.session, target, build_slack(message, aside=aside), now)
            case ChannelKind.EMAIL:
                if self.mail_server is None:
                    return Refused("DRIFTWARDEN_SMTP_URL is not set for the scheduler.")
                sender = self.mail_server.sender
                email = write_email(build_email(message, aside=aside), parcel.id, sender, target, now)
                return await send_by_email(self.mail_server, email, SEND_SECONDS)
            case ChannelKind.APPRISE:
                text = write_text(message, aside=aside)
                return await send_by_apprise(target, message.title, text, is_good=message.is_good)
            case _:
                assert_never(parcel.channel_kind)

    def _open(self, sealed: bytes) -> str | None:
        return self.vault.open(sealed) if self.vault is not None else None

    def _secrets(self, parcel: Parcel, now: datetime) -> list[str]:
        """What to sign with, the newest first; a run's callback has the installation's own."""
        assert self.vault is not None, "the target was read with it"
        if parcel.secret is None:
            return [self.vault.callback_secret()]
        secrets = [parcel.secret]
        if parcel.former_secret is not None and parcel.former_until is not None and now < parcel.former_until:
            secrets.append(parcel.former_secret)
        return [self.vault.open(secret) for secret in secrets]


def write_body(parcel: Parcel, notice: Notice) -> bytes:
    """A webhook's body: the same bytes however often it is sent."""
    return orjson.dumps(
        {
            "type": name_type(notice),
            "timestamp": parcel.created_at.isoformat(),
            "version": PAYLOAD_VERSION,
            "data": write_notice(notice),
        }
    )


@asynccontextmanager
async def open_post(settings: Settings, resolver: AbstractResolver | None = None) -> AsyncIterator[Post]:
    """Open what sending takes.

    Raises:
        InvalidInput: DRIFTWARDEN_SMTP_URL is wrong.
    """
    smtp, slack = settings.smtp_url, settings.slack_webhook_url
    mail_server = read_mail_server(smtp.get_secret_value(), settings.mail_from) if smtp else None
    public_url = (settings.public_url or f"http://{settings.host}:{settings.port}").rstrip("/")
    async with open_road(Guard(settings.allowed_networks), resolver) as session:
        yield Post(
            session,
            open_vault(settings),
            mail_server,
            slack.get_secret_value() if slack else None,
            public_url,
        )

"""E-mail, over the mail server that the settings name."""

from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Literal
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import UUID

import aiosmtplib

from shared.domain.errors import InvalidInput
from shared.domain.telling.email_message import Email
from shared.domain.telling.redelivery import Delivered, Failed, Outcome, Refused, Unknown

PORTS = {"tls": 465, "starttls": 587, "none": 25}
PERMANENT = 500  # from this reply code on, SMTP means it


@dataclass(frozen=True, slots=True)
class MailServer:
    host: str
    port: int
    security: Literal["tls", "starttls", "none"]
    username: str | None
    password: str | None = field(repr=False)
    sender: str


def read_mail_server(url: str, sender: str) -> MailServer:
    """`smtps://USER:PASSWORD@HOST:465`; `smtp://…` demands STARTTLS, unless it ends in `?tls=none`.

    Raises:
        InvalidInput: it is none of these, or would send a password in the open.
    """
    field = "DRIFTWARDEN_SMTP_URL"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or parts.scheme not in ("smtp", "smtps"):
        raise InvalidInput(field, "is no mail server.", "Write smtps://USER:PASSWORD@HOST:465.")
    open_wire = parse_qs(parts.query).get("tls") == ["none"]
    security: Literal["tls", "starttls", "none"]
    security = "tls" if parts.scheme == "smtps" else "none" if open_wire else "starttls"
    if security == "none" and parts.password:
        raise InvalidInput(field, "would send a password without TLS.", "Leave out ?tls=none.")
    username, password = (unquote(part) if part else None for part in (parts.username, parts.password))
    return MailServer(host, port or PORTS[security], security, username, password, sender)


def write_email(email: Email, message_id: UUID, sender: str, recipients: str, now: datetime) -> EmailMessage:
    """An e-mail whose Message-ID stays the same however often it is sent."""
    written = EmailMessage()
    written["From"] = sender
    written["To"] = recipients
    written["Subject"] = email.subject
    written["Date"] = format_datetime(now)
    written["Message-ID"] = f"<{message_id}@driftwarden>"
    written["Auto-Submitted"] = "auto-generated"
    written.set_content(email.text)
    written.add_alternative(email.html, subtype="html")
    return written


async def send_by_email(server: MailServer, message: EmailMessage, timeout_seconds: float) -> Outcome:
    try:
        await aiosmtplib.send(
            message,
            hostname=server.host,
            port=server.port,
            username=server.username,
            password=server.password,
            use_tls=server.security == "tls",
            start_tls=server.security == "starttls",
            timeout=timeout_seconds,
        )
    except aiosmtplib.SMTPAuthenticationError as error:
        return Failed(f"The mail server does not accept the user name and password ({error.code}).")
    except aiosmtplib.SMTPRecipientsRefused as error:
        codes = [recipient.code for recipient in error.recipients]
        return _read_code(min(codes, default=0), "the addresses")
    except aiosmtplib.SMTPResponseException as error:
        return _read_code(error.code, "the message")
    except (aiosmtplib.SMTPConnectError, aiosmtplib.SMTPConnectTimeoutError):
        return Failed("The mail server can't be connected to.")
    except aiosmtplib.SMTPNotSupported:
        return Failed("The mail server does not offer what is needed (TLS, or the login).")
    except (aiosmtplib.SMTPException, OSError):
        return Unknown("The connection to the mail server broke before it answered.")
    return Delivered()


def _read_code(code: int, what: str) -> Outcome:
    reason = f"The mail server refused {what} ({code})."
    return Refused(reason, code) if code >= PERMANENT else Failed(reason, code)

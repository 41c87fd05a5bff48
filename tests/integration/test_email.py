"""E-mail over a real mail server, with TLS and without, and one that fails."""

import asyncio
import datetime as dt
import ipaddress
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from services.scheduler.channels.email import read_mail_server
from shared.db.channels import ChannelKind
from shared.db.pool import open_pool
from shared.domain.errors import InvalidInput
from shared.domain.telling.messages import PERHAPS_AGAIN
from shared.queue import open_redis
from shared.settings import Settings
from tests.integration.receiving import Clock, Outgoing, with_receivers
from tests.integration.test_deliver import lose_sight
from tests.integration.watching import begin_past


@dataclass
class Mailbox:
    """What a mail server took; `replies` are what it says to the next messages instead."""

    port: int = 0
    taken: list[Any] = field(default_factory=list)
    replies: list[str] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        reply = self.replies.pop(0) if self.replies else "250 OK"
        if reply == "die":
            server.transport.abort()
            return "421 dead"
        if reply.startswith("250"):
            self.taken.append((envelope.rcpt_tos, message_from_bytes(envelope.content, policy=default)))
            self.encrypted.append(server.transport.get_extra_info("sslcontext") is not None)
        return reply


def make_certificate(folder: Path) -> Path:
    """A certificate for 127.0.0.1 that signs itself, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1)).add_extension(here, critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    path = folder / "mail.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path


@asynccontextmanager
async def mail_server(security: str, folder: Path) -> AsyncIterator[Mailbox]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(make_certificate(folder))
    mailbox = Mailbox()
    starttls: dict[str, Any] = {"tls_context": context, "require_starttls": True}

    def serve() -> SMTP:
        return SMTP(mailbox, **(starttls if security == "starttls" else {}))

    server = await asyncio.get_running_loop().create_server(
        serve, "127.0.0.1", 0, ssl=context if security == "tls" else None
    )
    async with server:
        mailbox.port = server.sockets[0].getsockname()[1]
        yield mailbox


@asynccontextmanager
async def something_to_tell(database_url: str, redis_url: str, smtp_url: str) -> AsyncIterator[Outgoing]:
    settings = with_receivers(
        Settings(database_url=database_url, redis_url=redis_url),
        smtp_url=smtp_url,
        mail_from="dw@example.org",
    )
    async with open_pool(settings) as pool, open_redis(redis_url) as redis:
        outgoing = Outgoing(pool, settings, Clock())
        await outgoing.add("oncall", ChannelKind.EMAIL, "ada@example.org, bob@example.org")
        await lose_sight(await begin_past(pool, redis, ["bright", "dim"], questions=20))
        yield outgoing


def url_of(security: str, port: int) -> str:
    return {
        "tls": f"smtps://127.0.0.1:{port}",
        "starttls": f"smtp://127.0.0.1:{port}",
        "none": f"smtp://127.0.0.1:{port}?tls=none",
    }[security]


def part_of(message: Message, subtype: str) -> str:
    body = message.get_body((subtype,))  # type: ignore[attr-defined]
    return str(body.get_content())


@pytest.mark.parametrize("security", ["tls", "starttls", "none"])
async def test_an_incident_is_mailed_as_text_and_html(
    database_url: str, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, security: str
) -> None:
    async with mail_server(security, tmp_path) as mailbox:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "mail.pem"))
        async with something_to_tell(database_url, redis_url, url_of(security, mailbox.port)) as outgoing:
            assert await outgoing.send() == {"delivered": 1}

    ((recipients, message),) = mailbox.taken
    assert recipients == ["ada@example.org", "bob@example.org"]
    assert message["Subject"] == "[Driftwarden] Not measured: dim"
    assert "could not be measured" in part_of(message, "plain")
    assert "<h1" in part_of(message, "html")
    assert mailbox.encrypted == [security != "none"]


@pytest.mark.parametrize("security", ["tls", "starttls"])
async def test_a_certificate_that_nobody_vouches_for_is_not_trusted(
    database_url: str, redis_url: str, tmp_path: Path, security: str
) -> None:
    async with (
        mail_server(security, tmp_path) as mailbox,
        something_to_tell(database_url, redis_url, url_of(security, mailbox.port)) as outgoing,
    ):
        assert await outgoing.send() == {"retried": 1}
    assert mailbox.taken == []


async def test_a_server_without_tls_gets_nothing_unless_that_is_asked_for(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    async with (
        mail_server("none", tmp_path) as mailbox,
        something_to_tell(database_url, redis_url, url_of("starttls", mailbox.port)) as outgoing,
    ):
        assert await outgoing.send() == {"retried": 1}
    assert mailbox.taken == []


@pytest.mark.parametrize(
    ("reply", "becomes"), [("451 later", "retried"), ("550 no such user", "dead"), ("die", "retried")]
)
async def test_what_may_pass_is_mailed_again_and_says_so_where_that_is_not_certain(
    database_url: str, redis_url: str, tmp_path: Path, reply: str, becomes: str
) -> None:
    async with (
        mail_server("none", tmp_path) as mailbox,
        something_to_tell(database_url, redis_url, url_of("none", mailbox.port)) as outgoing,
    ):
        mailbox.replies = [reply]
        assert await outgoing.send() == {becomes: 1}
        outgoing.clock.go_on(minutes=1)
        assert await outgoing.send() == ({} if becomes == "dead" else {"delivered": 1})
        (delivery,) = await outgoing.deliveries()
    for _, message in mailbox.taken:
        assert message["Message-ID"] == f"<{delivery.id}@driftwarden>"
        assert (PERHAPS_AGAIN in part_of(message, "plain")) == (reply == "die")


@pytest.mark.parametrize(
    "url",
    ["", "mail.example.org", "http://mail.example.org", "smtp://", "smtp://u:p@mail.example.org?tls=none"],
)
def test_a_setting_that_names_no_mail_server_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput, match="DRIFTWARDEN_SMTP_URL"):
        read_mail_server(url, "dw@example.org")

"""Targets of channels: what may be stored as one, and how much of it is ever shown."""

import re

from shared.addresses import Guard, Resolve, check_reachable, check_url, find_addresses
from shared.db.channels import ChannelKind
from shared.domain.errors import InvalidInput

SLACK_HOSTS = ("hooks.slack.com", "hooks.slack-gov.com")
SHOWN_CHARACTERS = 4
MOST_RECIPIENTS = 20
_RECIPIENT = re.compile(
    r"[^\s@,;<>\"()\\\x00-\x1f\x7f]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,253}[A-Za-z0-9])?"
)
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]{1,30}://[\x21-\x7e]+", re.IGNORECASE)


async def check_target(kind: ChannelKind, target: str, guard: Guard, resolve: Resolve | None = None) -> None:
    """Check what messages are to be sent to.

    Raises:
        InvalidInput: it is no target of that kind, or leads to where nobody outside may send this program.
    """
    match kind:
        case ChannelKind.SLACK:
            await check_slack(target, guard, resolve)
        case ChannelKind.WEBHOOK:
            await check_reachable(target, guard, "target", resolve)
        case ChannelKind.EMAIL:
            _check_recipients(target)
        case ChannelKind.APPRISE:
            if not _SCHEME.fullmatch(target):
                remedy = "Write one such as discord://ID/TOKEN; Apprise's documentation lists them."
                raise InvalidInput("target", "is no address of a service.", remedy)


async def check_slack(target: str, guard: Guard, resolve: Resolve | None = None) -> None:
    """
    Raises:
        InvalidInput: it is not Slack's, nor in a network that the operator allows.
    """
    parts = check_url(target, "target")
    host = parts.hostname or ""
    if parts.scheme == "https" and host in SLACK_HOSTS and parts.port in (None, 443):
        return
    found = await find_addresses(host, parts.port or 443, resolve)
    if not found or not all(guard.is_allowed_inside(address) for address in found):
        remedy = "Copy the webhook's address from Slack: https://hooks.slack.com/services/…"
        raise InvalidInput("target", "is no incoming webhook of Slack.", remedy)


def hint_at(kind: ChannelKind, target: str) -> str:
    """All of a target that is shown: enough to tell it from others, not enough to use it."""
    match kind:
        case ChannelKind.EMAIL:
            first, *others = _split(target)
            name, _, domain = first.partition("@")
            return f"{name[:1]}…@{domain}" + (f" and {len(others)} more" if others else "")
        case ChannelKind.APPRISE:  # what stands in the host's place may be a token
            return f"{target.partition('://')[0].lower()}://…{_end(target)}"
        case _:
            return hint_at_url(target)


def hint_at_url(url: str) -> str:
    parts = check_url(url)
    path = url.partition(parts.netloc)[2].strip("/")
    return f"{parts.hostname}{f' …{_end(path)}' if path else ''}"


def _end(text: str) -> str:
    """The last characters, unless that would be most of it."""
    return text[-SHOWN_CHARACTERS:] if len(text) >= 4 * SHOWN_CHARACTERS else ""


def _check_recipients(target: str) -> None:
    recipients = _split(target)
    if not recipients or len(recipients) > MOST_RECIPIENTS:
        raise InvalidInput(
            "target", "names no mail address.", f"Name 1 to {MOST_RECIPIENTS}, with commas between."
        )
    for recipient in recipients:
        if not _RECIPIENT.fullmatch(recipient):
            raise InvalidInput("target", f"{recipient!r} is no mail address.", "Write NAME@HOST.")


def _split(target: str) -> list[str]:
    return [part.strip() for part in target.split(",") if part.strip()]

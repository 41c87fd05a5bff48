"""Everything else (Discord, Teams, PagerDuty, ntfy …), by one of Apprise's addresses."""

import asyncio
import logging

from shared.domain.telling.redelivery import Delivered, Failed, Outcome, Refused

# What it logs may hold the address, which is the secret.
logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)


async def send_by_apprise(url: str, title: str, text: str, *, is_good: bool) -> Outcome:
    """It says whether it has worked, and no more than that: whatever failed is tried again."""
    return await asyncio.to_thread(_send, url, title, text, is_good)


def _send(url: str, title: str, text: str, is_good: bool) -> Outcome:
    # It reads more than a hundred modules when it is first used, which most installations never do.
    from apprise import Apprise, NotifyType

    service = Apprise()
    if not service.add(url):
        return Refused("Apprise does not know an address of this form.")
    kind = NotifyType.SUCCESS if is_good else NotifyType.WARNING
    if service.notify(body=text, title=title, notify_type=kind):
        return Delivered()
    return Failed("The service did not take the message.")

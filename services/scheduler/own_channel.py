"""The channel that DRIFTWARDEN_SLACK_WEBHOOK_URL makes, without anybody adding one."""

from shared.addresses import Guard
from shared.db import channels
from shared.db.channels import ChannelKind
from shared.db.pool import Pool
from shared.domain.errors import InvalidInput
from shared.settings import Settings
from shared.targets import check_slack, hint_at


async def follow_settings(pool: Pool, settings: Settings) -> None:
    """Have the channel `settings-slack` while the setting is there. Its address is not stored.

    Raises:
        InvalidInput: the setting is no incoming webhook of Slack.
    """
    secret = settings.slack_webhook_url
    url = secret.get_secret_value() if secret is not None else None
    if url:
        try:
            await check_slack(url, Guard(settings.allowed_networks))
        except InvalidInput as error:
            raise InvalidInput("DRIFTWARDEN_SLACK_WEBHOOK_URL", error.problem, error.remedy) from None
    async with pool.acquire() as connection:
        await channels.follow_settings(connection, hint_at(ChannelKind.SLACK, url) if url else None)

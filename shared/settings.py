"""Everything that can be set from outside, read once per process."""

from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from shared.addresses import Network, read_networks
from shared.redis_url import read_redis_url


def _read_networks(written: object) -> object:
    return read_networks(written) if isinstance(written, str) else written


def _check_redis_url(url: SecretStr) -> SecretStr:
    read_redis_url(url.get_secret_value())
    return url


RedisUrl: TypeAlias = Annotated[SecretStr, AfterValidator(_check_redis_url)]
Transport: TypeAlias = Literal["auto", "litellm"]


class Settings(BaseSettings):
    """Settings from the environment, else from `.env` in the working folder; see `.env.example`."""

    model_config = SettingsConfigDict(
        env_prefix="DRIFTWARDEN_", env_file=".env", extra="ignore", frozen=True, populate_by_name=True
    )

    database_url: SecretStr = Field(SecretStr("postgresql://localhost/driftwarden"), alias="DATABASE_URL")
    redis_url: RedisUrl = Field(SecretStr("redis://localhost:6379/0"), alias="REDIS_URL")

    host: str = "127.0.0.1"
    port: int = Field(8700, ge=0, le=65535)
    public_url: str | None = None
    auth: Literal["on", "off"] = "on"
    secret_key: SecretStr | None = None
    requests_per_minute: int = Field(1200, ge=1)
    unknown_keys_per_minute: int = Field(20, ge=1)

    # Reaching people: a Slack channel and a mail server, and which private networks webhooks may reach.
    slack_webhook_url: SecretStr | None = None
    smtp_url: SecretStr | None = None
    mail_from: str = "driftwarden@localhost"
    allowed_networks: Annotated[tuple[Network, ...], NoDecode, BeforeValidator(_read_networks)] = ()

    models: Path | None = None
    data: Path = Path(".driftwarden")

    # Pairs in flight: at most so many in one worker process, and of one model over all of them.
    worker_slots: int = Field(1000, ge=1)
    model_slots: int = Field(50, ge=1)
    max_attempts: int = Field(5, ge=1)
    request_timeout_seconds: float = Field(60.0, gt=0)
    outage_patience_seconds: float = Field(120.0, gt=0)
    drain_seconds: float = Field(30.0, ge=0)
    transport: Transport = "auto"
    max_open_pairs: int = Field(2_000_000, ge=1)
    max_output_tokens: int = Field(2048, ge=1)
    database_connections: int = Field(8, ge=2)

    # The watch: how rarely it may alarm for nothing, how late a night may begin, how long a run may take.
    nights_per_false_alarm: float = Field(365.0, ge=1)
    night_grace_hours: float = Field(6.0, gt=0)
    open_run_hours: float = Field(6.0, gt=0)

    # How long answers are kept after their run has finished; unset: for ever.
    keep_responses_days: int | None = Field(None, ge=1)

    metrics_port: int = Field(0, ge=0, le=65535)
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["auto", "json", "console"] = "auto"

    @cached_property
    def models_file(self) -> Path | None:
        """The model catalogue: the one named, else the working folder's, else the data folder's."""
        if self.models is not None:
            return self.models
        here, beside_data = Path("models.yaml"), self.data / "models.yaml"
        return next((path for path in (here, beside_data) if path.exists()), None)

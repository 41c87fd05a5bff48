"""Secrets at rest: encrypted under DRIFTWARDEN_SECRET_KEY, which is kept outside the database."""

import base64
import secrets

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import SecretStr

from shared.settings import Settings

WEBHOOK_PREFIX = "whsec_"
_WEBHOOK_BYTES = 32


class Unreadable(Exception):
    """A stored secret was encrypted under another DRIFTWARDEN_SECRET_KEY."""

    def __init__(self) -> None:
        super().__init__("It was encrypted under another DRIFTWARDEN_SECRET_KEY: store it again.")


class Vault:
    """Encrypts what is stored and reads it back; each purpose has a key of its own."""

    def __init__(self, secret_key: SecretStr) -> None:
        self._secret_key = secret_key.get_secret_value().encode()
        self._fernet = Fernet(base64.urlsafe_b64encode(self._derive("stored secrets")))

    def seal(self, secret: str) -> bytes:
        return self._fernet.encrypt(secret.encode())

    def open(self, sealed: bytes) -> str:
        """
        Raises:
            Unreadable: it was sealed under another key.
        """
        try:
            return self._fernet.decrypt(sealed).decode()
        except InvalidToken:
            raise Unreadable from None

    def callback_secret(self) -> str:
        """What callbacks of runs are signed with: always the same for one DRIFTWARDEN_SECRET_KEY."""
        return _as_webhook_secret(self._derive("run callbacks"))

    def _derive(self, purpose: str) -> bytes:
        info = f"driftwarden {purpose}".encode()
        return HKDF(SHA256(), length=_WEBHOOK_BYTES, salt=None, info=info).derive(self._secret_key)


def open_vault(settings: Settings) -> Vault | None:
    """The installation's vault; None without DRIFTWARDEN_SECRET_KEY."""
    return Vault(settings.secret_key) if settings.secret_key is not None else None


def make_webhook_secret() -> str:
    """A new secret in the form of Standard Webhooks."""
    return _as_webhook_secret(secrets.token_bytes(_WEBHOOK_BYTES))


def _as_webhook_secret(key: bytes) -> str:
    return WEBHOOK_PREFIX + base64.b64encode(key).decode()

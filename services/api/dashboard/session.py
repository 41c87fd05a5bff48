"""Who is at the browser: a signed cookie that names a key, and the tokens that make a form ours."""

import base64
import hashlib
import hmac
import json
import secrets
from dataclasses import asdict, dataclass
from uuid import UUID

COOKIE = "driftwarden_session"
LASTS_SECONDS = 12 * 3600


@dataclass(frozen=True, slots=True)
class Session:
    """A browser's visit. `key_id` is None where nobody signed in; `until` is in seconds since 1970."""

    visitor: str
    until: float
    key_id: str | None = None

    @property
    def key(self) -> UUID | None:
        return UUID(self.key_id) if self.key_id else None


@dataclass(frozen=True, slots=True)
class Expired:
    """The cookie is ours, and its time is over."""


class Signer:
    """Signs with the installation's secret, or with one of this process alone, which no restart outlives."""

    def __init__(self, secret: str | None) -> None:
        self._key = hashlib.sha256((secret or secrets.token_hex(32)).encode()).digest()

    def begin(self, now: float, key_id: UUID | None = None) -> Session:
        return Session(secrets.token_hex(16), now + LASTS_SECONDS, str(key_id) if key_id else None)

    def write(self, session: Session) -> str:
        """The cookie's value."""
        body = base64.urlsafe_b64encode(json.dumps(asdict(session)).encode()).decode()
        return f"{body}.{self._sign('session', body)}"

    def read(self, cookie: str, now: float) -> Session | Expired | None:
        """What a cookie says, if this signer wrote it; None otherwise."""
        body, _, signature = cookie.rpartition(".")
        if not hmac.compare_digest(signature.encode(), self._sign("session", body).encode()):
            return None
        session = Session(**json.loads(base64.urlsafe_b64decode(body)))
        return session if now < session.until else Expired()

    def form_token(self, session: Session) -> str:
        return self._sign("form", session.visitor)

    def is_form_token(self, session: Session, token: str) -> bool:
        return hmac.compare_digest(token.encode(), self.form_token(session).encode())

    def _sign(self, purpose: str, text: str) -> str:
        return hmac.new(self._key, f"{purpose}:{text}".encode(), hashlib.sha256).hexdigest()
